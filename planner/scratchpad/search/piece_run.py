"""The work on one piece: the best plan so far, the bound so far, and the searches that narrow them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from .beam import beam_order
from .belady import Kept, belady_piece
from .bounds import cut_bound
from .exact import Search
from .gap import keep_piece
from .local import LocalSearch
from .pricing import Pricing, can_price
from .relax import streamed_bound
from .split import Piece
from .tables import words

if TYPE_CHECKING:
    from .portfolio import Clock

SLICE_S = 0.1
"""between two looks at the clock"""
HARD_POPS = 8000
"""pieces that took so many states get more than the plain search"""
BEAM_POPS = 2000
"""and so many, beams, if others are open: soon, for of many hard pieces none is proved before each has a fair plan"""
LAGGING, LAGGING_PART = 0.95, 8
"""a direction that has proved less than this share of what the other has gets one part in so many of its states"""
LONG = 1000
"""operators above which a piece is hard from the start"""
BEAM_WIDTH = 100
BEAM_SHARE = 0.25
"""of the time left that one more beam may take"""
WEIGHTS = (2.0, 0.5, 1.0, 0.0, 4.0)
LOCAL_SHARE = 0.1
"""of the time left that the local search may take at once"""
MOVES_PER_POP = 8
"""that the local search tries"""
FIRST_MOVES = 200
"""of one call of it, until its rate is known"""
MOST_DOWNSETS = 1 << 22
RELAXED_DOWNSETS = 50_000
"""of pieces that have more than so many, fewer operators are looked at"""
STREAMED = 8
"""times as many downsets are passed over in the time that one is listed and filled in"""
FIRST_TABLE_S = 0.01
TABLE_SHARE = 0.25
"""of the time left that the table of what is ahead may take"""
PRICE_SHARE = 0.5
"""of the time left that prices may take at once"""
PRICE_PART = 0.5
"""of the time spent on the piece so far, likewise, where it has few downsets"""
MANY_DOWNSETS = 100_000
"""from which on the search gets nowhere before prices are good, so that they get their whole share"""
HOPELESS = 0.75
"""a plain search that has proved less than this share of the best bound ends once a priced one runs"""
OPERATORS_PER_S = 1e7
"""words of operators that its listing looks at"""
PAIRS_PER_S = 8e6
"""of operators and tensors that CUT looks at"""
CUT_SHARE = 0.1
"""of the time left that it may take"""


class PieceRun:
    """A piece with `order` and `kept` of `upper` bytes, and the proved `bound`."""

    def __init__(self, piece: Piece) -> None:
        self.piece = piece
        self.order: tuple[int, ...] = tuple(range(len(piece.operators)))
        self.kept: Kept
        self.kept, self.upper = belady_piece(piece, self.order)
        self.bound = 0
        self.searches: list[Search] = []
        """forward and backward"""
        self._priced: list[Search] = []
        """the same with prices, of which one direction is given up soon"""
        self._has_gap = False
        self._has_table = False
        self._most_tried = 0
        self._spent_s = 0.0
        self._beams = 0
        self._beam_bytes = [0, 0]
        self._beam_s = 0.0
        self._pops_per_s = 2e4
        self._local: LocalSearch | None = None
        self._local_bytes = 0
        self._pricing: Pricing | None = None

    @property
    def is_proved(self) -> bool:
        """Whether the best plan is optimal."""
        return self.bound >= self.upper

    @property
    def can_go_on(self) -> bool:
        """Whether more time can help."""
        rises = self._pricing is not None and self._pricing.rises
        return rises or not self.searches or not all(s.is_stuck for s in self._all)

    @property
    def memory_bytes(self) -> int:
        """Bytes of the tables of its searches."""
        return sum(s.memory_bytes for s in self._all)

    @property
    def _all(self) -> list[Search]:
        return [*self.searches, *self._priced]

    def go_on(self, pops: int, clock: Clock, memory_bytes: int, share: float = 1.0) -> None:
        """Search each direction for about so many states, within the time, all tables together within the memory;
        nothing beside the search takes more than its `share` of the time left, 1 where no other piece is open."""
        if not self.searches:
            self.searches = [Search(self.piece), Search(self.piece.reverse())]
        self._look_ahead(clock)
        if pops > HARD_POPS and self._has_table:
            self._price(clock.left_s * PRICE_SHARE * share)
        lagging = self._lagging()
        for search in sorted(self._all, key=lambda s: -s.bound):
            if self.is_proved:
                break
            self._advance(search, pops // LAGGING_PART if search in lagging else pops, clock, memory_bytes)
        if self.is_proved:
            self.searches, self._priced, self._pricing = [], [], None
            return
        if pops >= (HARD_POPS if share == 1 else BEAM_POPS) or len(self.order) > LONG:
            self._try_orders(pops, clock, share)
            self._walk(pops * MOVES_PER_POP, clock, clock.left_s * LOCAL_SHARE * share)

    def _lagging(self) -> list[Search]:
        """Searches that have proved less than the better plain one; where neither of these lags, the one in whose
        direction beams do worse: narrow beams tell well which search has fewer states. The plain one that does not
        lag goes on beside prices, which prove more at first but need not end sooner."""
        worse = self.searches[self._beam_bytes[0] < self._beam_bytes[1]]
        best = max(search.bound for search in self.searches)
        lagging = [search for search in self.searches if search.bound < LAGGING * best]
        if self._beam_bytes[0] != self._beam_bytes[1] and not lagging:
            lagging = [worse]
        return lagging + [search for search in self._priced if search.bound < LAGGING * best]

    def _look_ahead(self, clock: Clock) -> None:
        """Give both searches the table of what is ahead once it costs about as much as was spent so far."""
        begin = time.perf_counter()
        n = len(self.order)
        spare_s = min(max(FIRST_TABLE_S, self._spent_s), clock.left_s * TABLE_SHARE)
        most = min(MOST_DOWNSETS, int(spare_s * OPERATORS_PER_S / (n * words(n))))
        if not self._has_table and most > 4 * self._most_tried and clock.left_s > 0:
            self._most_tried = most
            self._has_table = all(search.look_ahead(most) for search in self.searches)
            if not self._has_table and most >= RELAXED_DOWNSETS:
                proved = streamed_bound(self.piece, self.upper, STREAMED * most, 2 * TABLE_SHARE * clock.left_s)
                self.bound = min(self.upper, max(self.bound, proved))
        self._spent_s += time.perf_counter() - begin

    def _price(self, spare_s: float) -> None:
        """Prices for a part of what was spent so far, within the time [s], for searches of their own: these start again
        with every better prices, and the plain ones lose nothing."""
        begin = time.perf_counter()
        table = self.searches[0].table
        if table.rows < MANY_DOWNSETS:
            spare_s = min(spare_s, PRICE_PART * self._spent_s)
        if self._pricing is None and can_price(self.searches, spare_s):
            self._priced = [Search(search.piece) for search in self.searches]
            for priced, search in zip(self._priced, self.searches, strict=True):
                priced.table = search.table
            self._pricing = Pricing(self._priced)
        if self._pricing is not None and self._pricing.rises:
            self._pricing.improve(self.upper, begin + spare_s)
            self.bound = min(self.upper, max(self.bound, self._pricing.bound_bytes))
            self._pricing.hand_over()
            self._priced = [search for search in self._priced if not search.is_stuck]
            for search in self.searches:
                if search.bound < HOPELESS * self.bound:
                    search.drop()
        self._spent_s += time.perf_counter() - begin

    def _try_orders(self, pops: int, clock: Clock, share: float) -> None:
        """Upper bounds: what the file order keeps at best, and beams of growing width in both directions."""
        if (pops >= HARD_POPS or len(self.order) > LONG) and not self._has_gap:
            self._has_gap = True
            if len(self.order) * len(self.piece.tensors) < PAIRS_PER_S * clock.left_s * CUT_SHARE * share:
                cut = cut_bound(self.piece, clock.left_s * CUT_SHARE * share)
                self.bound = min(self.upper, max(self.bound, cut))
            self.offer_order(self.order, clock)
        upper = self.upper
        for is_backward, search in enumerate(self.searches):
            if self._beam_s > clock.left_s * BEAM_SHARE * share or self.is_proved:
                return
            begin = time.perf_counter()
            weight = WEIGHTS[self._beams // 2 % len(WEIGHTS)]
            width, spare_s = max(8, pops * BEAM_WIDTH // HARD_POPS), clock.left_s * BEAM_SHARE * share
            found = beam_order(search.tables, width, weight, self._beams, upper, spare_s)
            self._beams += 1
            self._beam_s = 2.5 * (time.perf_counter() - begin)
            self._beam_bytes[is_backward] += upper if found is None else found[0]
            if found is not None and found[0] < self.upper:
                order = found[1]
                self.offer_order(tuple(len(order) - 1 - op for op in reversed(order)) if is_backward else order, clock)

    def _walk(self, moves: int, clock: Clock, spare_s: float) -> None:
        """Local search from the best order, for so many moves, or the time [s] if that is less."""
        if self.is_proved:
            return
        if self._local is None or self.upper < self._local_bytes:
            self._local = LocalSearch(self.searches[0].tables, self.order, self._beams)
        begin, step, found = time.perf_counter(), FIRST_MOVES, False
        while moves > 0 and not self._local.is_tired and (spent_s := time.perf_counter() - begin) < spare_s:
            found |= self._local.run(step)
            moves -= step
            rate = step / max(1e-6, time.perf_counter() - begin - spent_s)
            step = min(moves, max(1, int(rate * min(SLICE_S, spare_s))))
        if found:
            self.offer_order(tuple(int(op) for op in self._local.best), clock)
        self._local_bytes = self.upper

    def offer_order(self, order: tuple[int, ...], clock: Clock) -> None:
        """Take an order, with what it keeps at best, if it is better."""
        kept, cost, _ = keep_piece(self.piece, order, max(0.05, clock.left_s / 4))
        self.offer(order, kept, cost)

    def offer(self, order: tuple[int, ...], kept: Kept, cost: int) -> None:
        """Take a plan if it is better."""
        if cost < self.upper:
            self.order, self.kept, self.upper = order, kept, cost

    def _advance(self, search: Search, pops: int, clock: Clock, memory_bytes: int) -> None:
        while pops > 0 and clock.left_s > 0 and not search.is_stuck:
            others = sum(s.memory_bytes for s in self._all if s is not search)
            step = min(pops, max(200, int(self._pops_per_s * min(SLICE_S, clock.left_s))))
            begin = time.perf_counter()
            search.run(self.upper, step, memory_bytes - others)
            self._spent_s += time.perf_counter() - begin
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
            if search.piece is not self.piece:
                last = len(order) - 1
                order, kept = tuple(last - op for op in reversed(order)), [flags[::-1] for flags in kept]
            self.offer(order, kept, search.bound)
        self.bound = self.upper
