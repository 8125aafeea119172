"""The search for the best plan of one part, in steps: each proves more of it."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass, field

from ..candidates.least_prices import Candidates
from ..placement.model.objective import second_objective
from ..placement.search.clock import Clock, TimeUp
from ..placement.search.engine import Plan, run
from ..placement.search.rounds import OPTIMAL_GAP, Known, Search
from .part import ROUNDING, Part


@dataclass
class PartSearch:
    """The best plan of a part so far.

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
    """the pools that were looked at last"""
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

    def step(self, clock: Clock, gap: float) -> bool:
        """One more search, to a relative gap; whether it found or proved more. A user who interrupts ends it all."""
        if self.most_usd is None or not math.isfinite(self.most_usd):
            return False
        most, before = self.most_usd, (self.value, self.bound)
        candidates = self.part.candidates(most * (1 + ROUNDING))
        known, enough = Known(self.plan or None, self.value, self.bound), max(gap, OPTIMAL_GAP)
        try:
            search = Search(self.part.problem(candidates), self.solver, clock, known=known, enough=enough)
            search.run()
        except TimeUp:
            return False
        if search.interrupted:
            raise KeyboardInterrupt
        following = self.part.next_usd(most)
        if search.best is None:
            self.most_usd = following
            return search.infeasible and following is not None
        self.plan, self.value, self.candidates = search.plan, search.value, candidates
        bound = search.bound if following is None else min(search.bound, most)
        self.bound = min(max(self.bound, bound), self.value)
        self.most_usd = max(most, self.value)
        self.is_over = clock.over  # what takes longer than a step has no shorter one
        return (self.value, self.bound) != before

    def make_faster(self, most_usd: float, clock: Clock) -> None:
        """Take the plan of at most so much money whose mean times add up to least, if one is found in the time."""
        candidates = self.part.candidates(most_usd * (1 + ROUNDING))
        with suppress(TimeUp):
            search = Search(self.part.problem(candidates), self.solver, clock, below=most_usd * (1 + 2 * OPTIMAL_GAP))
            search.m.setObjective(second_objective(search.p, search.v))
            for plan in run(search.m, search.v, self.solver, clock.left).plans:
                if search.admit(plan):
                    self.candidates, self.plan = candidates, plan
                    break
