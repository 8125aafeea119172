"""The frontier of the most requests per second and the cost, or the mean latency: a plan for each of a dozen rates.

`docs/math/placement.md`, "Two objectives", (56).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from ....ir.units import HOUR_S
from ....ir.wording import counted
from ..problem import PlacementProblem
from ..result import PlacementResult
from .clock import Clock, TimeUp
from .frontier import MOST_POINTS, STEP, bounded
from .rounds import OPTIMAL_GAP, Search
from .solve import result_of
from .throughput import ProblemAt, Throughput, largest_rate, rounded_rate

NARROWEST = 1e-3
"""Rates nearer to each other than this share of the greatest are not told apart."""
SLACK = {"cost": OPTIMAL_GAP, "latency": STEP["latency"]}
"""Share by which a plan for more requests may be worse in the other objective and still count as no worse."""


@dataclass(frozen=True)
class RatePoint:
    """The best plan for a rate; no plan that is as good in the other objective serves more requests."""

    value: float
    """of the other objective"""
    served: Throughput
    result: PlacementResult


@dataclass(frozen=True)
class _Region:
    """Rates between those of two points, of which none is known to be between them."""

    low: RatePoint | None
    high: RatePoint
    until: float
    """[req/s]; rates from here to that of `high` have no other point."""

    @property
    def start(self) -> float:
        return 0.0 if self.low is None else self.low.served.rate or 0.0

    @property
    def width(self) -> float:
        return self.until - self.start


class RateFrontier:
    """The search for the frontier, as far as it has come."""

    def __init__(
        self,
        problem_at: ProblemAt,
        other: str,
        clock: Clock,
        solver: str = "highs",
        most_points: int = MOST_POINTS,
        on_progress: Callable[[str], None] | None = None,
    ) -> None:
        """`other` is `cost` or `latency`; ValueError for what falls where the rate grows."""
        if other not in SLACK:
            raise ValueError(f"no frontier of throughput and {other}")
        self.problem_at, self.other, self.clock, self.solver = problem_at, other, clock, solver
        self.most_points, self.on_progress = most_points, on_progress
        self.points: list[RatePoint] = []
        self.complete = False
        """No point is missing."""
        self.infeasible = False

    def run(self, least: float | None = None) -> None:
        """Points of at least `least` [req/s], until no more are there, enough are found or time is up."""
        with suppress(TimeUp, KeyboardInterrupt):
            self._run(least)
        self.points.sort(key=lambda point: point.value)

    def _run(self, least: float | None) -> None:
        most = self._largest(self.problem_at, least)
        if most.rate is None:
            self.infeasible = True
            return
        last = self._best(most.rate, most)
        first = None if least is None else self._point(least, last)
        regions = [_Region(first, last, most.rate)]
        while regions and len(self.points) < self.most_points:
            region = max(regions, key=lambda each: each.width)
            regions.remove(region)
            regions += self._parts(region, most.rate)
        self.complete = not regions

    def _parts(self, region: _Region, most: float) -> list[_Region]:
        """The region around the point for its middle; or its lower half, where that point is the upper end."""
        middle = rounded_rate((region.start + region.until) / 2)
        if region.width <= NARROWEST * most or self._is_no_worse(region.high, region.low):
            return []
        found = self._point(middle, region.high)
        if found is region.high:
            return [_Region(region.low, region.high, middle)]
        return [_Region(region.low, found, middle), _Region(found, region.high, region.until)]

    def _is_no_worse(self, point: RatePoint, low: RatePoint | None) -> bool:
        """Whether a point is as good as one for fewer requests."""
        return low is not None and point.value <= low.value + SLACK[self.other] * abs(low.value)

    def _point(self, rate: float, above: RatePoint) -> RatePoint:
        """(56) The best plan for a rate, and then for the largest rate that a plan as good as it serves.

        `above` is a point for a higher rate: the answer where it is as good itself.
        """
        problem = self.problem_at(rate)
        best = None if problem is None else self._least(problem)
        if problem is None or best is None or best.best is None or above.served.rate is None:
            raise TimeUp  # a plan for the rate is known: rounding stands against it
        most = best.value + SLACK[self.other] * abs(best.value)
        if above.value <= most:
            return above
        slope = least_usd_per_request(problem) if self.other == "cost" else 0.0
        if slope > 0:
            least_gain = max(0.0, best.value - best.bound) / (HOUR_S * slope)
            return self._found(problem, best, Throughput(rate, rate + least_gain))

        def no_worse(at: float) -> PlacementProblem | None:
            problem = self.problem_at(at)
            return None if problem is None else bounded(problem, {self.other: most})

        served = self._largest(no_worse, rate, above.served.rate)
        return self._best(served.rate or rate, served, most)

    def _best(self, rate: float, served: Throughput, most: float = math.inf) -> RatePoint:
        """The point at a rate that is known to have a plan with the other objective at most `most`."""
        problem = self.problem_at(rate)
        best = None if problem is None else self._least(problem, most)
        if problem is None or best is None:
            raise TimeUp
        return self._found(problem, best, served)

    def _found(self, problem: PlacementProblem, best: Search, served: Throughput) -> RatePoint:
        result = result_of(replace(problem, objective=self.other), best)
        status = "optimal" if served.gap <= OPTIMAL_GAP else "feasible"
        point = RatePoint(best.value, served, replace(result, status=status))
        self.points.append(point)
        if self.on_progress is not None:
            self.on_progress(f"{counted(len(self.points), 'point')} of the frontier")
        return point

    def _least(self, problem: PlacementProblem, most: float = math.inf) -> Search | None:
        """The plan with the least of the other objective; None where none has at most `most`."""
        self.clock.check()
        search = Search(replace(problem, objective=self.other), self.solver, self.clock)
        search.run()
        if search.interrupted:
            raise KeyboardInterrupt
        if search.infeasible or search.value > most * (1 + SLACK[self.other]):
            return None
        if not search.proved:
            raise TimeUp
        return search

    def _largest(self, problem_at: ProblemAt, least: float | None, below: float = math.inf) -> Throughput:
        found = largest_rate(problem_at, least, self.clock, self.solver, below=below)
        if found.stopped:
            raise TimeUp
        return found


def least_usd_per_request(p: PlacementProblem) -> float:
    """(56) What every plan pays for one request more, at least: calls and energy, not devices [USD]."""
    pools, devices = {g.id: g for g in p.pools}, {d.name: d for d in p.devices}
    least: dict[str, float] = {}
    for o in p.options:
        usd = o.usd_per_request + o.energy_j_per_request * devices[pools[o.pool].device].usd_per_joule
        least[o.piece] = min(usd, least.get(o.piece, math.inf))
    return sum(least.values())
