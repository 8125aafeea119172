"""The search for the best plan of one part, in steps: each proves more of it."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass, field

from ...candidates.least_prices import Candidates
from ...candidates.survey import ROUNDING
from ...placement.model.ties import EQUAL, break_ties
from ...placement.problem import PlacementProblem
from ...placement.search.clock import Clock, TimeUp
from ...placement.search.engine import Plan, run
from ...placement.search.presolve import presolve
from ...placement.search.rounds import OPTIMAL_GAP, Known, Search
from .alike import is_countable
from .counted import Counted
from .part import Part
from .simple import simple_plan
from .whole_devices import least_usd

HEADROOM = 2.0
"""While no plan is known it may cost so many times what the cheapest ways cost at least."""
GROWTH = 4
"""So many times the ways of a step are looked at in the next, at most."""


@dataclass(frozen=True)
class Found:
    """What a search among some pools has found."""

    plan: Plan
    """empty for none"""
    value: float
    bound: float
    is_infeasible: bool = False


@dataclass
class PartSearch:
    """The best plan of a part so far: by its cost, and what its time costs where the part has prices for that.

    (62) Only pools that a plan of `most_usd` may need are made: of what the cheapest ways cost at first, then of what
    the cheapest plan costs that is known, until that is no more than they were made for.
    """

    part: Part
    solver: str
    plan: Plan = field(default_factory=dict)
    """empty while none is known"""
    value: float = math.inf
    """of the plan [USD/h]"""
    candidates: Candidates = ()
    """the pools among which the plan was found"""
    is_over: bool = False
    """Whether no step has more to say."""
    bound: float = field(init=False)
    """no plan of the part costs less [USD/h]"""
    most_usd: float | None = field(init=False)
    """what the next step is made for; None where all was looked at"""

    def __post_init__(self) -> None:
        self.bound = self.part.bound
        self.most_usd = max(self.part.bound, self.part.first_usd)

    @property
    def open_usd(self) -> float:
        """What a better plan might save [USD/h]; nothing where no step has more to say."""
        return 0.0 if self.is_over else max(0.0, self.value - self.bound)

    def prove(self, clock: Clock) -> None:
        """(65) A bound on plans with any pools."""
        if self.part.ways is not None and math.isfinite(self.bound):
            most = {d.name: d.max_count for d in self.part.bare.devices}
            self.bound = max(self.bound, least_usd(self.part.ways.survey, most, self.solver, clock))

    def step(self, clock: Clock, gap: float) -> None:
        """One more search, to a relative gap; `is_over` after what found and proved no more, or took all of its time.

        Where time is over it has a plan that needs no search, if there is one. A user who interrupts stops the clock.
        """
        most, before, self.is_over = self.most_usd, (self.value, self.bound), True
        if most is None or not math.isfinite(most):
            return
        budget = min(most * HEADROOM if math.isinf(self.value) else self.value, most + self.part.headroom_usd)
        candidates = self.part.candidates(most * (1 + ROUNDING), budget)
        try:
            found = self._best_of(self.part.problem(candidates), clock, max(gap, OPTIMAL_GAP))
        except TimeUp:
            return
        following = self.part.next_usd(most, GROWTH)
        if not found.plan:
            self.most_usd, self.is_over = following, not found.is_infeasible or following is None
            return
        if found.plan is not self.plan:
            self.plan, self.value, self.candidates = found.plan, found.value, candidates
        bound = found.bound if following is None else min(found.bound, most)
        self.bound = min(max(self.bound, bound), self.value)
        wider = following is not None and most < self.value * (1 - ROUNDING)
        self.most_usd = min(self.value, following) if following is not None and wider else None
        self.is_over = clock.over or self.most_usd is None or (self.value, self.bound) == before

    def hasten(self, clock: Clock) -> None:
        """(17) Of plans that cost no more than the one that is known, the one whose visits take least together."""
        if not self.plan or not math.isfinite(self.value):
            return
        candidates = self.part.candidates(self.value * (1 + ROUNDING))
        most = self.value * (1 + EQUAL)
        with suppress(TimeUp):
            clock.check()
            plan = self._fastest_of(presolve(self.part.problem(candidates), most), most, clock)
            if plan is not None:
                self.plan, self.candidates = plan, candidates

    def _fastest_of(self, problem: PlacementProblem, most_usd: float, clock: Clock) -> Plan | None:
        """The plan of so much money at most whose visits take least together; None where none is found in the time."""
        if not is_countable(problem):
            search = Search(problem, self.solver, clock, known=Known(self.plan, self.value, self.value))
            break_ties(search)
            if search.interrupted:
                clock.stop()
            return search.best
        counted = Counted(problem)
        counted.hasten(most_usd)
        out = run(counted.m, counted, self.solver, clock.left, gap=OPTIMAL_GAP)
        if out.interrupted:
            clock.stop()
        return next((plan for plan in out.plans if counted.worth(plan) <= most_usd * (1 + EQUAL)), None)

    def _best_of(self, problem: PlacementProblem, clock: Clock, gap: float) -> Found:
        """The best plan with these pools, if it is better than what is known; TimeUp before there is any."""
        most = self.value * (1 + OPTIMAL_GAP)
        if not is_countable(problem):
            known = Known(self.plan or None, self.value, self.bound)
            search = Search(problem, self.solver, clock, known=known, enough=gap)
            search.run()
            if search.interrupted:
                clock.stop()
            plan = self.plan if search.best == self.plan else search.best
            return Found(plan or {}, search.value, search.bound, search.infeasible)
        counted = Counted(presolve(problem, most), self.part.prices)
        known, value = self.plan, self.value
        if simple := simple_plan(counted.p, self.part.prices):
            worth = counted.worth(simple)
            known, value = (simple, worth) if worth < value else (known, value)
        if clock.over:
            return Found(known, value, self.bound)
        counted.minimise(value * (1 + OPTIMAL_GAP))
        out = run(counted.m, counted, self.solver, clock.left, gap=gap)
        if out.interrupted:
            clock.stop()
        if out.status == "infeasible":
            return Found(known, value, value, is_infeasible=not known)
        bound = self.bound if out.bound is None else out.bound * counted.unit
        for plan in out.plans[:1]:
            worth = counted.worth(plan)
            known, value = (plan, worth) if worth < value else (known, value)
        return Found(known, value, bound)
