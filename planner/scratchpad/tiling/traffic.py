"""What a tiled loop nest holds and moves, for a grid of tile sizes at once.

The nest is cut into tiles, one for each choice of a chunk of every loop, and runs tile by tile in the given order of
loops. Each operand has room for one tile. A tile is loaded when it differs from the one that lies there; of a window
that moves on along its innermost loop, only what is new is loaded. A tile of the output is written when it is left,
and read back when it is come back to.

(60) moved(X) = sweep(X) * product of trips(l) over the loops l that X does not depend on and that lie outside the
     innermost loop that X does depend on and that is cut. sweep is the sum of X's tiles, the new parts alone where a
     window moves on, and the whole is never less than X, because the compulsory traffic counts X whole.
(61) moved(O) = O + 2 * partial(O) * (passes - 1), passes being that same product: every pass but the last writes
     partial sums, every pass but the first reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from .nest import Axis, Nest, Operand, Window

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Grid:
    """Tile sizes to be judged together: each loop's candidates along an array axis of its own."""

    nest: Nest
    order: tuple[str, ...]
    """outermost first"""
    sizes: Mapping[str, Ints]
    """candidates of each loop, in one dimension"""

    def along(self, loop: str, values: Ints) -> Ints:
        """`values`, one for each candidate of `loop`, on that loop's axis."""
        shape = [1] * len(self.order)
        shape[self.order.index(loop)] = len(values)
        return values.reshape(shape)

    def tile(self, loop: str) -> Ints:
        return self.along(loop, self.sizes[loop])

    def trips(self, loop: str) -> Ints:
        return self.along(loop, -(-self.nest.extent[loop] // self.sizes[loop]))

    def table(self, window: Window, value: Callable[[Window, int, int, int, int], int]) -> Ints:
        """`value` of a window, the extents of its two loops and their sizes, for all candidates of these."""
        outer, inner = window.outer, window.inner
        extents = self.nest.extent[outer], self.nest.extent[inner]
        rows = [[value(window, *extents, int(o), int(i)) for i in self.sizes[inner]] for o in self.sizes[outer]]
        found = np.array(rows, dtype=np.int64)
        shape = [1] * len(self.order)
        shape[self.order.index(outer)], shape[self.order.index(inner)] = found.shape
        swap = self.order.index(outer) > self.order.index(inner)
        return (found.T if swap else found).reshape(shape)


def chunks(extent: int, size: int) -> list[tuple[int, int]]:
    """First and last index of each chunk of a loop."""
    return [(start, min(start + size, extent) - 1) for start in range(0, extent, size)]


def reach(window: Window, outer: tuple[int, int], inner: tuple[int, int]) -> tuple[int, int]:
    """First index of the axis that a tile needs, and the one past the last."""
    first = outer[0] * window.stride + inner[0] * window.dilation - window.pad
    last = outer[1] * window.stride + inner[1] * window.dilation - window.pad
    start = max(0, min(first, window.size))
    return start, max(start, min(last + 1, window.size))


@lru_cache(maxsize=100_000)
def swept(window: Window, outer_extent: int, inner_extent: int, outer: int, inner: int) -> int:
    """Elements of the axis loaded in one sweep, tile by tile."""
    parts = product(chunks(outer_extent, outer), chunks(inner_extent, inner))
    return sum(end - start for start, end in (reach(window, *part) for part in parts))


@lru_cache(maxsize=100_000)
def slid(window: Window, outer_extent: int, inner_extent: int, outer: int, inner: int) -> int:
    """The same without what the tile before left there, its inner loop being whole."""
    total, done = 0, 0
    for places in chunks(outer_extent, outer):
        start, end = reach(window, places, (0, inner_extent - 1))
        total, done = total + max(0, end - max(start, done)), max(done, end)
    return total


@lru_cache(maxsize=100_000)
def widest(window: Window, outer_extent: int, inner_extent: int, outer: int, inner: int) -> int:
    """Elements of the axis in the largest tile."""
    parts = product(chunks(outer_extent, outer), chunks(inner_extent, inner))
    return max(end - start for start, end in (reach(window, *part) for part in parts))


def held_bytes(grid: Grid, operand: Operand, alignment: int = 1) -> Ints:
    """Bytes of one tile of an operand, rounded up to the alignment."""
    count: Ints = np.ones([1] * len(grid.order), dtype=np.int64)
    for axis in operand.axes:
        count = count * (grid.tile(axis) if isinstance(axis, str) else grid.table(axis, widest))
    return -(-count * operand.held_bytes // alignment) * alignment


def moved_bytes(grid: Grid, operand: Operand) -> Ints:
    """Bytes of an operand that cross the border while the nest runs, by equations (60) and (61)."""
    one: Ints = np.ones([1] * len(grid.order), dtype=np.int64)
    if operand.role == "scratch":
        return one * 0
    cut = one == 0
    passes, slides = one, {}
    for loop in reversed(grid.order):
        trips = grid.trips(loop)
        if loop in operand.loops:
            slides[loop] = ~cut & (trips > 1)
            cut = cut | (trips > 1)
        else:
            passes = passes * np.where(cut, trips, 1)
    whole = grid.nest.whole_bytes(operand)
    if operand.role == "output":
        return whole + 2 * (whole // operand.element_bytes * operand.held_bytes) * (passes - 1)
    if operand.role == "state":
        return 2 * whole * (passes - 1)
    sweep = one * operand.element_bytes
    for axis in operand.axes:
        sweep = sweep * _axis_sweep(grid, axis, slides)
    return np.maximum(sweep * passes, whole)


def _axis_sweep(grid: Grid, axis: Axis, slides: Mapping[str, NDArray[np.bool_]]) -> Ints | int:
    if isinstance(axis, str):
        return grid.nest.extent[axis]
    moves_on = slides[axis.outer] & (grid.trips(axis.inner) == 1)
    return np.where(moves_on, grid.table(axis, slid), grid.table(axis, swept))


def one_tiling(nest: Nest, order: Sequence[str], tiles: Mapping[str, int]) -> Grid:
    """The grid of a single choice of tile sizes."""
    return Grid(nest, tuple(order), {loop: np.array([tiles[loop]], dtype=np.int64) for loop in order})
