"""Plans of a graph on a fleet along the frontier of two objectives, as documents."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from ...ir.diagnostics import Diagnostic, InputError
from ..parts.frontier import PricedFrontier
from ..parts.large import has_parts
from ..placement.result import PlacementResult
from ..placement.search.clock import Clock, TimeUp
from ..placement.search.frontier import MOST_POINTS, Frontier
from ..placement.search.frontier_rates import RateFrontier
from ..placement.search.throughput import Throughput
from ..posing.goals import GOALS, MAXIMISED, MINIMISED
from ..posing.pose import Posed
from ..posing.to_problem import frame

Json = dict[str, Any]
Document = Callable[[Posed, PlacementResult, Throughput | None], Json]
UNITS = {"latency": "s", "energy": "J/request", "carbon": "gCO2/request", "tokens_per_usd": "token/USD"}
UNITS |= {"throughput": "req/s"}
FIGURE = {"latency": ("latency_s", "end_to_end", "mean"), "energy": ("energy_j_per_request",)}
FIGURE |= {"carbon": ("gco2_per_request",), "tokens_per_usd": ("cost", "usd_per_million_output_tokens")}
FIGURE |= {"throughput": ("objective", "value")}
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
        beside = (set(names) - {"throughput"}).pop()
        if beside in ("cost", "latency"):
            return names[0], names[1]
        message = f"`throughput` and `{beside}` have no frontier: more requests share what devices take when idle"
        raise _refusal(message, "take `cost,throughput` or `latency,throughput`, or give rates one by one")
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
                "gap": plan["objective"]["gap"],
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
    document: Document,
    points: int = MOST_POINTS,
    on_progress: Callable[[str], None] | None = None,
) -> Found:
    """The frontier; `document` makes plan.json of a result. Points that another one beats as stated are left out.

    Plans state their latency with the waits of their own load, which are shorter than those they are planned with.
    Each way to split traffic has its own `points`, and its share of the time that the ones before left.
    """
    asked, ways, found = Asked(axes, solver, document, points, on_progress), posed.split_choices, list[Found]()
    for number, kept in enumerate(ways):
        share = clock
        if len(ways) > 1 and clock.left is not None:
            share = clock.at_most(clock.left / (len(ways) - number))
        found.append(_of_one_split(posed.at_splits(kept), share, asked))
    if len(found) == 1:
        return found[0]
    plans = _best([plan for each in found for plan in each.plans], axes)
    complete = bool(plans) and all(each.complete or each.infeasible for each in found)
    return Found(axes, tuple(plans), complete, all(each.infeasible for each in found))


@dataclass(frozen=True)
class Asked:
    """What is wanted of every problem whose points make one frontier."""

    axes: tuple[str, str]
    solver: str
    document: Document
    points: int
    """at most"""
    on_progress: Callable[[str], None] | None


def _of_one_split(posed: Posed, clock: Clock, asked: Asked) -> Found:
    """The frontier of one problem, its traffic split as it says."""
    axes = asked.axes
    if "throughput" in axes:
        return _over_rates(posed, clock, asked)
    minimised = MINIMISED[axes[0]], MINIMISED[axes[1]]
    if set(minimised) == {"cost", "latency"} and has_parts(posed.setting, posed.works):
        by_price = PricedFrontier(
            posed.setting,
            frame(posed.setting, posed.works, "cost"),
            clock,
            asked.solver,
            asked.points,
            asked.on_progress,
        )
        if by_price.run() or by_price.infeasible:
            first, second = axes if minimised[0] == "cost" else (axes[1], axes[0])
            again = replace(posed, goal=first, made=by_price.problem)
            plans = [asked.document(again, point.result, None) for point in by_price.points]
            return Found(axes, _points(plans, axes, second), complete=False, infeasible=by_price.infeasible)
    try:
        problem = posed.written(clock)
    except TimeUp:
        return Found(axes, (), complete=False, infeasible=False)
    frontier = Frontier(problem, minimised, clock, asked.solver, asked.points, asked.on_progress)
    frontier.run()
    first, second = axes if frontier.axes[0] == MINIMISED[axes[0]] else (axes[1], axes[0])
    again = replace(posed, goal=first, made=replace(posed.problem, objective=frontier.axes[0]))
    plans = [asked.document(again, point.result, None) for point in frontier.points]
    return Found(axes, _points(plans, axes, second), frontier.complete, frontier.infeasible)


def _over_rates(posed: Posed, clock: Clock, asked: Asked) -> Found:
    """(56) The frontier of `throughput` and another objective."""
    other = next(axis for axis in asked.axes if axis != "throughput")
    frontier = RateFrontier(posed.problem_at, other, clock, asked.solver, asked.points, asked.on_progress)
    frontier.run(posed.setting.rate_per_s)
    plans: list[Json] = []
    for point in frontier.points:
        again = posed.at_rate(point.served.rate or 0.0)
        if again is not None:
            again = replace(again, goal="throughput", made=replace(again.problem, objective=other))
            plans.append(asked.document(again, point.result, point.served))
    return Found(asked.axes, _points(plans, asked.axes, other), frontier.complete, frontier.infeasible)


def _points(plans: list[Json], axes: tuple[str, str], under: str) -> tuple[Json, ...]:
    """The plans that no other one beats as stated, each with what it is a point of."""
    found = _best(plans, axes)
    for plan in found:
        plan["frontier"] = {"objectives": list(axes), "under": {under: value_of(plan, under)}}
    return tuple(found)


def _best(plans: list[Json], axes: tuple[str, str]) -> list[Json]:
    """Plans that no other one equals or beats in both, the best by the first objective first."""

    def key(plan: Json) -> tuple[float, ...]:
        return tuple(-value_of(plan, axis) if axis in MAXIMISED else value_of(plan, axis) for axis in axes)

    kept: list[Json] = []
    for plan in sorted(plans, key=key):
        if not kept or key(plan)[1] < key(kept[-1])[1] - EQUAL * abs(key(kept[-1])[1]):
            kept.append(plan)
    return kept
