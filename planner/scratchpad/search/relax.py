"""Pieces with fewer operators, whose optimum bounds that of the whole from below, and whose prices serve it.

Take operators out, and keep the order that they impose on the others. A plan for all operators is, without the steps of
these, one for the rest: no tensor has to come in more often, and what leaves between its first and its last touch
pays as much, so the optimum of the rest is a bound (36). Downsets become far fewer: the operators to take out first are
those that are comparable with the fewest others (37).
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

from .ahead import list_downsets
from .split import Piece
from .stream import stream
from .tables import tables

MOST_OPERATORS = 1000
"""of pieces whose operators are ranked"""
FIRST_DOWNSETS = 4000
"""of the first piece that is passed over, about"""
STEP, STEP_GROWTH = 3, 3
"""operators that come back at a time, and how many times more downsets there are then, about"""


def ancestors_of(piece: Piece) -> list[int]:
    """By operator: all before it in every order, as bits."""
    before: list[int] = []
    for direct in piece.predecessors:
        bits = 0
        for p in direct:
            bits |= before[p] | 1 << p
        before.append(bits)
    return before


def loosest_first(piece: Piece) -> list[int]:
    """The operators, each time that which is comparable with the fewest of those that are left (37)."""
    n = len(piece.operators)
    ancestors = ancestors_of(piece)
    comparable = [[u for u in range(n) if ancestors[v] >> u & 1] for v in range(n)]
    for v in range(n):
        for u in list(comparable[v]):
            if u < v:
                comparable[u].append(v)
    loose = [n - 1 - len(known) for known in comparable]
    near = [set(known) for known in comparable]
    left, found = set(range(n)), []
    while left:
        v = max(left, key=lambda op: (loose[op], -op))
        left.remove(v)
        found.append(v)
        for u in left - near[v]:
            loose[u] -= 1
    return found


def rest(piece: Piece, kept: Sequence[int]) -> Piece:
    """The piece of these operators alone, by rising rank (36)."""
    ancestors = ancestors_of(piece)
    uses: dict[int, int] = {}
    for op in kept:
        for a in piece.touched[op]:
            uses[a] = uses.get(a, 0) + 1
    tensors = sorted(a for a, count in uses.items() if count > 1)
    at = {a: i for i, a in enumerate(tensors)}
    rank = {op: i for i, op in enumerate(kept)}
    return Piece(
        tuple(piece.operators[op] for op in kept),
        tuple(piece.tensors[a] for a in tensors),
        tuple(tuple(at[a] for a in piece.touched[op] if a in at) for op in kept),
        tuple(tuple(rank[p] for p in kept if ancestors[op] >> p & 1) for op in kept),
        tuple(piece.need[op] for op in kept),
        tuple(piece.size[a] for a in tensors),
        tuple(piece.reload[a] for a in tensors),
        tuple(piece.write[a] for a in tensors),
        piece.capacity,
    )


def streamed_bound(piece: Piece, upper: int, most_downsets: int, time_limit_s: float = math.inf) -> int:
    """What a pass over all downsets proves, at most `upper` bytes, of the piece with as few operators out as this many
    downsets, and the time, allow (36, 39)."""
    deadline = time.perf_counter() + time_limit_s
    taken = loosest_first(piece)
    low, high = 0, len(taken) - 1
    while low < high:
        out = (low + high) // 2
        listed = list_downsets(tables(rest(piece, sorted(taken[out:]))), min(FIRST_DOWNSETS, most_downsets))
        low, high = (out + 1, high) if listed is None else (low, out)
    best, least, out = 0, None, low
    while True:
        found = stream(rest(piece, sorted(taken[out:])), upper, least, most_downsets, deadline)
        if found is None:
            return best
        best, least = max(best, found.bound_bytes), found.least
        if out == 0 or best >= upper or STEP_GROWTH * found.downsets > most_downsets:
            return best
        out = max(0, out - STEP)
