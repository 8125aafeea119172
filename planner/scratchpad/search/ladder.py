"""Prices of a piece by way of the same piece with fewer operators: where one rung ends the next starts."""

from __future__ import annotations

from .ahead import Ahead, list_downsets
from .prices import Prices
from .relax import MOST_OPERATORS, loosest_first, rest
from .split import Piece
from .tables import Ints, Words, tables

FIRST_RUNG, GROWTH = 2000, 2
"""downsets of the first rung, about, and how many times more the next has"""


class Ladder:
    """Rungs of a piece in one direction: `prices` are those of the present one, bounds for the whole piece."""

    def __init__(self, piece: Piece, table: Ahead, most_downsets: int, first_downsets: int = FIRST_RUNG) -> None:
        self.piece = piece
        self._whole = (table.done, table.slots) if table.rows > 0 else None
        self._most = most_downsets
        n = len(piece.operators)
        self._taken = loosest_first(piece) if n <= MOST_OPERATORS else []
        self._out = n
        """operators taken out on this rung"""
        self._kept: list[int] = []
        self._rung = piece
        self.bound_bytes = 0
        self.prices: Prices
        self._step_up(first_downsets)

    @property
    def is_whole(self) -> bool:
        """Whether no operator is out."""
        return self._out == 0

    def climb(self) -> bool:
        """Go to the next rung, with the prices of this; False if that has too many downsets."""
        return not self.is_whole and self._step_up(GROWTH * len(self.prices.graph.done))

    def settle(self, upper: int) -> None:
        """See what the present prices prove, of plans below `upper` bytes."""
        self.prices.settle(upper)
        self.bound_bytes = max(self.bound_bytes, self.prices.bound_bytes)

    def _step_up(self, downsets: int) -> bool:
        """Take so few operators out that there are at most so many downsets, and at least one fewer than now."""
        if self._whole is not None and (not self._taken or 2 * len(self._whole[0]) <= 3 * downsets):
            return self._take(0, *self._whole)
        low, high, found = 0, self._out, None
        while low < high:
            out = (low + high) // 2
            listed = self._list(out, downsets)
            if listed is None:
                low = out + 1
            else:
                high, found = out, listed
        if found is None and self._out > 0:
            high, found = self._out - 1, self._list(self._out - 1, self._most)
        return found is not None and self._take(high, *found)

    def _list(self, out: int, downsets: int) -> tuple[Words, Ints] | None:
        """The downsets of the rung without so many operators, if there are no more than this."""
        if out == 0 and self._whole is not None:
            return self._whole
        return list_downsets(tables(rest(self.piece, self._kept_of(out))), min(downsets, self._most))

    def _kept_of(self, out: int) -> list[int]:
        return sorted(self._taken[out:]) if out > 0 else list(range(len(self.piece.operators)))

    def _take(self, out: int, done: Words, slots: Ints) -> bool:
        kept = self._kept_of(out)
        rung = rest(self.piece, kept) if out > 0 else self.piece
        prices = Prices(tables(rung), done, slots)
        if self._kept:
            rank = {op: i for i, op in enumerate(kept)}
            place = {a: i for i, a in enumerate(self._rung.tensors)}
            prices.start_from(self.prices, [rank[op] for op in self._kept], [place.get(a, -1) for a in rung.tensors])
        self._out, self._kept, self._rung, self.prices = out, kept, rung, prices
        return True
