"""Fit the operators' coefficients to measured latencies and write costmodel/catalogue/coefficients/operators.yaml.

    DOVETAIL_DATA=... python scripts/fit_operators.py [KERNEL ...]

Rows are read from `silicon/ops` of that folder; none are kept. Needs scipy (the `dev` extra). Deterministic.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from scipy.optimize import least_squares

from dovetail.costmodel.hardware import find_device
from dovetail.costmodel.operators import attention, collectives, gemm
from dovetail.costmodel.operators.chip import Chip, chip_of
from dovetail.costmodel.operators.coefficients import CHOICES, FILE, likeness
from dovetail.costmodel.operators.measured import Table, read_folder

PREDICT = Callable[[Chip, Mapping[str, float], Table], np.ndarray]
SHARES = frozenset({"compute_share", "bandwidth_share", "sustained", "tail", "share", "low_share"})
"""coefficients between 0 and 1"""
POWERS = frozenset({"overlap", "pipelining"})
"""coefficients of at least 1"""


@dataclass(frozen=True)
class Kernel:
    """What is fitted together: one kernel, its rows, and where the search starts."""

    name: str
    predict: PREDICT
    rows: Callable[[Table], np.ndarray]
    shared: Mapping[str, float]
    devices: Mapping[str, float]
    choices: Mapping[str, Mapping[str, float]]
    """by device"""
    hold: float = 0.2
    """weight of the priors, in units of the log of a coefficient"""


def gemm_plain(chip: Chip, c: Mapping[str, float], t: Table) -> np.ndarray:
    return gemm.plain_s(chip, c, chip.flops_per_s["bf16"], 2.0, t["m"], t["n"], t["k"], True)


def gemm_quantised(chip: Chip, c: Mapping[str, float], t: Table) -> np.ndarray:
    return gemm.quantised_s(chip, c, chip.flops_per_s["fp8"], 1.0, t["m"], t["n"], t["k"], True)


def call(t: Table) -> attention.Call:
    return attention.Call.of(t["b"], t["isl"], t["step"], t["h"], t["g"], t["d"], 0)


def decode(stored: float) -> PREDICT:
    def predict(chip: Chip, c: Mapping[str, float], t: Table) -> np.ndarray:
        return attention.decode_s(chip, c, stored, call(t), True)

    return predict


def prefill(stored: float) -> PREDICT:
    def predict(chip: Chip, c: Mapping[str, float], t: Table) -> np.ndarray:
        return attention.prefill_s(chip, c, stored, call(t), True)

    return predict


def library(chip: Chip, c: Mapping[str, float], t: Table) -> np.ndarray:
    out = np.empty_like(t["latency"])
    for op in collectives.ROUNDS:
        at = t.text["op"] == op
        out[at] = collectives.protocols_s(chip, c, op, t["size"][at], t["devices"][at])
    return out


def one_kernel(chip: Chip, c: Mapping[str, float], t: Table) -> np.ndarray:
    return collectives.one_kernel_s(chip, c, t["size"], t["devices"])


MEMORY = {"cache_steepness": 6.0, "cache_bytes_per_clock": 30.0}
GEMM = {**MEMORY, "draw": 3.0, "copies": 4.0, "tail": 0.8, "pipelining": 2.0, "overlap": 3.0, "block": 1e-6}
DEVICE = {"launch": 2e-6, "compute_share": 0.8, "bandwidth_share": 0.85, "cache_share": 0.5}
QUANTISE = {"row": 1e-6, "second_launch": 2e-6, "traffic": 2.5}
ATTEND = {**MEMORY, "draw": 2.0, "overlap": 1.5}
DECODE = {**ATTEND, "chunk": 128.0, "most_parts": 40.0}
DECODE_DEVICE = {
    "launch": 8e-6,
    "bandwidth_share": 0.85,
    "cache_share": 0.8,
    "block": 4e-6,
    "combine": 2e-6,
    "step": 1e-6,
}
PREFILL = {**MEMORY, "overlap": 1.5, "written": 2.0, "draw": 3.0}
PREFILL_DEVICE = {
    "launch": 8e-6,
    "bandwidth_share": 0.85,
    "cache_share": 0.8,
    "compute_share": 0.6,
    "block": 1e-6,
    "traffic": 1.5,
    "alone": 0.8,
}
LINK = {"hop": 1e-6, "contention": 0.05, "low_share": 0.3, "bulk_start": 1e-5}
FA2 = {"a100-sxm": {"splits_plain_heads": 0}, "h100-sxm": {"splits_plain_heads": 1}, "l40s": {"splits_plain_heads": 0}}
SPLITS = {id: {"splits_plain_heads": 1} for id in FA2}
PACKS = {"a100-sxm": {"packs_groups": 0}, "h100-sxm": {"packs_groups": 1}, "l40s": {"packs_groups": 0}}
PACKS8 = {id: {"packs_groups": 1} for id in FA2}
NARROW = {"h100-sxm": {"narrow_rows": 128}, "l40s": {"narrow_rows": 256}}

KERNELS = (
    Kernel(
        "gemm_plain",
        gemm_plain,
        lambda t: t.of("gemm", 2),
        {**GEMM, "split": 1e-6, "tile_end": 1e-7},
        {**DEVICE, "sustained": 0.9},
        {},
    ),
    Kernel(
        "gemm_quantised",
        gemm_quantised,
        lambda t: t.of("gemm", 1),
        {**GEMM, **QUANTISE},
        {**DEVICE, "sustained": 0.9, "tile_end": 1e-6},
        NARROW,
    ),
    Kernel("decode_16_bit", decode(2.0), lambda t: t.of("decode", 2), DECODE, DECODE_DEVICE, FA2),
    Kernel("decode_8_bit", decode(1.0), lambda t: t.of("decode", 1), DECODE, DECODE_DEVICE, SPLITS),
    Kernel("prefill_16_bit", prefill(2.0), lambda t: t.of("prefill", 2), PREFILL, PREFILL_DEVICE, PACKS),
    Kernel("prefill_8_bit", prefill(1.0), lambda t: t.of("prefill", 1), PREFILL, PREFILL_DEVICE, PACKS8),
    Kernel("collective_fabric", library, lambda t: t.of("library", "fabric"), LINK, {"launch": 5e-6, "share": 0.8}, {}),
    Kernel("collective_pcie", library, lambda t: t.of("library", "pcie"), LINK, {"launch": 5e-6, "share": 0.6}, {}),
    Kernel(
        "all_reduce_kernel_fabric",
        one_kernel,
        lambda t: t.of("one_kernel", "fabric"),
        {"hop": 1e-7, "contention": 0.05, "barrier": 3e-6},
        {"launch": 4e-6, "share": 0.7},
        {},
    ),
    Kernel(
        "all_reduce_kernel_pcie",
        one_kernel,
        lambda t: t.of("one_kernel", "pcie"),
        {"hop": 1e-7, "contention": 0.05, "barrier": 3e-6},
        {"launch": 4e-6, "share": 0.7},
        {},
    ),
)


def inside(name: str, value: float) -> float:
    """A coefficient as the search's free number: logit of a share, log of what exceeds 1 of a power, else log."""
    if name in SHARES:
        return float(np.log(value / (1 - value)))
    return float(np.log(value - 1 if name in POWERS else value))


