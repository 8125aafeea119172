"""The best tiling of one operator: tile sizes, order of loops, and operands that lie whole in the scratchpad.

What an order does to traffic depends on which loops are innermost: where they are loops that operand X does not depend
on, X stays. So the orders worth trying are those whose innermost loops are all that a set of operands does not depend
on, then all that a smaller set does not, and so on; and, for windows, which of their loops stands innermost among its
like. For an order, a loop whose cut costs nothing is left whole or cut to single iterations; of the others all sizes
ceil(extent / j) are tried. Tests hold this against all orders and all sizes on small operators.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import combinations

import numpy as np

from .bounds import bound_bytes
from .nest import Nest, Operand, Window
from .traffic import Grid, Ints, held_bytes, moved_bytes, one_tiling

MOST_POINTS = 300_000
"""Tile sizes of one order judged at a time; where there are more, loops of many sizes are thinned evenly."""


@dataclass(frozen=True)
class Tiling:
    """How an operator runs in tiles."""

    nest: Nest
    """without the operands that lie whole in the scratchpad"""
    order: tuple[str, ...]
    """loops that are cut, outermost first"""
    tiles: tuple[tuple[str, int], ...]
    """iterations of each loop in a tile"""
    whole: tuple[str, ...]
    """tensors that lie whole in the scratchpad while it runs"""
    workspace_bytes: int
    """room of the tiles"""
    resident_bytes: int
    """room of the tiles and of the whole tensors"""
    moved: tuple[tuple[str, int], ...]
    """bytes in and out of the tiles, by operand; a whole tensor moves once, and that is not among them"""
    traffic_bytes: int
    """all bytes in and out, those of the whole tensors included"""
    bound_bytes: int
    """no way to run the operator on the bytes that were free moves less"""
    thinned: bool = False
    """whether tile sizes were left out to save time, so that a better tiling may exist"""


@dataclass(frozen=True)
class Point:
    """One choice of order and tile sizes."""

    order: tuple[str, ...]
    tiles: tuple[tuple[str, int], ...]
    held: int
    moved: int
    thinned: bool


def tile(nest: Nest, free_bytes: int, alignment: int = 1) -> Tiling | None:
    """
    The tiling that moves the fewest bytes in `free_bytes` of scratchpad, from an empty scratchpad to an empty one;
    None where not even single iterations fit.
    """
    best: Tiling | None = None
    for whole in whole_sets(nest):
        found = tile_with(nest, whole, [free_bytes - room_of(nest, whole, alignment)], alignment)
        for one in found:
            key = (one.traffic_bytes, one.resident_bytes)
            if best is None or key < (best.traffic_bytes, best.resident_bytes):
                best = one
    return best


def least_bytes(nest: Nest, alignment: int = 1) -> int:
    """The smallest scratchpad on which the operator runs in tiles of single iterations."""
    sizes = {loop: extent if loop in nest.whole else 1 for loop, extent in nest.loops}
    grid = one_tiling(nest, tuple(nest.extent), sizes)
    return sum(held_bytes(grid, operand, alignment).item() for operand in nest.operands)


def room_of(nest: Nest, tensors: Iterable[str], alignment: int = 1) -> int:
    """Bytes that `tensors` take whole, each once."""
    sizes = {o.tensor: -(-nest.whole_bytes(o) // alignment) * alignment for o in nest.tensors}
    return sum(sizes[t] for t in tensors)


def whole_sets(nest: Nest) -> Iterator[tuple[str, ...]]:
    """The sets of tensors that may lie whole in the scratchpad: not an output whose partial sums are wider than it."""
    able = [o.tensor for o in nest.tensors if o.role == "input" or o.held_bytes == o.element_bytes]
    able = list(dict.fromkeys(able))
    for count in range(len(able) + 1):
        yield from combinations(able, count)


def tile_with(nest: Nest, whole: Sequence[str], budgets: Sequence[int], alignment: int = 1) -> list[Tiling]:
    """For each budget [bytes for tiles] that suffices: the best tiling with the tensors `whole` in the scratchpad."""
    inner = nest.without(whole)
    points = best_points(_unnamed(inner), tuple(budgets), alignment)
    room = room_of(nest, whole, alignment)
    once = sum(nest.whole_bytes(o) for o in {o.tensor: o for o in nest.tensors if o.tensor in whole}.values())
    bound = bound_bytes(nest, max(budgets) + room)
    found: list[Tiling] = []
    for point in dict.fromkeys(p for p in points if p is not None):
        one = Tiling(
            nest=inner,
            order=_cut(inner, point.tiles),
            tiles=point.tiles,
            whole=tuple(whole),
            workspace_bytes=point.held,
            resident_bytes=room + point.held,
            moved=_moved(inner, point.tiles),
            traffic_bytes=point.moved + once,
            bound_bytes=bound,
            thinned=point.thinned,
        )
        found.append(one)
    return found


def _unnamed(nest: Nest) -> Nest:
    """The nest with tensors named by their place: operators that differ in names alone are judged once."""
    named = (replace(o, tensor=str(i)) for i, o in enumerate(nest.operands))
    return replace(nest, operands=tuple(named))


def _cut(nest: Nest, tiles: Sequence[tuple[str, int]]) -> tuple[str, ...]:
    return tuple(loop for loop, size in tiles if size < nest.extent[loop])


def _moved(nest: Nest, tiles: Sequence[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    """Bytes in and out of the tiles, by tensor."""
    grid = one_tiling(nest, [loop for loop, _ in tiles], dict(tiles))
    moved: dict[str, int] = {}
    for operand in nest.operands:
        moved[operand.tensor] = moved.get(operand.tensor, 0) + moved_bytes(grid, operand).item()
    return tuple(moved.items())


def coarsen(tiling: Tiling, budget: int, alignment: int = 1) -> Tiling:
    """The tiling with larger, fewer tiles that move no more, in `budget` bytes: loop by loop, innermost first, the
    largest size that does."""
    nest, tiles = tiling.nest, dict(tiling.tiles)
    order = tuple(loop for loop, _ in tiling.tiles)
    traffic = sum(bytes for _, bytes in tiling.moved)
    for loop in reversed(order):
        sizes = {other: np.array([size], dtype=np.int64) for other, size in tiles.items()}
        sizes[loop] = np.array([s for s in balanced(nest.extent[loop]) if s >= tiles[loop]], dtype=np.int64)
        grid = Grid(nest, order, sizes)
        held, moved = _totals(grid, alignment)
        able = (held <= budget) & (moved <= traffic)
        tiles[loop] = int(sizes[loop][able.ravel()].max(initial=tiles[loop]))
    grown = tuple(tiles.items())
    workspace = int(_totals(one_tiling(nest, order, tiles), alignment)[0].item())
    changed = _moved(nest, grown)
    return replace(
        tiling,
        order=_cut(nest, grown),
        tiles=grown,
        workspace_bytes=workspace,
        resident_bytes=tiling.resident_bytes - tiling.workspace_bytes + workspace,
        moved=changed,
        traffic_bytes=tiling.traffic_bytes - traffic + sum(bytes for _, bytes in changed),
    )


def _totals(grid: Grid, alignment: int) -> tuple[Ints, Ints]:
    """Bytes held and bytes moved, over the whole grid."""
    nothing: Ints = np.zeros([1] * len(grid.order), dtype=np.int64)
    held = sum((held_bytes(grid, o, alignment) for o in grid.nest.operands), nothing)
    moved = sum((moved_bytes(grid, o) for o in grid.nest.operands), nothing)
    held, moved = np.broadcast_arrays(held, moved)
    return held, moved


@lru_cache(maxsize=1000)
def best_points(nest: Nest, budgets: tuple[int, ...], alignment: int) -> tuple[Point | None, ...]:
    """For each budget, the choice that moves least, of those the one that holds least; None where none fits."""
    best: list[Point | None] = [None] * len(budgets)
    if not nest.operands:
        return tuple(Point((), (), 0, 0, False) if budget >= 0 else None for budget in budgets)
    for order in orders(nest):
        grid, thinned = candidates(nest, order)
        held, moved = _totals(grid, alignment)
        for index, budget in enumerate(budgets):
            point = _least(grid, held, moved, budget, thinned)
            if point is not None and (best[index] is None or _key(point) < _key(best[index])):
                best[index] = point
    return tuple(best)


def _key(point: Point | None) -> tuple[int, int]:
    assert point is not None
    return point.moved, point.held


def _least(grid: Grid, held: Ints, moved: Ints, budget: int, thinned: bool) -> Point | None:
    fits = held <= budget
    if not fits.any():
        return None
    least = moved[fits].min()
    ties = fits & (moved == least)
    at = np.unravel_index(np.where(ties, held, np.iinfo(np.int64).max).argmin(), held.shape)
    tiles = tuple((loop, int(grid.sizes[loop][i])) for loop, i in zip(grid.order, at, strict=True))
    return Point(grid.order, tiles, int(held[at]), int(least), thinned)


def orders(nest: Nest) -> tuple[tuple[str, ...], ...]:
    """The orders of loops worth trying, outermost first."""
    loops = tuple(nest.extent)
    stays = {frozenset(loops) - o.loops for o in nest.operands if o.role != "scratch"}
    family = set(stays)
    while more := {a & b for a in family for b in family} - family:
        family |= more
    family.discard(frozenset())
    slides = [a.outer for o in nest.operands for a in o.axes if isinstance(a, Window)] or [""]
    found: dict[tuple[str, ...], None] = {}
    for chain in _chains(frozenset(), family):
        for last in slides:
            order: list[str] = []
            for block in (*chain, frozenset(loops)):
                new = [loop for loop in loops if loop in block and loop not in order]
                order = sorted(new, key=lambda loop: loop == last) + order
            found[tuple(order)] = None
    return tuple(found)


def _chains(below: frozenset[str], family: set[frozenset[str]]) -> Iterator[tuple[frozenset[str], ...]]:
    """The chains of sets, each in the next, that cannot be refined."""
    above = [s for s in family if below < s]
    nearest = [s for s in above if not any(t < s for t in above)]
    if not nearest:
        yield ()
    for step in nearest:
        for rest in _chains(step, family):
            yield (step, *rest)


def candidates(nest: Nest, order: tuple[str, ...]) -> tuple[Grid, bool]:
    """The tile sizes to try for an order, and whether some were left out."""
    sizes: dict[str, list[int]] = {}
    windows = {
        loop for o in nest.operands for a in o.axes if isinstance(a, Window) for loop in (a.outer, a.inner)
    }  # fmt: skip
    for place, loop in enumerate(order):
        extent = nest.extent[loop]
        if loop in nest.whole or extent == 1:
            sizes[loop] = [extent]
        elif loop not in windows and not any(_costs(o, loop, order[place + 1 :]) for o in nest.operands):
            sizes[loop] = [1, extent]
        else:
            sizes[loop] = balanced(extent)
    thinned = False
    while np.prod([float(len(s)) for s in sizes.values()]) > MOST_POINTS:
        most = max(sizes, key=lambda loop: len(sizes[loop]))
        sizes[most] = sizes[most][:1] + sizes[most][1:-1][::2] + sizes[most][-1:]
        thinned = True
    return Grid(nest, order, {loop: np.array(s, dtype=np.int64) for loop, s in sizes.items()}), thinned


def _costs(operand: Operand, loop: str, inside: Sequence[str]) -> bool:
    """Whether cutting `loop` may move the operand more often."""
    return operand.role != "scratch" and loop not in operand.loops and any(other in operand.loops for other in inside)


def balanced(extent: int) -> list[int]:
    """The sizes ceil(extent / j): of all sizes with as many chunks, the smallest."""
    found = [extent]
    while found[-1] > 1:
        fewest = -(-extent // (found[-1] - 1))  # chunks that a smaller size needs
        found.append(-(-extent // fewest))
    return found[::-1]
