"""How near ten measurements bring the cost model: the section `calibration` of docs/accuracy.md."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from dovetail.costmodel.calibrated import Calibration
from dovetail.costmodel.calibration.cell import CellRows, fit_cell
from dovetail.costmodel.calibration.device import fit_kernels, start_of, with_kernels
from dovetail.costmodel.calibration.fit import fit
from dovetail.costmodel.calibration.kernels import KERNELS
from dovetail.costmodel.calibration.operator_rows import OperatorRows, operator_rows
from dovetail.costmodel.calibration.serving import read_points
from dovetail.costmodel.calibration.tables import Table, read_folder
from dovetail.costmodel.hardware import Device, find_device
from dovetail.costmodel.operators.chip import chip_of
from dovetail.costmodel.operators.coefficients import Values, blend, likeness, shares

DRAWS, ROWS = 20, 10
ROWS_OF_A_FIT = 700
FILES = (("gemm", "gemm"), ("context_attention", "attention"), ("generation_attention", "attention"))
GATE = 0.1


def section(data: Path) -> str:
    """The Markdown of the section; a few minutes."""
    folder = data / "silicon"
    text = "\n".join(
        [
            f"Mean over {DRAWS} seeded, uniform draws of {ROWS} rows, of the median error on all other rows; in",
            "brackets the worst draw. `before` is without any measurement, `one factor` takes the median of measured",
            "over predicted.",
            "",
            "### A device that was never measured",
            "",
            "Everything is fitted on the other devices alone; then rows are drawn from the whole table of the device,",
            "and from those of one number format alone.",
            "",
            "| device | table | rows | before | one factor | calibrated | under 10 % |",
            "|---|---|---|---|---|---|---|",
            *_operators(folder / "ops"),
            "",
            "### One serving cell",
            "",
            "| cell | points | TPOT before | one factor | calibrated | under 10 % | TTFT before | one factor | ours |",
            "|---|---|---|---|---|---|---|---|---|",
            *(line for name in ("calibrate", "develop") for line in _cells(folder / f"serving_{name}.csv", name)),
        ]
    )
    print(text)
    return text


def _operators(folder: Path) -> Iterator[str]:
    tables = read_folder(folder)
    devices = {id: device for id in tables if (device := find_device(id)) is not None}
    for id, device in devices.items():
        unknown = replace(device, id=f"{id} unmeasured", calibration=Calibration(_inherited(id, devices, tables)))
        for file, kind in FILES:
            path = folder / f"{id.replace('-', '_')}_{file}.csv"
            rows = read_rows(path, kind)
            formats = sorted(set(rows.groups.tolist()))
            parts = [("", rows), *((f" {name}", rows.where(np.flatnonzero(rows.groups == name))) for name in formats)]
            for name, part in parts if len(formats) > 1 else parts[:1]:
                yield f"| {id} | {file}{name} | {len(part):,} | {operator_cells(part, unknown)} |"


def read_rows(path: Path, kind: str) -> OperatorRows:
    """Measured operators of a file, without those of a sliding window, which the kernels were not fitted to."""
    with path.open(newline="") as file:
        lines = [row for row in csv.DictReader(file) if float(row.get("window_size") or 0) == 0]
    return operator_rows(kind, lines, np.array([float(row["latency"]) for row in lines]) * 1e-3)


def _inherited(id: str, devices: Mapping[str, Device], tables: Mapping[str, Table]) -> dict[str, Values]:
    """Coefficients of the kernels of `id` by a fit to the other devices."""
    found = {}
    chips = {name: chip_of(device) for name, device in devices.items()}
    for kernel in KERNELS:
        others = [(n, chips[n], t.where(kernel.rows(t))) for n, t in tables.items() if n != id]
        others = [entry for entry in others if len(entry[2])]
        if others:
            fitted = fit(kernel, others, ROWS_OF_A_FIT)
            weights = shares(chips[id], {name: likeness(chip) for name, chip, _ in others})
            found[kernel.name] = {**fitted["shared"], **blend(weights, fitted["devices"])}
    return found


def operator_cells(rows: OperatorRows, device: Device) -> str:
    before = rows.predict_s(device)

    def calibrated(ten: np.ndarray, rest: np.ndarray) -> np.ndarray:
        known = rows.where(ten)
        found = fit_kernels(known, device, start_of(device, known.kernels(device)))
        return rows.where(rest).predict_s(with_kernels(device, found))

    return _cells_of(before, rows.measured_s, calibrated)


def _cells_of(
    before: np.ndarray,
    measured: np.ndarray,
    calibrated: Callable[[np.ndarray, np.ndarray], np.ndarray],
    gate: bool = True,
) -> str:
    """Errors before, with one factor and calibrated, as cells of a table."""
    one, ours = [], []
    for seed in range(DRAWS):
        order = np.random.default_rng(seed).permutation(len(measured))
        ten, rest = order[:ROWS], order[ROWS:]
        factor = float(np.median(measured[ten] / before[ten]))
        one.append(_median(factor * before[rest], measured[rest]))
        ours.append(_median(calibrated(ten, rest), measured[rest]))
    mean = float(np.mean(ours))
    verdict = f" | {'yes' if mean < GATE else f'no, by {100 * (mean - GATE):.1f} points'}" if gate else ""
    return f"{_median(before, measured):.1%} | {np.mean(one):.1%} | {mean:.1%} ({max(ours):.1%}){verdict}"


def _median(predicted: np.ndarray, measured: np.ndarray) -> float:
    return float(np.median(np.abs(predicted / measured - 1)))


def _cells(path: Path, name: str) -> Iterator[str]:
    points = read_points(path)
    for cell in dict.fromkeys(points.cells.tolist()):
        at = np.flatnonzero(points.cells == cell)
        if len(at) <= 2 * ROWS:
            continue
        rows = CellRows(tuple(points.questions[i] for i in at), points.tpot_s[at], points.ttft_s[at])
        before, fits = rows.predict_s(rows.start()), {}

        def calibrated(ten: np.ndarray, rest: np.ndarray, column: int, rows: CellRows = rows, fits: dict = fits):
            key = ten.tobytes()
            if key not in fits:
                fits[key] = fit_cell(rows.where(ten))
            return rows.where(rest).predict_s(fits[key])[:, column]

        tpot = _cells_of(before[:, 0], rows.tpot_s, lambda t, r, f=calibrated: f(t, r, 0))
        ttft = _cells_of(before[:, 1], rows.ttft_s, lambda t, r, f=calibrated: f(t, r, 1), gate=False)
        yield f"| {cell} ({name}) | {len(rows)} | {tpot} | {ttft} |"
