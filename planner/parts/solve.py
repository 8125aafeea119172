"""Plan the parts of a graph one by one, join their plans, and prove how good the whole is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain

from ..candidates.least_prices import Candidates
from ..candidates.setting import Setting
from ..placement.problem import Option, PlacementProblem, Pool
from ..placement.result import PlacementResult
from ..placement.search.clock import Clock, TimeUp
from ..placement.search.engine import Plan
from ..placement.search.rounds import Known, Search
from ..placement.search.solve import result_of
from ..placement.times.judge import Judge
from ..posing.to_problem import with_candidates
from .part import paid_anyway, parts_of
from .part_search import PartSearch

ROUNDING = 1e-9
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
DEARER = (0.02, 0.08, 0.3)
"""Shares by which parts may be dearer where they are too slow together."""
Progress = Callable[[float | None, float | None], None]


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

    def solve(self) -> tuple[PlacementProblem, PlacementResult] | None:
        """The best plan found, and a problem that has its pools; None where a part, or the whole, has none."""
        planned = self._planned()
        if planned is None:
            return None
        least = paid_anyway(self.whole.devices) + sum(each.bound for each in planned)
        joined = self._joined(planned, least)
        steps = (self.gap / 4, *DEARER) if len(self.whole.pieces) <= MOST_TOGETHER else DEARER[-1:]
        for dearer in steps if joined is None else ():
            # What one part keeps the rest of the time from is often little dearer where it is faster.
            for each in planned:
                each.make_faster(each.value * (1 + dearer), self._share(2))
            joined = self._joined(planned, least)
            if joined is not None or self.clock.over:
                break
        # What the search of the one plan proves holds for its pools alone.
        is_enough = joined is not None and joined.value - least <= self.gap * abs(joined.value)
        if joined is not None and (is_enough or len(self.whole.pieces) > MOST_TOGETHER):
            return self._answer([each.candidates for each in planned], joined, least)
        if joined is not None:
            self.clock = self.clock.at_most(TOGETHER_S)
        with suppress(KeyboardInterrupt):
            return self._together(planned, least, joined)
        return None if joined is None else self._answer([each.candidates for each in planned], joined, least)

    def _joined(self, planned: Sequence[PartSearch], least: float) -> Search | None:
        """The plans of all parts as one; None where it breaks what bounds them together."""
        plan = {piece: pool for each in planned for piece, pool in each.plan.items()}
        problem = self._problem(_taken([each.candidates for each in planned], plan))
        with suppress(TimeUp):
            # Of one plan latencies need no rows: they are judged exactly.
            rows = replace(problem, bounds=tuple(b for b in problem.bounds if b.node is not None))
            search = Search(rows, self.solver, self.clock, known=Known(bound=least))
            search.judge = Judge(problem, problem.options, None, self.clock)
            return search if search.has_one() else None
        return None

    def _planned(self) -> list[PartSearch] | None:
        """Every part by itself, those the longest that leave most to be proved; None where one has no plan."""
        parts = [PartSearch(part, self.solver) for part in parts_of(self.setting, self.whole)]
        for number, each in enumerate(parts):
            while not each.plan:
                if not each.step(self._share(len(parts) - number), self.gap / 2):
                    return None
        while sum(each.open_usd for each in parts) > self.gap / 2 * sum(each.value for each in parts):
            worst = max(parts, key=lambda each: each.open_usd)
            if not worst.step(self._share(2), self.gap / 2):
                worst.is_over = True
            if all(each.is_over or not each.open_usd for each in parts):
                break
        return parts

    def _share(self, parts: int) -> Clock:
        """The time for the next of so many parts."""
        return self.clock.at_most(PART_S if self.clock.left is None else min(PART_S, self.clock.left / (parts + 1)))

    def _together(
        self, planned: Sequence[PartSearch], least: float, best: Search | None
    ) -> tuple[PlacementProblem, PlacementResult] | None:
        """(63) All parts at once, with what plans need that cost up to `slack` more than the `least` of all parts.

        What is found says how much slack is enough.
        """
        sets = [each.candidates for each in planned]
        known = Known(bound=least, floors=tuple((frozenset(p.plan), p.bound) for p in planned if p.bound > 0))
        slack, tried = FIRST_SLACK * least if best is None else best.value - least, -1.0
        while not self.clock.over and (slack := _fitting(planned, slack)) > tried:
            more = [each.part.candidates((each.bound + slack) * (1 + ROUNDING)) for each in planned]
            if best is not None:
                more += _taken(sets, best.plan)
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
        problem = self._problem(sets)
        try:
            search = Search(problem, self.solver, self.clock, self.on_progress, known=known, enough=self.gap)
            search.run()
        except TimeUp:
            return None
        return None if search.best is None else search

    def _problem(self, sets: Sequence[Candidates]) -> PlacementProblem:
        """Of all pieces, with the pools of several parts; one that several of them have takes the pieces of all."""
        pools: dict[str, Pool] = {}
        options: dict[str, dict[str, Option]] = {}
        for pool, own in chain.from_iterable(sets):
            pools[pool.id] = pool
            options.setdefault(pool.id, {}).update((o.piece, o) for o in own)
        merged = [(pool, tuple(options[pool.id].values())) for pool in pools.values()]
        return with_candidates(self.whole, self.setting, merged)

    def _answer(
        self, sets: Sequence[Candidates], best: Search, bound: float
    ) -> tuple[PlacementProblem, PlacementResult]:
        """The plan with all pools that were looked at, and its proof."""
        problem = self._problem(sets)
        best.bound = min(bound, best.value)
        return problem, result_of(problem, best)


def _fitting(planned: Sequence[PartSearch], slack: float) -> float:
    """The slack, or so much of it that not too many ways are to be planned at once."""
    while slack > 0 and sum(each.part.ways_within(each.bound + slack) for each in planned) > MOST_WAYS:
        slack /= 2
    return slack


def _taken(sets: Sequence[Candidates], plan: Plan) -> list[Candidates]:
    """Of each set the pools of a plan, with what is in them."""
    own = ([(g, tuple(o for o in options if plan[o.piece] == g.id)) for g, options in each] for each in sets)
    return [[(g, options) for g, options in each if options] for each in own]
