"""Plan the parts of a graph one by one, join their plans, and prove how good the whole is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ..candidates.least_prices import Candidates
from ..candidates.setting import Setting
from ..candidates.survey import ROUNDING
from ..placement.problem import PlacementProblem
from ..placement.result import PlacementResult
from ..placement.search.clock import Clock, TimeUp
from ..placement.search.rounds import Known, Progress, Search
from ..placement.search.solve import result_of
from .alone.alike import Prices
from .alone.part import Part, paid_anyway, parts_of
from .alone.part_search import PartSearch
from .joining import Joined, Joining, plan_of, taken
from .prices.in_time import InTime
from .scarce import within_counts
from .without_plan.impossible import Impossible, impossible

FIRST_SLACK = 0.02
"""Where the parts' best plans do not go together: the share of their cost that is looked at first beyond it."""
PART_S = 8.0
"""Time that one step of a part may take [s]."""
MOST_WAYS = 4000
"""Ways to serve tenants up to which all parts are planned at once."""
TOGETHER_S = 20.0
"""Time that planning all parts at once may take where a plan is known already [s]."""
MOST_TOGETHER = 150
"""Pieces up to which all parts are planned at once where their own plans leave too much to be proved."""
PROVING_S = 15.0
"""Time for proofs where all parts have plans, of more pieces than that [s]."""
QUICK_S = 4.0
"""Time that a step of a part may take at one of them, and where the parts have more pieces than that [s]."""
HEADROOM = 4.0
"""Replicas that save time may cost so many times the cheapest plan of a part, beyond the cheapest ways to serve it."""
PRICED_STEPS, POOR = 3, 0.1
"""At a price of time a part whose plan may be so much too dear is searched in so many steps."""
PRICED_GAP = 0.02
"""Relative gap at which it ends, and what another price has to be able to save."""


