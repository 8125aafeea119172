"""The work on one piece: the best plan so far, the bound so far, and the searches that narrow them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from .exact import Search
from .gap import Kept, belady_piece, keep_piece
from .split import Piece

if TYPE_CHECKING:
    from .portfolio import Clock

SLICE_S = 0.1
"""between two looks at the clock"""
GAP_OPERATORS = 4000
"""pieces above this are not given to the integer program"""


class PieceRun:
    """A piece with `order` and `kept` of `upper` bytes, and the proved `bound`."""

    def __init__(self, piece: Piece) -> None:
        self.piece = piece
        self.order: tuple[int, ...] = tuple(range(len(piece.operators)))
        self.kept: Kept
        self.kept, self.upper = belady_piece(piece, self.order)
        self.bound = 0
        self.searches: list[Search] = []
        self.has_gap = False
        self._pops_per_s = 2e4

    @property
    def is_proved(self) -> bool:
        """Whether the best plan is optimal."""
        return self.bound >= self.upper

    @property
    def can_go_on(self) -> bool:
        """Whether more time can help."""
        return not self.searches or not all(s.is_stuck for s in self.searches)

    @property
    def memory_bytes(self) -> int:
        """Bytes of the tables of its searches."""
        return sum(s.memory_bytes for s in self.searches)

    def go_on(self, pops: int, clock: Clock, memory_bytes: int) -> None:
        """Search each direction for about so many states, within the time, all tables together within the memory."""
        if not self.searches:
            self.searches = [Search(self.piece), Search(self.piece.reverse())]
        for search in self.searches:
            self._advance(search, pops, clock, memory_bytes)
            if self.is_proved:
                break
        if not self.is_proved and not self.has_gap and pops >= 4000 and len(self.order) <= GAP_OPERATORS:
            self.has_gap = True
            kept, cost, _ = keep_piece(self.piece, self.order, max(0.05, clock.left_s / 4))
            self.offer(self.order, kept, cost)
        if self.is_proved:
            self.searches = []

    def offer(self, order: tuple[int, ...], kept: Kept, cost: int) -> None:
        """Take a plan if it is better."""
        if cost < self.upper:
            self.order, self.kept, self.upper = order, kept, cost

    def _advance(self, search: Search, pops: int, clock: Clock, memory_bytes: int) -> None:
        while pops > 0 and clock.left_s > 0 and not search.is_stuck:
            others = sum(s.memory_bytes for s in self.searches if s is not search)
            step = min(pops, max(200, int(self._pops_per_s * min(SLICE_S, clock.left_s))))
            begin = time.perf_counter()
            search.run(self.upper, step, memory_bytes - others)
            self._pops_per_s = 0.5 * self._pops_per_s + 0.5 * step / max(1e-4, time.perf_counter() - begin)
            pops -= step
            if search.is_done:
                self._finish(search)
                return
            self.bound = min(self.upper, max(self.bound, search.bound))

    def _finish(self, search: Search) -> None:
        """The search proved its optimum, or that the best plan is it."""
        if search.path is not None:
            order, kept = search.path
            if search is self.searches[1]:
                last = len(order) - 1
                order, kept = tuple(last - op for op in reversed(order)), [flags[::-1] for flags in kept]
            self.offer(order, kept, search.bound)
        self.bound = self.upper
