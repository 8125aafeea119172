"""`dovetail calibrate`: from a user's table of measurements to coefficients of one device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...ir.diagnostics import Diagnostics
from ..calibrated import Calibration
from ..hardware import Device
from ..operators.estimate import predict
from ..serving.engines import find_engine
from ..serving.replica import Replica
from ..serving.table import Question, answer, read_question
from .cell import CellRows, calibrate_cell
from .device import calibrate_kernels, start_of
from .measurements import LEAST_ROWS, TTFT, Measurements, raise_some, read_measurements
from .operator_rows import operator_rows
from .physics import check_times, least_operator_s, least_tpot_s

MOVED = 0.01
"""relative change from which on a coefficient counts as fitted"""


@dataclass(frozen=True)
class Found:
    """What one table, or one cell of a table of serving points, told."""

    what: str
    rows: int
    error_before: float
    """median of |predicted / measured - 1|"""
    error_after: float
    """of rows that the fit did not know"""
    start: Mapping[str, Mapping[str, float]]
    """coefficients before, by kernel; of a cell under `serving`"""
    values: Mapping[str, Mapping[str, float]]
    cell: tuple[str, str, str] | None = None
    """model, engine and precision of serving points"""
    ttft: tuple[float, float] | None = None
    """errors of the time to first token, where it was measured"""

    @property
    def helped(self) -> bool:
        """Whether rows left out of the fit come out nearer than without it; else nothing is taken from it."""
        return self.error_after < self.error_before

    def fitted(self, kernel: str) -> dict[str, float]:
        """Coefficients that moved."""
        start, values = self.start[kernel], self.values[kernel]
        return {n: v for n, v in values.items() if abs(v - start[n]) > MOVED * abs(start[n])}

    def group(self, source: str, date: str) -> dict[str, Any]:
        """The group of the device's `calibration`."""
        parts: dict[str, Any] = {name: self._parts(name) for name in self.values}
        if self.cell is None:
            told: dict[str, Any] = {"kernels": parts}
        else:
            told = {
                "serving": {**dict(zip(("model", "engine", "precision"), self.cell, strict=True)), **parts["serving"]}
            }
        errors = {"error_before": _short(self.error_before), "error_after": _short(self.error_after)}
        return {"source": source, "date": date, "quality": "fitted", "rows": self.rows, **errors, **told}

    def _parts(self, name: str) -> dict[str, dict[str, float]]:
        fitted = self.fitted(name)
        kept = {n: v for n, v in self.values[name].items() if n not in fitted}
        return {
            key: {n: _short(v) for n, v in values.items()}
            for key, values in (("fitted", fitted), ("inherited", kept))
            if values
        }


def _short(value: float) -> float:
    return float(f"{value:.6g}")


def calibrate_table(path: Path, device: Device, name: str) -> list[Found]:
    """What the table at `path` tells of `device`, called `name`. InputError with every fault of the table."""
    table = read_measurements(path, device, name)
    return _serving(table, device) if table.kind == "serving" else [_operators(table, device)]


def _operators(given: Measurements, device: Device) -> Found:
    table, faults = given.table, given.faults
    for row, said in enumerate(predict(given.kind, table.rows, device)):
        if said.error and row not in table.faults:
            faults.error("row", said.error, table.span(row, _column_of(said.error)))
    if given.kind == "comm":
        for row, cells in enumerate(table.rows):
            if cells["num_gpus"].strip() in ("1", "1.0"):
                faults.error("row", "`num_gpus`: a single device has no collectives", table.span(row, "num_gpus"))
    raise_some(faults)
    rows = operator_rows(given.kind, table.rows, np.array(given.times["latency"]) * 1e-3)
    before = rows.predict_s(device)
    check_times(table, "latency", rows.measured_s, least_operator_s(rows, device), before, faults)
    raise_some(faults)
    values, after = calibrate_kernels(rows, device)
    errors = _error(before, rows.measured_s), _error(after, rows.measured_s)
    return Found(given.kind, len(rows), *errors, start_of(device, tuple(values)), values)


def _column_of(message: str) -> str:
    """The column that a message names first."""
    return message.split("`")[1] if message.startswith("`") else ""


def _error(predicted: np.ndarray, measured: np.ndarray) -> float:
    known = np.isfinite(measured)
    return float(np.median(np.abs(predicted[known] / measured[known] - 1)))


def _serving(given: Measurements, device: Device) -> list[Found]:
    table, faults = given.table, given.faults
    questions: dict[int, Question] = {}
    for row, cells in enumerate(table.rows):
        try:
            questions[row] = _uncalibrated(read_question({**cells, "system": device.id}))
        except ValueError as fault:
            if row in table.faults:
                continue
            faults.error("row", str(fault), table.span(row, _column_of(str(fault))))
    for row, said in zip(questions, answer(list(questions.values())), strict=True):
        if isinstance(said, str):
            faults.error("row", said, table.span(row, _column_of(said)))
    raise_some(faults)
    by_cell: dict[tuple[str, str, str], list[int]] = {}
    for row, question in questions.items():
        replica = question.replica
        key = (replica.llm.id, replica.engine.id, replica.precision or replica.llm.precision)
        by_cell.setdefault(key, []).append(row)
    for key, places in by_cell.items():
        if len(places) < LEAST_ROWS:
            message = f"{len(places)} points of {' '.join(key)} are too few to fit to: {LEAST_ROWS} are needed"
            faults.error("too-few-rows", message, table.span(places[0], "model_path"))
    found = [_cell(given, key, places, questions, faults) for key, places in by_cell.items() if not faults.errors]
    raise_some(faults)
    return found


def _uncalibrated(question: Question) -> Question:
    """The question to a device without points that were fitted before, which the fit would take over its own."""

    def bare(replica: Replica) -> Replica:
        device = replace(replica.device, calibration=Calibration(replica.device.calibration.kernels))
        return replace(replica, device=device, engine=find_engine(replica.engine.id))

    prefill = question.prefill and replace(question.prefill, replica=bare(question.prefill.replica))
    return replace(question, replica=bare(question.replica), prefill=prefill)


def _cell(
    given: Measurements,
    key: tuple[str, str, str],
    places: list[int],
    questions: Mapping[int, Question],
    faults: Diagnostics,
) -> Found:
    times = {name.removeprefix("silicon_"): np.array(column)[places] * 1e-3 for name, column in given.times.items()}
    ttft_s = times.get("ttft_ms", np.full(len(places), np.nan))
    rows = CellRows(tuple(questions[place] for place in places), times["tpot_ms"], ttft_s)
    start = rows.start()
    before = rows.predict_s(start)
    view = replace(
        given.table,
        rows=[given.table.rows[place] for place in places],
        lines=[given.table.lines[place] for place in places],
    )
    for name in given.times:
        first = name in TTFT
        measured = rows.ttft_s if first else rows.tpot_s
        check_times(view, name, measured, 0 * measured if first else least_tpot_s(rows), before[:, int(first)], faults)
    raise_some(faults)
    values, after = calibrate_cell(rows)
    errors = _error(before[:, 0], rows.tpot_s), _error(after[:, 0], rows.tpot_s)
    known = np.isfinite(ttft_s).any()
    ttft = (_error(before[:, 1], ttft_s), _error(after[:, 1], ttft_s)) if known else None
    return Found("serving", len(rows), *errors, {"serving": start}, {"serving": values}, key, ttft)
