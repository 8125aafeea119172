"""The frontier of two objectives: plans none of which is better in both, by exact solves under moving bounds.

`docs/math/placement.md`, "Two objectives", has the maths.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace

from ....ir.wording import counted
from ..problem import Bound, PlacementProblem
from ..result import PlacementResult
from ..times.latency import Latencies
from .clock import Clock, TimeUp
from .rounds import OPTIMAL_GAP, Search
from .solve import result_of

STEP = {"latency": 1e-3}
"""Share by which the next point has to be better in the second objective: means of times stand on a grid."""
LEAST_STEP = 2e-6
"""The same of all other objectives: twice the gap of an optimum."""
OPEN_PART = 0.8
"""The next bound on the second objective in an open region, as a share of the best value so far."""
SHARES = 4
"""Of the time that is left one search may take one part of so many; half of it while there is no point."""
MOST_POINTS = 16
"""Points looked for, unless said."""


@dataclass(frozen=True)
class Point:
    """A plan that no other one beats in both objectives."""

    values: tuple[float, float]
    result: PlacementResult
    """with the first objective's value, bound and gap"""


@dataclass(frozen=True, order=True)
class _Region:
    """Where further points may be: cheaper than `q`, and with a second objective over `low` and under `high`.

    Without `q` the region is open: how good the second objective can be is not known yet.
    """

    rank: float
    number: int
    p: Point = field(compare=False)
    q: Point | None = field(compare=False)
    low: float = field(compare=False)
    high: float = field(compare=False)


class Frontier:
    """The search for the frontier of one problem, as far as it has come."""

    def __init__(
        self,
        p: PlacementProblem,
        axes: tuple[str, str],
        clock: Clock,
        solver: str = "highs",
        most_points: int = MOST_POINTS,
        on_progress: Callable[[str], None] | None = None,
    ) -> None:
        """`axes` are two different ones of `cost`, `latency`, `energy` and `carbon`; ValueError for others."""
        if axes[0] == axes[1] or not set(axes) <= {"cost", "latency", "energy", "carbon"}:
            raise ValueError(f"no frontier of {axes[0]} and {axes[1]}")
        self.p, self.clock, self.solver, self.most_points = p, clock, solver, most_points
        self.on_progress = on_progress
        # A mean is solved for with cuts of its own: it is the second objective, and bounded on the way.
        self.axes = (axes[1], axes[0]) if axes[0] == "latency" else axes
        self.points: list[Point] = []
        self.complete = False
        """No point is missing."""
        self.infeasible = False
        self.all_proved = True
        """No point has a gap, and no region was left for want of time."""
        self.regions: list[_Region] = []
        self.count = 0
        self.laws: dict[tuple[float, int], Latencies] = {}
        self.step = STEP.get(self.axes[1], LEAST_STEP)

    def run(self) -> None:
        """Points until no more are there, enough are found, time is up or the user interrupts."""
        try:
            self._run()
        except TimeUp:  # a point that is half known is not told
            pass
        except KeyboardInterrupt:
            self.clock.stop()
        self.points.sort(key=lambda point: point.values)

    def _run(self) -> None:
        first = self._point(math.inf)
        if first is None:
            self.infeasible = True
            return
        self._push(first, None, 0.0, first.values[1])
        while self.regions and len(self.points) < self.most_points:
            self.clock.check()
            with suppress(TimeUp):
                self._look_into(heapq.heappop(self.regions))
                continue
            self.all_proved = False
        self.complete = not self.regions and self.all_proved

    def _look_into(self, region: _Region) -> None:
        """Half of the region first (a part of an open one); where that is empty, the point that follows `p`."""
        p, q, low, high = region.p, region.q, region.low, region.high
        below = math.inf if q is None else q.values[0]
        middle = (low + high) / 2 if low > 0 else OPEN_PART * high
        if middle < high * (1 - 2 * self.step):
            found = self._point(middle, below)
            if found is not None:
                self._push(p, found, middle, high)
                self._push(found, q, low, found.values[1])
                return
            low = middle * (1 - self.step)
        following = self._point(high * (1 - self.step), below)
        if following is not None and following.values[1] < high:
            self._push(following, q, low, following.values[1])

    def _push(self, p: Point, q: Point | None, low: float, high: float) -> None:
        if high - low <= self.step * high:
            return
        if q is None:
            width = 1 + (high - low) / high  # first of all: how far the frontier reaches
        elif q.values[0] - p.values[0] <= LEAST_STEP * abs(q.values[0]):
            return
        else:
            ends = [point.values for point in self.points]
            spans = [max(v[i] for v in ends) - min(v[i] for v in ends) or 1.0 for i in (0, 1)]
            width = ((q.values[0] - p.values[0]) / spans[0] + (high - low) / spans[1]) / 2
        self.count += 1
        heapq.heappush(self.regions, _Region(-width, self.count, p, q, low, high))

    def _point(self, most: float, below: float = math.inf) -> Point | None:
        """(27) The least first objective with the second at most `most`, then the least second at that first."""
        first, second = self.axes
        one = self._least(first, {second: most} if most < math.inf else {}, below)
        if one is None:
            return None
        two = self._least(second, {first: one.value})
        if two is None:
            raise TimeUp  # rounding stands between the two: as good as not found
        value = one.objective(two.plan)
        # A plan whose mean only the grid puts over `most` may come out cheaper: then it is its own bound.
        bound = min(one.bound, value)
        gap = (value - bound) / abs(value) if value else 0.0
        plan = result_of(replace(self.p, objective=first), two)
        status = "optimal" if gap <= OPTIMAL_GAP else "feasible"
        result = replace(plan, status=status, objective=value, bound=bound, gap=gap)
        point = Point((value, two.value), result)
        self.points.append(point)
        if self.on_progress is not None:
            self.on_progress(f"{counted(len(self.points), 'point')} of the frontier")
        return point

    def _least(self, objective: str, most: dict[str, float], below: float = math.inf) -> Search | None:
        """The plan with the least objective under bounds on others, or the best in a share of the time; None without
        one."""
        self.clock.check()
        problem = bounded(replace(self.p, objective=objective), most)
        if self.clock.left is None:
            search = Search(problem, self.solver, self.clock, below=below, laws=self.laws)
        else:  # laws heed the clock that they were made with
            soon = self.clock.at_most(self.clock.left / (SHARES if self.points else 2))
            search = Search(problem, self.solver, soon, below=below)
        search.run()
        if search.interrupted:
            raise KeyboardInterrupt
        if search.infeasible:
            return None
        if search.best is None:
            raise TimeUp
        self.all_proved = self.all_proved and search.proved
        return search


def bounded(p: PlacementProblem, most: dict[str, float]) -> PlacementProblem:
    """The problem with each of these objectives at most so much."""
    for name, limit in most.items():
        if name == "latency":
            p = replace(p, bounds=(*p.bounds, Bound("slo.mean", "end_to_end", limit, None)))
        else:
            p = replace(p, limits=(*p.limits, (_limit_name(p, name), limit)))
    return p


def _limit_name(p: PlacementProblem, name: str) -> str:
    if name == "cost":
        return "usd_per_request" if p.rate_per_s is None else "usd_per_hour"
    return {"energy": "energy_j_per_request", "carbon": "gco2_per_request"}[name]
