"""
Blocks of kernels that read each element once: norms, softmax, reductions, rotary embedding, gating.

They run at the rate of memory if enough bytes are in flight: latency times bandwidth, over the multiprocessors
(Little's law). A thread holds 8 to 32 elements, a row stays in one piece while a block of 16 warps can hold it, and
short rows share a block as long as every multiprocessor still has one.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import ceil

from ...costmodel.hardware import Device
from .tiles import Gpu, nearest

LONGEST_ROW = 16384
"""elements of a row in registers: 16 warps with 32 elements a thread"""
TILE = 2048
"""elements of a block of short rows: 8 a thread of 8 warps, whole 16-byte loads of 16-bit elements"""


@dataclass(frozen=True)
class RowTiles:
    """A tile of rows by elements of them."""

    rows: int
    columns: int
    num_warps: int

    def options(self, rows: str, columns: str | None) -> dict[str, int]:
        """The keyword arguments of a wrapper that calls the sides so."""
        return {rows: self.rows, **({columns: self.columns} if columns else {}), "num_warps": self.num_warps}


def row_tiles(device: Device, rows: int, n: int) -> RowTiles:
    """For `rows` rows of n elements that lie together."""
    gpu = Gpu.of(device)
    columns = min(LONGEST_ROW, _power(n))
    together = max(1, TILE // columns)
    while together > 1 and ceil(rows / together) < 2 * gpu.multiprocessors:
        together //= 2
    return RowTiles(together, columns, _warps(gpu, together * columns))


def reduction_tiles(device: Device, kept: int, n: int, along_rows: bool) -> tuple[RowTiles, int]:
    """
    (tile, programs that share a reduction) for `kept` results of n elements.

    `along_rows` says that what is reduced lies together in memory; else what is kept does, and the tile is wide there.
    """
    gpu = Gpu.of(device)
    columns = min(_power(n), TILE if along_rows else max(1, TILE // min(64, _power(kept))))
    rows = min(_power(kept), max(1, TILE // columns))
    if along_rows:
        while rows > 1 and ceil(kept / rows) < 2 * gpu.multiprocessors:
            rows //= 2
    splits = min(ceil(2 * gpu.multiprocessors / ceil(max(1, kept) / rows)), ceil(n / (4 * columns)) or 1)
    return RowTiles(rows, columns, _warps(gpu, rows * columns)), max(1, splits)


def ranked_row_tiles(device: Device, first: RowTiles) -> list[RowTiles]:
    """`first`, then those of half and twice its rows and warps, the nearest first; rows stay in one piece."""
    rows = (first.rows // 2, first.rows, first.rows * 2)
    warps = (first.num_warps // 2, first.num_warps, first.num_warps * 2)
    most = _most_warps(Gpu.of(device))
    found = [RowTiles(r, first.columns, w) for r, w in product(rows, warps) if r and 1 <= w <= most]
    return nearest(first, [tiles for tiles in found if tiles.rows * tiles.columns <= LONGEST_ROW])


def _most_warps(gpu: Gpu) -> int:
    """Of a block: 512 threads."""
    return 16 if gpu.warp == 32 else 8


def _warps(gpu: Gpu, elements: int) -> int:
    """Warps of which a thread holds 8 elements, and 32 of the largest tiles."""
    return min(_most_warps(gpu), max(1, elements // (8 * gpu.warp)))


def _power(size: int) -> int:
    return 1 << max(0, size - 1).bit_length()