def outside(name: str, x: float) -> float:
    """The inverse of `inside`."""
    if name in SHARES:
        return float(1 / (1 + np.exp(-x)))
    return float(np.exp(x) + (1 if name in POWERS else 0))


def fit(kernel: Kernel, tables: Sequence[tuple[str, Chip, Table]], limit: int = 2000) -> dict[str, Any]:
    """The coefficients of `kernel`: shared ones and each device's, by robust least squares of log errors.

    Every device weighs alike; the priors hold what its rows do not tell.
    """
    ids = [id for id, _, _ in tables]
    names = [("", name) for name in kernel.shared] + [(id, name) for id in ids for name in kernel.devices]
    start = np.array([inside(name, (kernel.devices if id else kernel.shared)[name]) for id, name in names])
    drawn = [(id, chip, table.sample(limit)) for id, chip, table in tables]

    def unpack(x: np.ndarray, id: str) -> dict[str, float]:
        values = {name: outside(name, v) for (owner, name), v in zip(names, x, strict=True) if owner in ("", id)}
        return {**values, **kernel.choices.get(id, {})}

    def errors(x: np.ndarray) -> np.ndarray:
        parts = [
            (np.log(kernel.predict(chip, unpack(x, id), table)) - np.log(table["latency"])) * np.sqrt(1000 / len(table))
            for id, chip, table in drawn
        ]
        return np.concatenate([*parts, kernel.hold * (x - start)])

    found = least_squares(errors, start, loss="soft_l1", f_scale=0.15, max_nfev=40).x
    per_device = {id: {n: v for n, v in unpack(found, id).items() if n in kernel.devices or n in CHOICES} for id in ids}
    return {
        "shared": {n: outside(n, x) for (id, n), x in zip(names, found, strict=True) if not id},
        "devices": per_device,
    }


def rounded(value: Any) -> Any:
    """Numbers to four digits, so that the file is the same on every machine."""
    if isinstance(value, Mapping):
        return {key: rounded(part) for key, part in value.items()}
    return float(f"{value:.4g}") if isinstance(value, float) else value


def main(names: Sequence[str]) -> None:
    tables = read_folder(Path(os.environ["DOVETAIL_DATA"]) / "silicon" / "ops")
    chips = {id: chip_of(device) for id in tables if (device := find_device(id)) is not None}
    old = yaml.safe_load(FILE.read_text())["kernels"] if names and FILE.exists() else {}
    kernels = dict(old)
    for kernel in KERNELS:
        if names and kernel.name not in names:
            continue
        used = [(id, chips[id], part) for id, table in tables.items() if len(part := table.where(kernel.rows(table)))]
        kernels[kernel.name] = rounded(fit(kernel, used))
        for id, chip, part in used:
            c = {**kernels[kernel.name]["shared"], **kernels[kernel.name]["devices"][id]}
            off = np.abs(kernel.predict(chip, c, part) / part["latency"] - 1)
            print(f"{kernel.name} {id}: {len(part)} rows, mean error {off.mean():.3f}, median {np.median(off):.3f}")
    head = {
        "quality": "fitted",
        "source": "fit to latencies measured by ai-dynamo/aiconfigurator (commit 095f58a5), scripts/fit_operators.py",
        "date": "2026-11",
        "likeness": {id: rounded(list(likeness(chip))) for id, chip in chips.items()},
    }
    FILE.write_text(
        "# Written by scripts/fit_operators.py: times in s, shares of the data sheet's figures.\n"
        + yaml.safe_dump({**head, "kernels": kernels}, sort_keys=False)
    )


if __name__ == "__main__":
    main(sys.argv[1:])
