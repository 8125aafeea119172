"""Time to move bytes: cache residency and the share of bandwidth that few multiprocessors can draw.

Equations are numbered as in `docs/math/operators.md`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .chip import Chip
from .coefficients import Values

Array = NDArray[np.float64]
_BLOCKS_PER_CORE = 4
"""that a multiprocessor holds at once"""


def resident(chip: Chip, c: Values, working_set: ArrayLike) -> Array:
    """Share of repeated reads that the cache serves, of a working set [bytes]. Equation (1).

    1 / (1 + (set / (cache x share))^steepness)
    """
    fill = np.asarray(working_set, float) / (chip.cache_bytes * c["cache_share"])
    return 1 / (1 + np.minimum(fill, 1e6) ** c["cache_steepness"])


def move_s(chip: Chip, c: Values, size: ArrayLike, hit: ArrayLike, active: ArrayLike) -> Array:
    """[s] to move `size` bytes of which the share `hit` lies in cache, drawn by `active` blocks. Equation (2).

    (1 - hit) size / min(share x bandwidth, active x draw) + hit size / (cores x clock x bytes per clock)

    `active` counts blocks; the draw of one is what it keeps in flight over the memory's latency (Little's law).
    """
    cores = chip.multiprocessors
    draw = np.minimum(_BLOCKS_PER_CORE * cores, np.asarray(active, float)) * c["draw"]
    outside = np.minimum(chip.bandwidth_bytes_per_s * c["bandwidth_share"], draw)
    inside = np.minimum(cores, np.asarray(active, float)) * chip.clock_hz * c["cache_bytes_per_clock"]
    size = np.asarray(size, float)
    return size * ((1 - np.asarray(hit)) / outside + np.asarray(hit) / inside)


def powered(chip: Chip, c: Values, peak: float) -> float:
    """Share of `peak` that the power limit leaves; 1 where the device states no power. Equation (4).

    x / (1 + x^4)^(1/4) with x = watts x flops_per_watt x (FLOP a clock and core / 2048)^(2/3) / peak

    `peak` is the rate [FLOP/s] of 16-bit products, or of others what it comes to at as many bytes. A wider matrix
    instruction fetches each operand for more products, and so spends less energy on each.
    """
    if not chip.tdp_w:
        return 1.0
    width = peak / chip.multiprocessors / chip.clock_hz
    margin = min(1e3, chip.tdp_w * c["flops_per_watt"] * (width / 2048) ** (2 / 3) / peak)  # all of the peak beyond
    return margin / (1 + margin**4) ** 0.25


def either_s(first: Array, second: Array, overlap: float) -> Array:
    """[s] of two that overlap: (a^p + b^p)^(1/p), the greater of them as p grows, their sum at p = 1. Equation (3)."""
    top = np.maximum(np.maximum(first, second), 1e-30)
    return top * ((first / top) ** overlap + (second / top) ** overlap) ** (1 / overlap)