@dataclass
class ByParts:
    """The search for the best plan of a large graph."""

    setting: Setting
    whole: PlacementProblem
    """the frame: without pools"""
    gap: float
    """relative gap at which it ends"""
    solver: str
    clock: Clock
    on_progress: Progress | None = None
    without_place: tuple[str, ...] = ()
    """nodes that nothing may serve, where there are any"""
    parts: list[Part] = field(default_factory=list)
    """what it goes by, once that is known"""
    impossible: Impossible | None = None
    """why there is no plan, where that was shown before any was sought"""

    def solve(self) -> tuple[PlacementProblem, PlacementResult] | None:
        """The best plan found, and a problem that has its pools; None where a part, or the whole, has none.

        Where time is over, or the user stopped the clock, parts that have no plan yet get one that needs no search.
        """
        try:
            planned = self._planned()
        except TimeUp:
            return None
        if planned is None:
            return None
        least = paid_anyway(self.whole.devices) + sum(each.bound for each in planned)
        fitted = self._fitted(planned)
        joined = self.joining.judged([each.candidates for each in fitted], plan_of(fitted), least, self.clock)
        joined = joined or self._in_time(planned, fitted, least)
        # What the search of the one plan proves holds for its pools alone.
        is_enough = joined is not None and joined.value - least <= self.gap * abs(joined.value)
        if joined is not None and (self._is_large or is_enough):
            return self._answer(joined.sets, joined.search, least)
        if joined is not None:
            self.clock = self.clock.at_most(TOGETHER_S)
        return self._together(planned, least, joined)

    @property
    def joining(self) -> Joining:
        """What the parts are put together to."""
        return Joining(self.setting, self.whole, self.solver)

    @property
    def _is_large(self) -> bool:
        return len(self.whole.pieces) > MOST_TOGETHER

    def _in_time(self, planned: Sequence[PartSearch], fitted: Sequence[PartSearch], least: float) -> Joined | None:
        """(66) The cheapest plan found whose parts pay for the time that requests wait for them."""
        cheapest = paid_anyway(self.whole.devices) + sum(each.value for each in planned)
        enough = cheapest * (1 + max(self.gap, PRICED_GAP))

        def planned_at(prices: Prices) -> list[PartSearch] | None:
            at_price = [PartSearch(each.part.priced(prices, HEADROOM * each.value), self.solver) for each in planned]
            return self._fitted(at_price) if self._has_plans(at_price, PRICED_STEPS) else None

        return InTime(self.joining, fitted, least, enough, planned_at, self.clock, self._tell).solve()

    def _has_plans(self, parts: Sequence[PartSearch], steps: int = 1) -> bool:
        """Whether some plan of each part is found in the time; after so many steps it may be a poor one."""
        for number, each in enumerate(parts):
            tried = 0
            while not each.is_over and (not each.plan or (tried < steps and each.open_usd > POOR * each.value)):
                each.step(self._share(len(parts) - number, at_price=True), max(self.gap, PRICED_GAP))
                tried += 1
            if not each.plan:
                return False
        return True

    def _fitted(self, planned: Sequence[PartSearch]) -> list[PartSearch]:
        """Parts that share the fleet's devices, as far as that comes about."""

        def first_plan(part: Part) -> PartSearch:
            each = PartSearch(part, self.solver)
            self._has_plans([each])
            return each

        return within_counts(planned, self.whole.devices, first_plan)

    def _planned(self) -> list[PartSearch] | None:
        """Every part by itself, those the longest that leave most to be proved; None where one has no plan."""
        self._tell("ways of all parts", None, None)
        self.parts = parts_of(self.setting, self.whole, self.clock)
        parts = [PartSearch(part, self.solver) for part in self.parts]
        self.without_place = tuple(node for each in parts for node in each.part.without_place)
        if self.without_place:
            return None
        self.impossible = impossible(self.setting, [each.part for each in parts], self.whole, self.solver, self.clock)
        if self.impossible is not None:
            return None
        for number, each in enumerate(parts):
            self._tell_parts(parts, f"part {number + 1} of {len(parts)}")
            each.prove(self.clock)
            while not each.plan and not each.is_over:
                each.step(self._share(len(parts) - number), self.gap / 2)
            if not each.plan:
                return None
        proving = self.clock.at_most(PROVING_S) if self._is_large else self.clock
        while sum(each.open_usd for each in parts) > self.gap / 2 * sum(each.value for each in parts):
            if proving.over:
                break
            self._tell_parts(parts, f"proofs of {len(parts)} parts")
            max(parts, key=lambda each: each.open_usd).step(self._share(2), self.gap / 2)
        if not self._is_large:
            self._tell_parts(parts, "ties")
            for number, each in enumerate(parts):
                each.hasten(self._share(len(parts) - number))
        return parts

    def _tell_parts(self, parts: Sequence[PartSearch], what: str) -> None:
        """How good the plans of all parts are by themselves."""
        usd, bound = sum(each.value for each in parts), sum(each.bound for each in parts)
        anyway = paid_anyway(self.whole.devices)
        self._tell(what, anyway + usd if math.isfinite(usd) else None, anyway + bound)

    def _tell(self, what: str, value: float | None, bound: float | None) -> None:
        if self.on_progress is not None:
            self.on_progress(value, bound, what)

    def _share(self, parts: int, at_price: bool = False) -> Clock:
        """The time for the next of so many parts."""
        most = QUICK_S if at_price or self._is_large else PART_S
        return self.clock.at_most(most if self.clock.left is None else min(most, self.clock.left / (parts + 1)))

    def _together(
        self, planned: Sequence[PartSearch], least: float, joined: Joined | None
    ) -> tuple[PlacementProblem, PlacementResult] | None:
        """(63) All parts at once, with what plans need that cost up to `slack` more than the `least` of all parts.

        What is found says how much slack is enough.
        """
        best, sets = (joined.search, joined.sets) if joined else (None, [each.candidates for each in planned])
        known = Known(bound=least, floors=tuple((frozenset(p.plan), p.bound) for p in planned if p.bound > 0))
        slack, tried = FIRST_SLACK * least if best is None else best.value - least, -1.0
        while not self.clock.over and (slack := _fitting(planned, slack)) > tried:
            more = [each.part.candidates((each.bound + slack) * (1 + ROUNDING)) for each in planned]
            if best is not None:
                more += taken(sets, best.plan)
                known = replace(known, plan=best.plan, value=best.value)
            sets, tried = more, slack
            found = self._search(sets, known)
            complete = all(each.part.next_usd(each.bound + slack) is None for each in planned)
            if found is None:
                if complete:
                    return None
                slack *= 4
                continue
            best = found
            bound = max(known.bound, found.bound if complete else min(found.bound, least + slack))
            known = replace(known, bound=bound)
            if complete or found.interrupted or best.value - bound <= self.gap * abs(best.value):
                break
            slack = best.value - least
        return None if best is None else self._answer(sets, best, known.bound)

    def _search(self, sets: Sequence[Candidates], known: Known) -> Search | None:
        """The best plan of all pieces with these pools; None where there is none, or none was found in the time."""
        problem = self.joining.problem(sets)
        try:
            search = Search(problem, self.solver, self.clock, self.on_progress, known=known, enough=self.gap)
            search.run()
        except TimeUp:
            return None
        return None if search.best is None else search

    def _answer(
        self, sets: Sequence[Candidates], best: Search, bound: float
    ) -> tuple[PlacementProblem, PlacementResult]:
        """The plan with all pools that were looked at, and its proof."""
        problem = self.joining.problem(sets)
        best.bound = min(bound, best.value)
        return problem, result_of(problem, best)


def _fitting(planned: Sequence[PartSearch], slack: float) -> float:
    """The slack, or so much of it that not too many ways are to be planned at once."""
    while slack > 0 and sum(each.part.ways_within(each.bound + slack) for each in planned) > MOST_WAYS:
        slack /= 2
    return slack
