"""Plan the parts of a graph one by one, join their plans, and prove how good the whole is."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from ..candidates.least_prices import Candidates
from ..candidates.setting import Setting
from ..placement.problem import Option, PlacementProblem, Pool
from ..placement.result import PlacementResult
from ..placement.search.clock import Clock, TimeUp
from ..placement.search.engine import Plan
from ..placement.search.solve import OPTIMAL_GAP, Known, Search, result_of
from ..posing.to_problem import with_candidates
from .part import Part, paid_anyway, parts_of

ROUNDING = 1e-9
FIRST_SLACK = 0.02
"""Where the parts' best plans do not go together: the share of their cost that is looked at first beyond it."""
PART_S = 8.0
"""Time that a part may take by itself [s]: then its best plan is taken, with what is proved of it."""
MOST_WAYS = 4000
"""Ways to serve tenants up to which all parts are planned at once."""
Progress = Callable[[float | None, float | None], None]


@dataclass(frozen=True)
class Planned:
    """A part with its best plan."""

    part: Part
    candidates: Candidates
    plan: Plan
    bound: float
    """no plan of the part costs less [USD/h]"""


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
        own = [each.candidates for each in planned]
        plan = {piece: pool for each in planned for piece, pool in each.plan.items()}
        joined = self._search(_taken(own, plan), Known(bound=least))
        # What the search of the one plan proves holds for its pools alone.
        if joined is None or joined.value - least > self.gap * abs(joined.value):
            return self._together(planned, least, joined)
        return self._answer(own, joined, least)

    def _planned(self) -> list[Planned] | None:
        """Every part by itself."""
        found, parts = list[Planned](), parts_of(self.setting, self.whole)
        for number, part in enumerate(parts):
            left = PART_S if self.clock.left is None else self.clock.left / (len(parts) - number + 1)
            one = plan_part(part, self.gap / 2, self.solver, self.clock.at_most(min(left, PART_S)))
            if one is None:
                return None
            found.append(one)
        return found

    def _together(
        self, planned: Sequence[Planned], least: float, best: Search | None
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


def _fitting(planned: Sequence[Planned], slack: float) -> float:
    """The slack, or so much of it that not too many ways are to be planned at once."""
    while slack > 0 and sum(each.part.ways_within(each.bound + slack) for each in planned) > MOST_WAYS:
        slack /= 2
    return slack


def _taken(sets: Sequence[Candidates], plan: Plan) -> list[Candidates]:
    """Of each set the pools of a plan, with what is in them."""
    own = ([(g, tuple(o for o in options if plan[o.piece] == g.id)) for g, options in each] for each in sets)
    return [[(g, options) for g, options in each if options] for each in own]


def plan_part(part: Part, gap: float, solver: str, clock: Clock) -> Planned | None:
    """The best plan of a part by itself, to a relative gap; None where it has none, or time is up first.

    (62) Only pools that a plan of so much money may need are made: of what the cheapest plan costs that is known so
    far, until that is no more than they were made for.
    """
    most: float | None = max(part.bound, part.first_usd)
    known: Known = Known(bound=part.bound)
    made: Candidates = ()
    while most is not None and math.isfinite(most):
        candidates = part.candidates(most * (1 + ROUNDING))
        try:
            search = Search(part.problem(candidates), solver, clock, known=known, enough=max(gap, OPTIMAL_GAP))
            search.run()
        except TimeUp:
            break
        if search.interrupted:
            raise KeyboardInterrupt
        following = part.next_usd(most)
        if search.best is None:
            most = following if search.infeasible else None
            continue
        bound = search.bound if following is None else min(search.bound, most)
        known, made = Known(search.plan, search.value, max(known.bound, bound)), candidates
        if search.value <= most * (1 + OPTIMAL_GAP) or following is None:
            break
        most = search.value
    if known.plan is None:
        return None
    return Planned(part, made, known.plan, min(known.bound, known.value))
