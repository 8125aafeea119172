"""The plan of one problem by its goal: the rate found first where that is the goal, and held over ranges of inputs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...ir.read.fleet import FleetFile
from ...ir.read.graph import GraphFile
from ..parts.large import by_parts, goes_by_parts
from ..placement.problem import PlacementProblem
from ..placement.result import PlacementResult, SolveStats
from ..placement.search.clock import Clock, TimeUp
from ..placement.search.rounds import OPTIMAL_GAP, Progress
from ..placement.search.solve import solve
from ..placement.search.throughput import Throughput
from ..posing.pose import Posed


@dataclass(frozen=True)
class Answer:
    """The plan of one problem, or why there is none."""

    posed: Posed
    result: PlacementResult
    served: Throughput | None = None
    """how the rate was found, where it is the goal"""
    over: Mapping[str, Any] = field(default_factory=dict)
    """what the plan says of ranges, where there are any"""

    @property
    def value(self) -> float:
        """What is to be least: the objective, at the worst point of the ranges; rates count as negative."""
        if self.posed.goal == "throughput":
            return -(self.posed.setting.rate_per_s or 0.0)
        worst = self.over["robust"]["worst"] if "robust" in self.over else self.result.objective
        return math.inf if worst is None else worst

    @property
    def bound(self) -> float:
        """No plan of this problem has a lower value."""
        if self.posed.goal == "throughput":
            return -math.inf if self.served is None else -self.served.bound
        return -math.inf if self.result.bound is None else self.result.bound

    @property
    def proved(self) -> bool:
        """Whether no other plan of this problem is better, or none exists."""
        if self.served is not None:
            return self.served.gap <= OPTIMAL_GAP
        return self.result.status == "infeasible" or (
            self.posed.goal != "throughput" and self.result.status == "optimal"
        )


Ask = Callable[[Posed, float | None, float | None], Answer]
"""Answers a problem in a time [s]. With the value in the middle only better plans need be found, and where there is
none it is not said why."""


def asking(
    files: tuple[GraphFile, FleetFile],
    solver: str,
    on_progress: Progress,
    gap: float = OPTIMAL_GAP,
) -> Ask:
    """What answers problems that come of the files, to a relative gap; large ones part by part."""

    def ask(posed: Posed, below: float | None, time_limit_s: float | None) -> Answer:
        clock = Clock(time_limit_s)

        def best(p: PlacementProblem, left_s: float | None, below: float | None) -> PlacementResult:
            told = on_progress
            return solve(
                p, time_limit_s=left_s, solver=solver, on_progress=told, with_latency=False, below=below, gap=gap
            )

        def whole(below: float | None) -> PlacementResult:
            """Of all pools, which take their time to be written down."""
            try:
                on_progress(None, None, "writing down what may serve each node")
                problem = posed.written(clock)
            except TimeUp:
                return PlacementResult("unknown", stats=SolveStats(clock.spent, solver=solver))
            on_progress(None, None, "first plan")
            return best(problem, clock.left, below)

        # What is best at one rate, or at the worst corner of ranges, need not be the best of all.
        of_its_own = None if below is None else math.inf
        served = None
        if posed.goal == "throughput":
            from .most import at_most_requests

            posed, served = at_most_requests(posed, files[0].sources, time_limit_s, solver, on_progress)
            if served is None or served.plan is None:
                return Answer(posed, whole(of_its_own), served)
            return Answer(posed, served.plan, served)
        if files[0].ranges or files[1].ranges:
            from ..robust.study import over_ranges

            def at_worst(problem: PlacementProblem, left_s: float | None) -> PlacementResult:
                return best(problem, left_s, of_its_own)

            posed, result, over = over_ranges(posed, files, at_worst, time_limit_s, solver)
            return Answer(posed, result, over=over)
        if goes_by_parts(posed):
            found = by_parts(posed, gap, clock.left, solver, on_progress)
            # Why there is none, the whole problem tells.
            return Answer(*found) if found is not None else Answer(posed, whole(below))
        return Answer(posed, whole(below))

    return ask


def in_words(on_progress: Callable[[str], None] | None) -> Progress:
    """Tells values and bounds in words, and of what part of a search they are."""

    def tell(best: float | None, bound: float | None, of: str = "", /) -> None:
        if on_progress is not None:
            value = f"best {best:.6g}" if best is not None else ""
            known = value or ("" if of and bound is None else "no plan yet")
            proved = "" if bound is None else f"bound {bound:.6g}"
            on_progress(": ".join(filter(None, (of, ", ".join(filter(None, (known, proved)))))))

    return tell
