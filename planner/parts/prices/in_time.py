"""A plan of all parts that keeps the bounds on whole requests, where the parts' cheapest plans break them.

Equation (66) of `docs/math/placement.md`: time gets a price, the same for all parts, until they are in time together.
One price for all leaves steps between plans that are too slow and plans that are much too fast. So what parts looked
at for each price is put together, and the best of all that is sought as one problem, which is small.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ...candidates.least_prices import Candidates
from ...placement.problem import Bound
from ...placement.search.clock import Clock
from ...placement.search.engine import Plan
from ...placement.search.presolve import presolve
from ...placement.search.quick import few_options
from ...placement.search.tightened import tightened
from ...placement.times.judge import WHOLE
from ...placement.times.sections import Cut, cut
from ..alone.alike import Prices
from ..alone.part_search import PartSearch
from ..joining import Joined, Joining, plan_of, taken
from .priced import Pricing, pace

ROUNDS = 5
"""Prices of time that are tried."""
SAME_PRICE = 0.02
"""Relative difference up to which another price of time is not worth trying."""
COMPROMISING_S = 30.0
"""Time for the best of what was looked at for all prices [s]."""
MOST_PIECES = 150
"""Pieces of graphs in which it is sought: of more one integer program takes too long."""
MOST_OPTIONS = 3000
"""Ways to serve pieces among which that is sought at most."""

Planned = Callable[[Prices], list[PartSearch] | None]
"""Parts with plans at prices of time that share the fleet's devices; None where some part has none in the time."""
Tell = Callable[[str, float | None, float | None], None]
"""Progress: what is done, the best value known and the bound."""


@dataclass
class InTime:
    """The search for the cheapest plan in time."""

    joining: Joining
    parts: Sequence[PartSearch]
    """with plans that are the cheapest of each part"""
    least: float
    """what no plan costs less than [USD/h]"""
    enough: float
    """of a plan that costs no more nothing better is sought [USD/h]"""
    planned: Planned
    clock: Clock
    tell: Tell
    best: Joined | None = None
    looked_at: list[Candidates] = field(default_factory=list)
    plans: list[Plan] = field(default_factory=list)

    def solve(self) -> Joined | None:
        """The cheapest plan found that keeps all bounds."""
        ways = {
            b: cut(self.joining.whole.scenarios_of(b.graph), b.kind)
            for b in self.joining.whole.bounds
            if b.kind in WHOLE
        }
        if ways:
            self._try_prices(ways)
            self._compromise()
        return self.best

    @property
    def _value(self) -> float:
        return math.inf if self.best is None else self.best.value

    @property
    def _is_over(self) -> bool:
        return self.clock.over or self._value <= self.enough

    def _try_prices(self, ways: dict[Bound, Cut]) -> None:
        """(66) A few plans whose parts pay for the time that requests wait for them."""
        usd, price, too_low, enough = sum(each.value for each in self.parts), 0.0, 0.0, math.inf
        planned: Sequence[PartSearch] | None = self.parts
        self._look_at(planned)
        for number in range(ROUNDS):
            if self._is_over:
                break
            self._tell(f"price {number + 1} of time")
            plan = plan_of(planned)
            problem = self.joining.problem(taken([each.candidates for each in planned], plan))
            paces = {b: pace(problem, plan, b, ways[b]) for b in ways}
            b = max(paces, key=lambda b: paces[b].reached_s / b.limit_s)
            pricing = Pricing([each.part for each in self.parts], usd, ways[b], paces[b])
            before, price = price, pricing.following(price, b.limit_s, too_low, enough)
            if math.isclose(price, before, rel_tol=SAME_PRICE):
                break
            planned = self.planned(pricing.at(price))
            if planned is None:
                break
            self._look_at(planned)
            sets = [each.candidates for each in planned]
            joined = self.joining.judged(sets, plan_of(planned), self.least, self.clock)
            if joined is None:
                too_low = price
                continue
            enough = price
            self._take(joined)

    def _compromise(self) -> None:
        """The best of what was looked at for all prices, as one problem."""
        if self._is_over or len(self.joining.whole.pieces) > MOST_PIECES:
            return
        self._tell("all prices of time together")
        problem = presolve(self.joining.problem(self.looked_at), self._value)
        few = few_options(problem, MOST_OPTIONS, {pool for plan in self.plans for pool in plan.values()}) or problem
        found = tightened(few, self.joining.solver, self.clock.at_most(COMPROMISING_S))
        if found.plan is not None and found.value < self._value:
            joined = self.joining.judged(self.looked_at, found.plan, self.least, self.clock)
            if joined is not None:
                self._take(joined)

    def _look_at(self, planned: Sequence[PartSearch]) -> None:
        self.looked_at += [each.candidates for each in planned]
        self.plans.append(plan_of(planned))

    def _take(self, joined: Joined) -> None:
        if joined.value < self._value:
            self.best = joined

    def _tell(self, what: str) -> None:
        self.tell(what, None if self.best is None else self.best.value, self.least)
