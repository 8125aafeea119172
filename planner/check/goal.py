"""What a plan says of its own worth: the objective, its bound and gap, and the status that they allow."""

from __future__ import annotations

from collections.abc import Iterator

from ...ir.diagnostics import Diagnostics
from .latency import bound_of
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
    """Names of the bounds on latency, the counts of devices and the limits of the fleet."""
    slo = subject.graph["slo"]
    yield from (f"slo.{kind}" for kind in ("first_output", "end_to_end") if slo.get(f"{kind}_s") is not None)
    for node in (node for node in subject.nodes.values() if node.is_llm):
        yield from (f"slo.{kind}[{node.name}]" for kind in ("ttft", "tbt") if bound_of(subject, node, kind)[0])
    yield from (f"count[{name}]" for name in subject.specs)
    yield from (f"limits.{name}" for name in subject.fleet.limits)


def _check_value(subject: Subject, faults: Diagnostics) -> None:
    plan, objective = subject.plan, subject.plan["objective"]
    value, unit = objective["value"], objective["unit"]
    if objective["name"] == "cost":
        name, expected = ("usd_per_request", "USD/request") if subject.rate is None else ("usd_per_hour", "USD/h")
        meant = plan["cost"][name]
        if unit != expected or None in (value, meant) or abs(value - meant) > ROUNDING * max(abs(meant), 1e-9):
            faults.error("check.objective", f"the objective is {value} {unit}, but cost.{name} is {meant}")
    elif objective["name"] == "latency":
        # The planner counts the longest waits that it allows, so that the plan itself is never slower.
        mean = plan["latency_s"]["end_to_end"]["mean"]
        if unit != "s" or value is None or mean > value * 1.001 + 1e-9:
            faults.error("check.objective", f"the objective is {value} {unit}, but the mean end to end is {mean:.6g} s")
    else:
        faults.error("check.objective", f"no plan can be made for the objective `{objective['name']}`")


def _check_gap(subject: Subject, faults: Diagnostics) -> None:
    objective, status = subject.plan["objective"], subject.plan["status"]
    value, bound, gap = objective["value"], objective["bound"], objective["gap"]
    if status == "optimal" and (gap is None or bound is None):
        faults.error("check.status", "the plan is stated to be optimal, but names no bound or no gap")
    if status == "optimal" and gap is not None and gap > OPTIMAL_GAP:
        faults.error("check.status", f"the plan is stated to be optimal, but its gap is {gap:.3g}")
    if value is not None and bound is not None:
        true_gap = (value - bound) / max(abs(value), 1e-9)
        if true_gap < -ROUNDING:
            faults.error("check.objective", f"the bound {bound:.9g} is above the objective's value {value:.9g}")
        if gap is not None and abs(max(true_gap, 0.0) - gap) > ROUNDING:
            faults.error(
                "check.objective", f"the plan states a gap of {gap:.3g}; its value and bound make {true_gap:.3g}"
            )
    if subject.plan["conflict"]:
        faults.error("check.status", "the plan names a conflict, and yet it stands")
