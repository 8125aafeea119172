"""Solve a placement problem: relax, solve, evaluate exactly, cut, repeat."""

from __future__ import annotations

from collections.abc import Callable

from .problem import PlacementProblem
from .result import PlacementResult


def solve(
    problem: PlacementProblem,
    *,
    time_limit_s: float | None = None,
    solver: str = "highs",
    on_progress: Callable[[float | None, float | None], None] | None = None,
) -> PlacementResult:
    """The best placement, or the best found with its gap when time runs out."""
    raise NotImplementedError
