"""How far the operators' model is from measured latencies: the section `operators` of docs/accuracy.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dovetail.costmodel.calibration.fit import fit
from dovetail.costmodel.calibration.kernels import KERNELS, Kernel
from dovetail.costmodel.calibration.tables import Table, read_folder
from dovetail.costmodel.hardware import find_device
from dovetail.costmodel.operators.chip import Chip, chip_of
from dovetail.costmodel.operators.coefficients import Values, blend, coefficients, likeness, shares

FOLDS = 5
ROWS_OF_A_FIT = 1500
SIZES = ((0.0, "below 20 us"), (20e-6, "20 to 200 us"), (200e-6, "0.2 to 2 ms"), (2e-3, "above 2 ms"))
"""classes by measured time, each from its bound up"""
SHAPES: Mapping[str, Sequence[str]] = {"gemm": ("n", "k"), "decode": ("h", "g", "d"), "prefill": ("h", "g", "d")}
"""what makes one shape that is left out whole; of collectives, the operation and the number of devices"""
Used = list[tuple[str, Chip, Table]]


NOTES = """Where it is worst, and why: another device may run other kernels, which no data sheet tells. The 8-bit
products of an L40S end each tile some microseconds later than those of an H100; FlashAttention 2 (A100,
L40S) and 3 (H100) split and pack heads differently; the 8-bit prefill of an L40S splits keys, which the
model does not. With three devices, and two with 8-bit kernels, one left out leaves little to learn from.
The all-reduce kernels have three numbers of devices in all: a fold leaves out a whole one."""


class Errors(NamedTuple):
    """Of predictions against measurements, relative."""

    rows: int
    mean: float
    median: float
    p90: float
    bias: float

    @classmethod
    def of(cls, predicted: np.ndarray, measured: np.ndarray) -> Errors:
        off = predicted / measured - 1
        size = np.abs(off)
        return cls(len(off), *map(float, (size.mean(), np.median(size), np.quantile(size, 0.9), off.mean())))

    def cells(self) -> str:
        return f"{self.rows:,} | {self.mean:.1%} | {self.median:.1%} | {self.p90:.1%} | {self.bias:+.1%}"


def section(data: Path) -> str:
    """The Markdown of the section; some minutes, most of them fits."""
    tables = read_folder(data / "silicon" / "ops")
    chips = {id: chip_of(device) for id in tables if (device := find_device(id)) is not None}
    used = {
        k.name: [(id, chips[id], part) for id, t in tables.items() if len(part := t.where(k.rows(t)))] for k in KERNELS
    }
    return "\n".join(
        [
            *_part("As shipped, on the rows it was fitted to", (_shipped(k, used[k.name]) for k in KERNELS)),
            "",
            *_part(f"Unseen shapes: {FOLDS} folds over distinct shapes", (_folds(k, used[k.name]) for k in KERNELS)),
            "",
            *_part(
                "Unseen device: fitted on the others, its data sheet alone",
                (_devices(k, used[k.name]) for k in KERNELS if k.shared),
            ),
            "",
            "### By size, as shipped",
            "",
            "| kernel | " + " | ".join(name for _, name in SIZES) + " |",
            "|---|" + "---|" * len(SIZES),
            *(_sizes(k, used[k.name]) for k in KERNELS),
            "",
            NOTES,
        ]
    )


Rows = Iterator[tuple[str, str, Errors, Errors]]
"""kernel, device, our errors, those of the naive roofline"""


def _part(title: str, kernels: Iterator[Rows]) -> Iterator[str]:
    """One table, a line for each kernel and device, printed as it comes, and the mean over the lines."""
    yield from (f"### {title}", "", "| kernel | device | rows | mean | median | p90 | bias | naive roofline, mean |")
    yield "|---|---|---|---|---|---|---|---|"
    means: list[float] = []
    for rows in kernels:
        for kernel, device, ours, naive in rows:
            means.append(ours.mean)
            line = f"| {kernel} | {device} | {ours.cells()} | {naive.mean:.0%} |"
            print(line, flush=True)
            yield line
    yield from ("", f"Mean of the lines: {np.mean(means):.1%}." if means else "No rows.")


def _shipped(kernel: Kernel, used: Used) -> Rows:
    for id, chip, table in used:
        yield (
            kernel.name,
            id,
            _errors(kernel, chip, coefficients(kernel.name, chip), table),
            _naive(kernel, chip, table),
        )


def _folds(kernel: Kernel, used: Used) -> Rows:
    """Errors on shapes of which no row, on any device, was fitted to."""
    predicted = {id: np.empty(len(table)) for id, _, table in used}
    for fold in range(FOLDS):
        found = fit(kernel, [(id, chip, t.where(folds(t) != fold)) for id, chip, t in used], ROWS_OF_A_FIT)
        for id, chip, table in used:
            left = folds(table) == fold
            values = {**found["shared"], **found["devices"][id]}
            predicted[id][left] = kernel.predict(chip, values, table.where(left))
    for id, chip, table in used:
        yield kernel.name, id, Errors.of(predicted[id], table["latency"]), _naive(kernel, chip, table)


def _devices(kernel: Kernel, used: Used) -> Rows:
    """Errors on a device of which no row was fitted to."""
    for id, chip, table in used:
        others = [entry for entry in used if entry[0] != id]
        if others:
            found = fit(kernel, others, ROWS_OF_A_FIT)
            weights = shares(chip, {other: likeness(its) for other, its, _ in others})
            values = {**found["shared"], **blend(weights, found["devices"])}
            yield kernel.name, id, _errors(kernel, chip, values, table), _naive(kernel, chip, table)


def _sizes(kernel: Kernel, used: Used) -> str:
    off = [np.abs(kernel.predict(c, coefficients(kernel.name, c), t) / t["latency"] - 1) for _, c, t in used]
    errors, latency = np.concatenate(off), np.concatenate([t["latency"] for _, _, t in used])
    bounds = [bound for bound, _ in SIZES] + [np.inf]
    cells = []
    for low, high in pairwise(bounds):
        inside = (latency >= low) & (latency < high)
        cells.append(f"{errors[inside].mean():.1%}" if inside.any() else "-")
    return f"| {kernel.name} | " + " | ".join(cells) + " |"


def folds(table: Table) -> np.ndarray:
    """The fold of each row: all rows of one shape are in one, the shapes dealt out at random (seeded)."""
    kind = str(table.text["kind"][0])
    columns = [table[name] for name in SHAPES.get(kind, ("devices",))]
    keys = np.array([f"{op}{shape}" for op, *shape in zip(table.text["op"], *columns, strict=True)])
    distinct, index = np.unique(keys, return_inverse=True)
    return (np.random.default_rng(0).permutation(len(distinct)) % FOLDS)[index]


def _errors(kernel: Kernel, chip: Chip, values: Values, table: Table) -> Errors:
    return Errors.of(kernel.predict(chip, values, table), table["latency"])


def _naive(kernel: Kernel, chip: Chip, table: Table) -> Errors:
    """Of max(FLOPs / peak, bytes / bandwidth): no launch, no efficiency."""
    return Errors.of(np.maximum(roofline_s(kernel, chip, table), 1e-9), table["latency"])


def roofline_s(kernel: Kernel, chip: Chip, t: Table) -> np.ndarray:
    """[s] that the data sheet's peaks would take."""
    kind = str(t.text["kind"][0])
    if kind == "gemm":
        peak = chip.flops_per_s["bf16" if t["width"][0] == 2 else "fp8"]
        moved = t["width"] * (t["m"] * t["k"] + t["n"] * t["k"]) + 2 * t["m"] * t["n"]
        return np.maximum(2 * t["m"] * t["n"] * t["k"] / peak, moved / chip.bandwidth_bytes_per_s)
    if kind in ("decode", "prefill"):
        pairs = t["isl"] * (t["step"] + (t["isl"] + 1) / 2)
        moved = 2 * t["b"] * t["d"] * (t["width"] * t["g"] * (t["isl"] + t["step"]) + 2 * t["h"] * t["isl"])
        flops = 4 * t["b"] * t["h"] * t["d"] * pairs
        return np.maximum(flops / chip.matrix_flops_per_s, moved / chip.bandwidth_bytes_per_s)
    rounds = np.where(t.text["op"] == "all_reduce", 2, 1)
    return rounds * (t["devices"] - 1) / t["devices"] * t["size"] / chip.link_bytes_per_s
