"""What the fleet asks a plan to survive: replicas of every pool fail, and the rest carry the load within the bounds."""

from __future__ import annotations

from ...ir.diagnostics import Diagnostics
from .latency import broken_bounds, derive
from .load import loads_of
from .service import Services
from .subject import Subject


def check_survival(subject: Subject, services: Services, faults: Diagnostics) -> None:
    """Report `check.survive` where a pool is too small without the replicas that may fail, or a bound is broken."""
    failed = subject.fleet.spare_replicas
    if subject.rate is None:
        return
    for entry in subject.plan["pools"]:
        due = 0 if subject.is_api(subject.pools[entry["id"]]) else failed
        if entry.get("spare", 0) != due:
            message = f"pool `{entry['id']}` states {entry.get('spare', 0)} replicas to spare, and {due} may fail"
            faults.error("check.survive", message)
    if not failed:
        return
    loads = loads_of(subject, services, failed)
    for id, load in loads.items():
        if load.utilisation >= 1:
            without = f"without {failed} of its replicas"
            faults.error("check.survive", f"pool `{id}` is asked for {load.utilisation:.4g} of its capacity {without}")
    if any(load.utilisation >= 1 for load in loads.values()):
        return
    for name, seconds, limit in broken_bounds(subject, derive(subject, services, loads)):
        message = f"{name} is {limit:.6g} s; without {failed} replicas of every pool the plan takes {seconds:.6g} s"
        faults.error("check.survive", message)
