"""The validator of plans: from plan.json alone it derives cost, memory and latency anew, and compares.

It shares no code with the planner. Ids of its faults: `check.shape`, `.hash`, `.inputs`, `.placement`, `.count`,
`.constraint`, `.capacity`, `.utilisation`, `.wait`, `.memory`, `.model`, `.transfer`, `.latency`, `.bound`, `.cost`,
`.sum`, `.energy`, `.graphs`, `.limit`, `.rack`, `.scale`, `.survive`, `.migration`, `.objective`, `.status`,
`.quality`; `.underived` where there is no rule to derive a figure by.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...ir.diagnostics import Diagnostic, Diagnostics, DovetailError
from .batch_schema import BATCH_PLAN
from .schema import plan_schema, shape_faults

if TYPE_CHECKING:
    from .subject import Subject

__all__ = ["check_plan", "plan_schema"]


def check_plan(plan: Mapping[str, Any]) -> list[Diagnostic]:
    """Every fault of a plan, as read from plan.json; empty where it holds. Raises nothing, whatever it is given."""
    faults, batch = Diagnostics(), isinstance(plan, Mapping) and "batch" in plan
    try:
        for message in shape_faults(plan, BATCH_PLAN if batch else None):
            faults.error("check.shape", message)
    except RecursionError:
        faults.error("check.shape", "the plan is nested too deeply")
    if not faults.errors:
        (_check_batch if batch else _check_content)(plan, faults)
    return faults.found


def _check_batch(plan: Mapping[str, Any], faults: Diagnostics) -> None:
    """The content of a batch's plan."""
    from .batch import check_batch, read_batch
    from .reading import BROKEN, check_hashes

    try:
        check_hashes(plan, faults)
        check_batch(read_batch(plan), faults)
    except (*BROKEN, DovetailError) as error:  # as below: inputs that nothing can be derived from
        faults.error("check.underived", f"the plan cannot be derived from its inputs: {type(error).__name__}: {error}")


def _check_content(plan: Mapping[str, Any], faults: Diagnostics) -> None:
    from .reading import (
        BROKEN,
        check_hashes,
        read_subject,
    )  # reads the dialects, slow to load, only for what has a shape

    try:
        check_hashes(plan, faults)
        subject = read_subject(plan, faults)
        if subject is not None and plan["status"] not in ("infeasible", "unknown"):
            _check_subject(subject, faults)
    except BROKEN as error:
        # The last boundary: inputs that pass for a graph and a fleet, but that nothing can be derived from.
        message = f"cost and latency cannot be derived from the embedded inputs: {type(error).__name__}: {error}"
        faults.error("check.underived", message)


def _check_subject(subject: Subject, faults: Diagnostics) -> None:
    from .goal import check_goal
    from .models import check_models
    from .service import NotDerivable
    from .structure import check_structure

    check_structure(subject, faults)
    if any(fault.id == "check.placement" for fault in faults.errors):
        return
    check_goal(subject, faults)
    check_models(subject, faults)
    shares = sum(subject.plan["quality"].values())
    if abs(shares - 1) > 1e-6:
        faults.error("check.quality", f"the shares of quality sum to {shares:.6g}, and not 1")
    try:
        _check_figures(subject, faults)
    except NotDerivable as reason:
        faults.error("check.underived", f"cost and latency cannot be derived: {reason}")


def _check_figures(subject: Subject, faults: Diagnostics) -> None:
    from .cost import check_cost
    from .latency import check_latency
    from .load import check_loads, loads_of
    from .members import check_members
    from .memory import check_memory
    from .migration import check_migration
    from .racks import check_racks
    from .robust import check_robust
    from .service import Services
    from .survival import check_survival
    from .transfer import check_transfers

    services = Services(subject)
    loads = loads_of(subject, services)
    check_loads(subject, services, loads, faults)
    check_memory(subject, services, faults)
    check_transfers(subject, faults)
    check_cost(subject, services, loads, faults)
    check_racks(subject, loads, faults)
    check_migration(subject, services, faults)
    check_members(subject, services, loads, faults)
    if any(fault.id == "check.graphs" for fault in faults.errors):
        return
    # Where a pool overflows no time is finite.
    if not any(fault.id == "check.capacity" for fault in faults.errors):
        check_latency(subject, services, loads, faults)
        check_survival(subject, services, faults)
        check_robust(subject, faults)
