"""A piece as arrays, for the compiled engines; bit sets are rows of 64-bit words."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .split import Piece

Words = NDArray[np.uint64]
Ints = NDArray[np.signedinteger[Any]]


class Tables(NamedTuple):
    """A piece for compiled code: n operators, m tensors."""

    capacity: int
    need: Ints
    size: Ints
    reload: Ints
    write: Ints
    touch_start: Ints
    """operator v touches `touch[touch_start[v] : touch_start[v + 1]]`"""
    touch: Ints
    use_start: Ints
    """tensor a is used by `use[use_start[a] : use_start[a + 1]]`"""
    use: Ints
    before: Words
    """by operator: its direct predecessors, as a bit set of operators"""
    ancestors: Words
    """by operator: itself and all before it in every order"""


def tables(piece: Piece) -> Tables:
    """The arrays of a piece."""
    n = len(piece.operators)
    before, ancestors = np.zeros((n, words(n)), np.uint64), np.zeros((n, words(n)), np.uint64)
    for op, parents in enumerate(piece.predecessors):
        ancestors[op, op >> 6] |= np.uint64(1 << (op & 63))
        for p in parents:
            before[op, p >> 6] |= np.uint64(1 << (p & 63))
            ancestors[op] |= ancestors[p]
    touch_start, touch = _rows(piece.touched)
    use_start, use = _rows(piece.uses)
    return Tables(
        piece.capacity,
        np.array(piece.need, np.int64),
        np.array(piece.size, np.int64),
        np.array(piece.reload, np.int64),
        np.array(piece.write, np.int64),
        touch_start,
        touch,
        use_start,
        use,
        before,
        ancestors,
    )


def words(bits: int) -> int:
    """64-bit words of a set of `bits`; never none."""
    return max(1, (bits + 63) // 64)


def _rows(lists: tuple[tuple[int, ...], ...]) -> tuple[Ints, Ints]:
    start = np.zeros(len(lists) + 1, np.int64)
    start[1:] = np.cumsum([len(row) for row in lists], dtype=np.int64)
    return start, np.array([item for row in lists for item in row], np.int64)
