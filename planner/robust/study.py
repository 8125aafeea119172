"""What planning for a whole box of ranges gives: the plan that holds everywhere, and what that costs."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

from ...ir.ranges import Range
from ...ir.read.fleet import FleetFile
from ...ir.read.graph import GraphFile
from ..placement.problem import PlacementProblem
from ..placement.result import PlacementResult
from ..placement.search.clock import Clock
from ..placement.search.solve import best_plan
from ..posing.pose import Posed
from ..record.plan import rounded
from ..sensitivity.same_plan import Held, Outcome, hardware, held, outcome
from .box import Box, Point, box_of
from .search import Best, Robust, best_everywhere

Json = dict[str, Any]
HALVINGS = 6
"""Times that the way from the middle to where a plan breaks is halved, to tell where it breaks first."""


class Study:
    """Problems at the points of one box, and plans held against them."""

    def __init__(self, box: Box, base: PlacementProblem, clock: Clock, solver: str) -> None:
        self.box, self.base, self.clock, self.solver = box, base, clock, solver
        self._problem = cache(box.problem)

    def problem(self, point: Point) -> PlacementProblem:
        return self.base if point == self.box.worst else self._problem(point)

    def robust(self, best: Best) -> Robust:
        """The plan that holds at every corner; InputError where a corner poses no problem."""
        corners = self.box.corners

        def hold(corner: int, result: PlacementResult) -> Outcome:
            return outcome(self.problem(corners[corner]), held(self.base, result))

        return best_everywhere(self.base, len(corners) - 1, hold, best, self.clock)

    def record(self, found: Robust) -> Json:
        """`ranges` and `robust` of plan.json."""
        plan, nominal = held(self.base, found.result), self.problem(self.box.nominal)
        own = outcome(nominal, plan).value
        best = self.best(nominal)
        record: Json = {
            "unit": found.result.unit,
            "worst": found.worst,
            "nominal": own,
            "nominal_best": best.objective,
            "price_of_robustness": None if own is None or best.objective is None else max(0.0, own - best.objective),
            "replicas_following": self.best(_resized(nominal, plan)).objective,
            "corners_checked": len(self.box.corners),
            "all_corners": self.box.is_crossed,
            "broken_by_others": list(found.broken),
            "nominal_plan": None if best.objective is None else self._fragile(held(nominal, best)),
        }
        return {"ranges": [self._range(each) for each in self.box.ranges], "robust": rounded(record)}

    def _range(self, each: Range) -> Json:
        ends = {"low": each.low, "high": each.high, "nominal": each.nominal}
        return {"path": each.name, **ends, "unit": each.unit, "worst": each.worst}

    def best(self, problem: PlacementProblem) -> PlacementResult:
        """The best plan of a problem, as far as the time allows."""
        return best_plan(problem, self.clock.left, self.solver)

    def _fragile(self, plan: tuple[Held, ...]) -> Json:
        """Whether the best plan for the middle holds at all corners, and else where it breaks first and what."""
        for corner in self.box.corners:
            broken = outcome(self.problem(corner), plan).broken
            if broken:
                point, broken = self._first_break(plan, corner, broken)
                return {"holds": False, "broken": list(broken), "at": self.box.values(point), "pools": _pools(plan)}
        return {"holds": True, "broken": [], "at": {}, "pools": _pools(plan)}

    def _first_break(self, plan: tuple[Held, ...], to: Point, broken: tuple[str, ...]) -> tuple[Point, tuple[str, ...]]:
        """On the straight way from the middle to a corner where the plan breaks: the first point at which it does."""
        low, high, at = 0.0, 1.0, to
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            point = tuple(0.5 + middle * (end - 0.5) for end in to)
            names = outcome(self.problem(point), plan).broken
            if names:
                high, at, broken = middle, point, names
            else:
                low = middle
        return at, broken


def _resized(problem: PlacementProblem, plan: tuple[Held, ...]) -> PlacementProblem:
    """The problem of numbers of replicas alone: each piece on the hardware that it has in `plan`."""
    taken = {piece: each.hardware for each in plan for piece in each.pieces}
    kinds = {pool.id: hardware(pool) for pool in problem.pools}
    return replace(problem, options=tuple(o for o in problem.options if kinds[o.pool] == taken[o.piece]))


def _pools(plan: tuple[Held, ...]) -> list[Json]:
    return [{"device": each.device, "replicas": each.replicas, "pieces": list(each.pieces)} for each in plan]


def over_ranges(
    posed: Posed, files: tuple[GraphFile, FleetFile], best: Best, time_limit_s: float | None, solver: str
) -> tuple[Posed, PlacementResult, Json]:
    """The problem with what was cut off, its best plan that holds over all ranges, and `ranges` and `robust` of it.

    Infeasible, with the conflict, is for the caller to raise: the result has no objective then, and the record is
    `{"nominal": what the best plan for the middle comes to}`.
    """
    study = Study(box_of(posed, *files), posed.problem, Clock(time_limit_s), solver)
    found = study.robust(best)
    posed = replace(posed, made=found.problem)
    if found.result.objective is None:
        return posed, found.result, {"nominal": study.best(study.problem(study.box.nominal)).objective}
    return posed, found.result, study.record(found)
