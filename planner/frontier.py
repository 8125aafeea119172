"""Plans of a graph on a fleet along the frontier of two objectives, as documents."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from ..ir.diagnostics import Diagnostic, InputError
from .goals import GOALS, MAXIMISED, MINIMISED
from .placement.clock import Clock
from .placement.frontier import MOST_POINTS, Frontier
from .placement.result import PlacementResult
from .pose import Posed

Json = dict[str, Any]
UNITS = {"latency": "s", "energy": "J/request", "carbon": "gCO2/request", "tokens_per_usd": "token/USD"}
FIGURE = {"latency": ("latency_s", "end_to_end", "mean"), "energy": ("energy_j_per_request",)}
FIGURE |= {"carbon": ("gco2_per_request",), "tokens_per_usd": ("cost", "usd_per_million_output_tokens")}
"""Where a plan states what an objective is about."""
EQUAL = 1e-6
"""Figures of two plans within this share are one."""


def axes_of(text: str) -> tuple[str, str]:
    """The two objectives of `cost,latency`; InputError for what is no such pair."""
    names = [name.strip() for name in text.split(",")]
    unknown = [name for name in names if name not in GOALS]
    if unknown:
        raise _refusal(f"`{unknown[0]}` is no objective", f"objectives are {', '.join(GOALS)}")
    if len(names) != 2 or names[0] == names[1]:
        raise _refusal(f"a frontier needs two different objectives, and `{text}` names {_count(names)}", EXAMPLE)
    if "throughput" in names:
        message = "a frontier with `throughput` is not supported: every rate would be a point of it"
        raise _refusal(message, "give rates one by one, or take another pair")
    if MINIMISED[names[0]] == MINIMISED[names[1]]:
        message = f"`{names[0]}` and `{names[1]}` rank plans alike: their frontier is one plan"
        raise _refusal(message, EXAMPLE)
    return names[0], names[1]


EXAMPLE = "name two, such as `--pareto cost,latency`"


def _count(names: list[str]) -> str:
    return "one" if len(set(names)) == 1 else str(len(names))


def _refusal(message: str, help: str) -> InputError:
    return InputError([Diagnostic("pareto", message, help=help)])


@dataclass(frozen=True)
class Found:
    """A frontier as far as it was found: the plans, the best by the first objective first."""

    axes: tuple[str, str]
    plans: tuple[Json, ...]
    complete: bool
    """No plan of the frontier is missing."""
    infeasible: bool

    def document(self) -> Json:
        """The frontier as plain data, without its plans."""
        points = [
            {
                "values": [value_of(plan, axis) for axis in self.axes],
                "status": plan["status"],
                "devices": {name: entry["devices"] for name, entry in plan["fleet"].items()},
            }
            for plan in self.plans
        ]
        units = [unit_of(self.plans[0], axis) for axis in self.axes] if self.plans else []
        name = str(self.plans[0]["inputs"]["graph"].get("name") or "workflow") if self.plans else ""
        head = {"format": 1, "name": name, "objectives": list(self.axes), "units": units}
        return {**head, "complete": self.complete, "points": points}


def value_of(plan: Json, axis: str) -> float:
    """What a plan states of one objective."""
    if axis == "cost":
        per_hour = plan["cost"]["usd_per_hour"]
        return plan["cost"]["usd_per_request"] if per_hour is None else per_hour
    value: Any = plan
    for key in FIGURE[axis]:
        value = value[key]
    return (1e6 / value if value else 0.0) if axis == "tokens_per_usd" else value


def unit_of(plan: Json, axis: str) -> str:
    """The unit of `value_of`."""
    if axis == "cost":
        return "USD/request" if plan["cost"]["usd_per_hour"] is None else "USD/h"
    return UNITS[axis]


def find(
    posed: Posed,
    axes: tuple[str, str],
    clock: Clock,
    solver: str,
    document: Callable[[Posed, PlacementResult], Json],
    points: int = MOST_POINTS,
    on_progress: Callable[[str], None] | None = None,
) -> Found:
    """The frontier; `document` makes plan.json of a result. Points that another one beats as stated are left out.

    Plans state their latency with the waits of their own load, which are shorter than those they are planned with.
    """
    frontier = Frontier(posed.problem, (MINIMISED[axes[0]], MINIMISED[axes[1]]), clock, solver, points, on_progress)
    frontier.run()
    first, second = axes if frontier.axes[0] == MINIMISED[axes[0]] else (axes[1], axes[0])
    asked = replace(posed, goal=first, problem=replace(posed.problem, objective=frontier.axes[0]))
    plans = _best([document(asked, point.result) for point in frontier.points], axes)
    for plan in plans:
        plan["frontier"] = {"objectives": list(axes), "under": {second: value_of(plan, second)}}
    return Found(axes, tuple(plans), frontier.complete, frontier.infeasible)


def _best(plans: list[Json], axes: tuple[str, str]) -> list[Json]:
    """Plans that no other one equals or beats in both, the best by the first objective first."""

    def key(plan: Json) -> tuple[float, ...]:
        return tuple(-value_of(plan, axis) if axis in MAXIMISED else value_of(plan, axis) for axis in axes)

    kept: list[Json] = []
    for plan in sorted(plans, key=key):
        if not kept or key(plan)[1] < key(kept[-1])[1] - EQUAL * abs(key(kept[-1])[1]):
            kept.append(plan)
    return kept
