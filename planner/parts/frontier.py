"""The frontier of cost and mean latency of a large graph, among the pools that are best at some price of time.

`docs/math/placement.md`, "Two objectives", (75).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import cached_property

from ..candidates.least_prices import Candidates
from ..candidates.setting import Setting
from ..placement.problem import PlacementProblem
from ..placement.search.clock import Clock, TimeUp
from ..placement.search.engine import Plan, on_interrupt
from ..placement.search.frontier import MOST_POINTS, Frontier, Point
from ..placement.search.rounds import OPTIMAL_GAP
from ..placement.times.sections import Cut, cut
from .alone.alike import Prices, mean_s
from .alone.part import Part, joined, paid_anyway
from .alone.part_search import PartSearch
from .prices.critical import visits_waited_for
from .solve import ByParts

GAP = 2e-3
"""Relative gap at which a step of a part ends."""
LOWEST, HIGHEST = 1e-3, 1e3
"""Prices make of the time of the cheapest plan so many times its cost."""
PRICES = 22
"""So many are tried, each so many times the one before."""


class PricedFrontier:
    """The search for plans, as far as it has come."""

    def __init__(
        self,
        setting: Setting,
        frame: PlacementProblem,
        clock: Clock,
        solver: str = "highs",
        most_points: int = MOST_POINTS,
        on_progress: Callable[[str], None] | None = None,
    ) -> None:
        """`frame` is the problem without pools."""
        self.setting, self.frame, self.clock, self.solver = setting, frame, clock, solver
        self.most_points, self.on_progress = most_points, on_progress
        self.points: list[Point] = []
        """The cheapest first"""
        self.problem = frame
        """With the pools that points may have"""
        self.infeasible = False
        """Whether it was shown that there is no plan."""
        self._bounds: list[tuple[float, float]] = []
        """Of each price of a second [USD/h] that was tried, what cost and time come to at least [USD/h]"""

    def run(self) -> bool:
        """Points until enough are found, or time is up or the user interrupts; False where the parts have no plan."""

        def stop() -> None:
            if self.clock.stopped:
                raise KeyboardInterrupt
            self.clock.stop()

        soon = self.clock if self.clock.left is None else self.clock.at_most(self.clock.left / 2)
        search = ByParts(self.setting, self.frame, OPTIMAL_GAP, self.solver, soon)
        with on_interrupt(stop):
            found = search.solve()
            self.infeasible = search.impossible is not None or bool(search.without_place)
            if found is None:
                return False
            p, cheapest = found
            self._bounds.append((0.0, cheapest.bound or 0.0))
            sets = [_in_use(p, cheapest.placements)]
            with suppress(TimeUp, KeyboardInterrupt):
                for each in self._priced(search.parts, sets[0], cheapest.placements, soon):
                    sets.append(each)
        self.problem = joined(self.setting, self.frame, sets)
        axes = ("cost", "latency")
        frontier = Frontier(self.problem, axes, self.clock, self.solver, self.most_points, self.on_progress)
        frontier.run()
        self.points = [self._proved(point) for point in frontier.points]
        if not self.points and cheapest.objective is not None:
            self.points = [Point((cheapest.objective, math.inf), cheapest)]
        return True

    def _priced(self, parts: list[Part], cheapest: Candidates, plan: Plan, clock: Clock) -> Iterator[Candidates]:
        """The pools of all parts' best plans at one price of time after the other."""
        seconds = _seconds(cheapest, plan)
        unit = max(self._bounds[0][1], 1e-9) / max(sum(seconds.values()), 1e-9)
        visits: dict[str, float] = {}
        for number in range(PRICES):
            price = unit * LOWEST * (HIGHEST / LOWEST) ** (number / (PRICES - 1))
            if self.on_progress is not None:
                self.on_progress(f"price {number + 1} of {PRICES} of time")
            found = visits_waited_for(self.setting.visits, self._ways, seconds)
            visits = (
                {node: (visits.get(node, 0.0) + found.get(node, 0.0)) / 2 for node in visits | found}
                if visits
                else found
            )
            for each in self._planned(parts, price, visits, clock):
                found = [(g, options) for g, options in each.candidates if g.id in each.plan.values()]
                seconds |= _seconds(found, each.plan)
                yield found

    def _planned(self, parts: list[Part], usd_per_s: float, visits: Prices, clock: Clock) -> list[PartSearch]:
        """The parts at a price of time, those that have a plan."""
        prices = {node: usd_per_s * each for node, each in visits.items()}
        found = [PartSearch(part.priced(prices), self.solver) for part in parts]
        for each in found:
            clock.check()
            while not each.is_over and (not each.plan or each.open_usd > GAP * each.value):
                each.step(clock, GAP)
        bound = paid_anyway(self.frame.devices) + sum(each.bound for each in found)
        self._bounds.append((usd_per_s, bound))
        return [each for each in found if each.plan]

    @cached_property
    def _ways(self) -> Cut:
        return cut(self.frame.scenarios_of(""), "end_to_end")

    def _proved(self, point: Point) -> Point:
        """(75) With what no plan as fast costs less than."""
        value, latency = point.values
        bound = min(value, max(usd - price * latency for price, usd in self._bounds))
        gap = (value - bound) / value if value else 0.0
        status = "optimal" if gap <= OPTIMAL_GAP else "feasible"
        return replace(point, result=replace(point.result, status=status, objective=value, bound=bound, gap=gap))


def _in_use(p: PlacementProblem, plan: Plan) -> Candidates:
    """The pools of a plan, with all that may be in them."""
    return [(g, tuple(o for o in p.options if o.pool == g.id)) for g in p.pools if g.id in plan.values()]


def _seconds(candidates: Candidates, plan: Plan) -> dict[str, float]:
    """Mean time of a visit in a plan, by node [s]."""
    found: dict[str, float] = defaultdict(float)
    for _, options in candidates:
        for o in options:
            if plan.get(o.piece) == o.pool:
                found[o.piece.rpartition(".")[0]] += mean_s(o)
    return found
