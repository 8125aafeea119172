"""What a plan says of its own worth: the objective, its bound and gap, and the status that they allow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...ir.diagnostics import Diagnostics
from .latency import bound_of, of_graph
from .subject import Subject

OPTIMAL_GAP = 1e-6
ROUNDING = 1e-6


def check_goal(subject: Subject, faults: Diagnostics) -> None:
    """Report `check.objective` and `check.status` faults."""
    _check_value(subject, faults)
    _check_gap(subject, faults)
    names = set(_names_that_may_bind(subject))
    if len(set(subject.plan["binding"])) < len(subject.plan["binding"]):
        faults.error("check.status", "the plan names twice what binds")
    for name in subject.plan["binding"]:
        if name not in names:
            faults.error("check.status", f"`{name}` is said to bind, but is no bound, count or limit of the inputs")


def _names_that_may_bind(subject: Subject) -> Iterator[str]:
    """Names of the bounds on latency and quality, the counts of devices and the limits of the fleet."""
    for graph, asks in subject.members.items():
        kinds = (kind for kind in ("first_output", "end_to_end") if asks["slo"].get(f"{kind}_s") is not None)
        yield from (f"slo.{kind}{of_graph(graph)}" for kind in kinds)
        if "quality" in asks["slo"]:
            yield f"slo.quality{of_graph(graph)}"
    for node in (node for node in subject.written.values() if node.is_llm):
        yield from (f"slo.{kind}[{node.name}]" for kind in ("ttft", "tbt") if bound_of(subject, node, kind)[0])
    bounded = (node.name for node in subject.nodes.values() if "quality" in (node.asks.get("slo") or {}))
    yield from (f"slo.quality[{name}]" for name in bounded)
    yield from (f"count[{name}]" for name in subject.specs)
    yield from (f"limits.{name}" for name in subject.fleet.limits)
    yield from (f"racks[{rack.name}]" for rack in subject.fleet.racks)
    if subject.fleet.spare_replicas:
        yield "survive.replicas"
    if subject.fleet.lost_zones:
        yield "survive.zone"


WHAT = {
    "energy": (("energy_j_per_request",), "J/request"),
    "carbon": (("gco2_per_request",), "gCO2/request"),
}
"""Where the plan states what the objective asks to be least, and its unit."""
MAXIMISED = ("throughput", "tokens_per_usd")


def _check_value(subject: Subject, faults: Diagnostics) -> None:
    plan, objective = subject.plan, subject.plan["objective"]
    name, value, unit = objective["name"], objective["value"], objective["unit"]
    if name == "latency":
        # The planner counts the longest waits that it allows, so that the plan itself is never slower.
        mean = plan["latency_s"]["end_to_end"]["mean"]
        if unit != "s" or value is None or mean > value * 1.001 + 1e-9:
            faults.error("check.objective", f"the objective is {value} {unit}, but the mean end to end is {mean:.6g} s")
    elif name == "throughput":
        least = subject.graph["workload"].get("rate") or 0.0
        if unit != "req/s" or value is None or value < least * (1 - ROUNDING):
            faults.error("check.objective", f"the objective is {value} {unit}, but {least:g} req/s are asked for")
    else:
        path, expected = _stated_as(subject, name)
        meant: Any = plan
        for key in path:
            meant = meant[key]
        if name == "cost" and "migration" in plan and meant is not None:
            meant += plan["migration"]["usd_per_hour"]
        if name == "tokens_per_usd":
            meant = 1e6 / meant if meant else None
        if unit != expected or value is None or meant is None or abs(value - meant) > ROUNDING * max(abs(meant), 1e-9):
            faults.error("check.objective", f"the objective is {value} {unit}, but {'.'.join(path)} makes it {meant}")


def _stated_as(subject: Subject, name: str) -> tuple[tuple[str, ...], str]:
    """Where a plan has the figure that its objective is, and the unit."""
    if name == "cost":
        per_request = subject.rate is None
        return ("cost", "usd_per_request" if per_request else "usd_per_hour"), "USD/request" if per_request else "USD/h"
    if name == "tokens_per_usd":
        return ("cost", "usd_per_million_output_tokens"), "token/USD"
    return WHAT[name]


def _check_gap(subject: Subject, faults: Diagnostics) -> None:
    objective, status = subject.plan["objective"], subject.plan["status"]
    value, bound, gap = objective["value"], objective["bound"], objective["gap"]
    if status == "optimal" and (gap is None or bound is None):
        faults.error("check.status", "the plan is stated to be optimal, but names no bound or no gap")
    if status == "optimal" and gap is not None and gap > OPTIMAL_GAP * (1 + ROUNDING):
        faults.error("check.status", f"the plan is stated to be optimal, but its gap is {gap:.3g}")
    if value is not None and bound is not None:
        worse, better = (bound, value) if objective["name"] in MAXIMISED else (value, bound)
        true_gap = (worse - better) / max(abs(worse), 1e-9)
        if true_gap < -ROUNDING:
            message = f"the bound {bound:.9g} is on the wrong side of the objective's value {value:.9g}"
            faults.error("check.objective", message)
        if gap is not None and abs(max(true_gap, 0.0) - gap) > ROUNDING:
            faults.error(
                "check.objective", f"the plan states a gap of {gap:.3g}; its value and bound make {true_gap:.3g}"
            )
    if subject.plan["conflict"]:
        faults.error("check.status", "the plan names a conflict, and yet it stands")
