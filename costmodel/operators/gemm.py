"""Latency of one GEMM, (m, k) x (k, n) -> (m, n): tiles in waves over multiprocessors against the bytes they draw.

Equations are numbered as in `docs/math/operators.md`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..hardware import Device
from ..roofline import compute_dtype
from .chip import Chip, chip_of
from .coefficients import Values, coefficients
from .memory import Array, either_s, move_s, powered, resident

TILES = ((16.0, 64.0), (64.0, 64.0), (128.0, 64.0), (64.0, 128.0), (128.0, 128.0), (128.0, 256.0), (256.0, 128.0))
"""rows x columns of the output that one block of a 16-bit kernel makes; the library takes the fastest"""
SPLITS = (1, 2, 4, 8, 16)
"""parts of k that blocks of one tile may share"""
STORED_BYTES = {"fp32": 4.0, "bf16": 2.0, "fp16": 2.0, "fp8": 1.0, "int8": 1.0, "fp4": 0.5, "int4": 0.5}
"""of one weight; a group's scales add a few per cent, which are left out"""
_CHOICES = np.array([(rows, columns, split) for rows, columns in TILES for split in SPLITS])
_ELEMENTS_AT_ONCE = 100_000
"""of the arrays that are worked on: small shapes take all choices in one go, large ones stay in the cache"""
_STEP = 64
"""depth of k in one step of a block's loop"""


def gemm_s(device: Device, dtype: str, m: ArrayLike, n: ArrayLike, k: ArrayLike, warm: bool = False) -> Array:
    """[s] of (m, k) x (k, n) with weights and inputs in `dtype` (a key of `STORED_BYTES`); arrays broadcast.

    `warm` says that the same product is repeated, as a benchmark does, so that small weights stay in the cache; in a
    model each layer's weights come from memory. Where the device cannot compute in `dtype`, weights stay stored in it
    and the arithmetic takes the next (`roofline.compute_dtype`). ValueError where there is none.
    """
    chip = chip_of(device)
    computed = compute_dtype(device, dtype)
    stored = STORED_BYTES[dtype]
    shape = (np.asarray(m, float), np.asarray(n, float), np.asarray(k, float))
    if STORED_BYTES[computed] < 2:
        return quantised_s(chip, coefficients("gemm_quantised", chip), chip.flops_per_s[computed], stored, *shape, warm)
    return plain_s(chip, coefficients("gemm_plain", chip), chip.flops_per_s[computed], stored, *shape, warm)


def plain_s(chip: Chip, c: Values, peak: float, stored: float, m: Array, n: Array, k: Array, warm: bool) -> Array:
    """[s] by the fastest tile and split of k, and the launch. Equation (7)."""
    hit = _hits(chip, c, m, n, k, stored, 2.0, warm)
    shape = np.broadcast(m, n, k)
    at_once = max(1, _ELEMENTS_AT_ONCE // max(1, shape.size))
    best = np.full(shape.shape, np.inf)
    for first in range(0, len(_CHOICES), at_once):
        tile = tuple(column.reshape(-1, *[1] * shape.ndim) for column in _CHOICES[first : first + at_once].T)
        best = np.minimum(best, _tiled_s(chip, c, peak, (m, n, k), tile, (stored, 2.0), hit).min(axis=0))
    return best + c["launch_clocks"] / chip.clock_hz


def quantised_s(chip: Chip, c: Values, peak: float, stored: float, m: Array, n: Array, k: Array, warm: bool) -> Array:
    """[s] of a product of 8-bit or 4-bit operands whose 16-bit inputs are quantised first. Equation (8)."""
    hit = _hits(chip, c, m, n, k, stored, stored, warm)
    rows = np.where(m <= 16, 16.0, np.where(m <= c["narrow_rows"], 64.0, 128.0))
    columns = np.where(m <= 64, 64.0, 128.0)
    product = _tiled_s(chip, c, peak, (m, n, k), (rows, columns, np.array(1.0)), (stored, stored), hit)
    return c["launch_clocks"] / chip.clock_hz + product + quantise_s(chip, c, m, k)


def quantising_s(device: Device, dtype: str, m: ArrayLike, k: ArrayLike) -> Array:
    """[s] of `gemm_s` in which (m, k) inputs are brought to 8 bits, which engines do in the kernel before; else 0."""
    shape = np.asarray(m, float), np.asarray(k, float)
    if STORED_BYTES[compute_dtype(device, dtype)] >= 2:
        return np.zeros_like(shape[0] * shape[1])
    chip = chip_of(device)
    return quantise_s(chip, coefficients("gemm_quantised", chip), *shape)


def quantise_s(chip: Chip, c: Values, m: Array, k: Array) -> Array:
    """[s] to bring (m, k) 16-bit inputs to 8 bits, a block for each row. Equation (9).

    launch + max(m / cores, 1) row + traffic m k / bandwidth
    """
    blocks = np.maximum(m / chip.multiprocessors, 1) * c["row"]
    return c["second_launch_clocks"] / chip.clock_hz + blocks + c["traffic"] * m * k / chip.bandwidth_bytes_per_s


def _hits(
    chip: Chip, c: Values, m: Array, n: Array, k: Array, stored: float, fed: float, warm: bool
) -> tuple[Array, Array]:
    """Shares of the weights and of the activations that the cache serves. Equation (6)."""
    activations = fed * m * k + 2 * m * n
    if warm:
        hit = resident(chip, c, c["copies"] * stored * n * k + activations)
        return hit, hit
    return np.zeros_like(n * k), resident(chip, c, activations)


def _tiled_s(
    chip: Chip,
    c: Values,
    peak: float,
    shape: tuple[Array, Array, Array],
    tile: tuple[Array, ...],
    width: tuple[float, float],
    hits: tuple[Array, Array],
) -> Array:
    """[s] of the product with one tile: its waves of blocks and its bytes overlap. Equation (5)."""
    (m, n, k), (rows, columns, split), (stored, fed) = shape, tile, width
    cores = chip.multiprocessors
    blocks = np.ceil(m / rows) * np.ceil(n / columns) * split
    waves = np.maximum(1.0, blocks / cores + c["tail"] * (np.ceil(blocks / cores) - blocks / cores))
    depth = np.maximum(np.ceil(k / split / _STEP), 1) * _STEP
    sustained = peak * c["compute_share"] * powered(chip, c, peak * fed / 2)  # the 16-bit rate of as many bytes
    multiply = 2 * rows * columns * depth * cores / sustained
    load = (rows * fed + columns * stored) * depth / (chip.clock_hz * c["cache_bytes_per_clock"])
    loop = waves * np.maximum(either_s(multiply, load, c["pipelining"]), depth / _STEP * c["step"])
    readers = np.ceil(n / columns) * split  # blocks of other rows find the same weights in the cache
    moved = move_s(chip, c, stored * n * k, hits[0], readers) + move_s(
        chip, c, fed * m * k + 2 * m * n, hits[1], blocks
    )
    summed = split * m * n * 8 / (cores * chip.clock_hz * c["cache_bytes_per_clock"]) + c.get("split", 0.0)
    moved = moved + (split > 1) * summed
    edge = waves * (c["block"] + c["tile_end"] * np.sqrt(rows * columns / 16384))
    return either_s(loop, moved, c["overlap"]) + edge
