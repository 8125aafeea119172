"""The kernels whose coefficients are fitted together: their rows, their model, and where the search starts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from ..operators import attention, collectives, gemm
from ..operators.chip import Chip
from .tables import Table

PREDICT = Callable[[Chip, Mapping[str, float], Table], np.ndarray]


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
    firm: float = 100.0
    """weight of the priors of `FIRM`"""
    pull: float = 1.0
    """weight of the distance of a device's coefficient from the mean of the devices"""


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


def eager(chip: Chip, c: Mapping[str, float], t: Table) -> np.ndarray:
    return np.full(len(t), c["host"])


MEMORY = {"cache_share": 0.8, "cache_steepness": 8.0, "cache_bytes_per_clock": 12.0}
GEMM = {
    "cache_steepness": 8.0,
    "cache_bytes_per_clock": 64.0,
    "draw": 50e9,
    "copies": 5.0,
    "tail": 0.8,
    "pipelining": 2.0,
    "overlap": 3.0,
    "block": 1e-6,
}
DEVICE = {
    "cache_share": 0.8,
    "step": 1e-7,
    "launch_clocks": 4e3,
    "compute_share": 0.9,
    "bandwidth_share": 0.85,
    "flops_per_watt": 1.1e12,
}
QUANTISE = {"row": 1e-6, "second_launch_clocks": 4e3, "traffic": 2.5}
DECODE = {**MEMORY, "draw": 30e9, "overlap": 1.5, "chunk": 128.0, "most_parts": 40.0}
DECODE_DEVICE = {"launch_clocks": 15e3, "bandwidth_share": 0.85, "block": 4e-6, "combine": 2e-6, "step": 1e-6}
PREFILL = {**MEMORY, "overlap": 1.5, "written": 2.0, "draw": 50e9}
PREFILL_DEVICE = {
    "cache_share": 0.8,
    "step": 1e-7,
    "launch_clocks": 15e3,
    "bandwidth_share": 0.85,
    "compute_share": 0.6,
    "block": 1e-6,
    "traffic": 1.5,
    "alone": 0.8,
}
LINK = {"hop": 1e-6, "contention": 0.05, "low_share": 0.3, "bulk_start": 1e-5}
FA2 = {"a100-sxm": {"splits_plain_heads": 0}, "h100-sxm": {"splits_plain_heads": 1}, "l40s": {"splits_plain_heads": 0}}
FIRM = frozenset({"cache_share", "cache_steepness", "cache_bytes_per_clock", "copies"})
"""what few devices cannot tell, but the hardware does: a cache holds about what it says"""
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
        DEVICE,
        {},
    ),
    Kernel(
        "gemm_quantised",
        gemm_quantised,
        lambda t: t.of("gemm", 1),
        {**GEMM, **QUANTISE},
        {**DEVICE, "tile_end": 1e-6},
        NARROW,
    ),
    Kernel("decode_16_bit", decode(2.0), lambda t: t.of("decode", 2), DECODE, DECODE_DEVICE, FA2),
    Kernel("decode_8_bit", decode(1.0), lambda t: t.of("decode", 1), DECODE, DECODE_DEVICE, SPLITS),
    Kernel("prefill_16_bit", prefill(2.0), lambda t: t.of("prefill", 2), PREFILL, PREFILL_DEVICE, PACKS, firm=8.0),
    Kernel("prefill_8_bit", prefill(1.0), lambda t: t.of("prefill", 1), PREFILL, PREFILL_DEVICE, PACKS8, firm=8.0),
    Kernel(
        "collective_fabric",
        library,
        lambda t: t.of("library", "fabric"),
        LINK,
        {"launch_clocks": 10e3, "share": 0.8},
        {},
    ),
    Kernel(
        "collective_pcie", library, lambda t: t.of("library", "pcie"), LINK, {"launch_clocks": 10e3, "share": 0.6}, {}
    ),
    Kernel("all_reduce_eager", eager, lambda t: t.text["kind"] == "eager", {}, {"host": 40e-6}, {}),
    Kernel(
        "all_reduce_kernel_fabric",
        one_kernel,
        lambda t: t.of("one_kernel", "fabric"),
        {"hop": 1e-7, "contention": 0.05, "barrier": 3e-6},
        {"launch_clocks": 7.5e3, "share": 0.7},
        {},
    ),
    Kernel(
        "all_reduce_kernel_pcie",
        one_kernel,
        lambda t: t.of("one_kernel", "pcie"),
        {"hop": 1e-7, "contention": 0.05, "barrier": 3e-6},
        {"launch_clocks": 7.5e3, "share": 0.7},
        {},
    ),
)
