"""What a user may ask to be best: what the ILP then minimises, and the value, bound and gap that a plan states."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ...ir.units import HOUR_S
from ..placement.problem import PlacementProblem
from ..placement.result import PlacementResult
from ..placement.search.throughput import Throughput

Goal = Literal["cost", "latency", "energy", "carbon", "throughput", "tokens_per_usd"]
GOALS: tuple[Goal, ...] = ("cost", "latency", "energy", "carbon", "throughput", "tokens_per_usd")
MINIMISED: Mapping[str, str] = {
    "cost": "cost",
    "latency": "latency",
    "energy": "energy",
    "carbon": "carbon",
    "throughput": "cost",
    "tokens_per_usd": "cost",
}
"""What the ILP minimises for each. The output tokens of a request are the same for all plans, so that the cheapest plan
gives most of them per USD, equation (26)."""
MAXIMISED = frozenset({"throughput", "tokens_per_usd"})


@dataclass(frozen=True)
class Stated:
    """The objective as plan.json has it."""

    name: str
    value: float | None
    unit: str
    bound: float | None
    """No plan is better than this."""
    gap: float | None
    """(value - bound) / value of what is minimised, (bound - value) / bound of what is maximised."""

    def document(self) -> dict[str, Any]:
        return {"name": self.name, "value": self.value, "unit": self.unit, "bound": self.bound, "gap": self.gap}


def stated(
    goal: str, problem: PlacementProblem, result: PlacementResult, tokens: float, served: Throughput | None
) -> Stated:
    """(26) What a plan says of its own worth; `tokens` are the output tokens of one request."""
    if served is not None:
        proved = served.bound < math.inf
        return Stated(goal, served.rate, "req/s", served.bound if proved else None, served.gap if proved else None)
    if goal != "tokens_per_usd":
        return Stated(goal, result.objective, result.unit, result.bound, result.gap)
    requests = 1.0 if problem.rate_per_s is None else problem.rate_per_s * HOUR_S
    value, bound = (None if not usd else tokens * requests / usd for usd in (result.objective, result.bound))
    return Stated(goal, value, "token/USD", bound, result.gap if value is not None and bound is not None else None)
