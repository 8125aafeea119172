"""What the fleet asks a plan to survive: zones are lost, replicas fail, and the rest keep all bounds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...ir.diagnostics import Diagnostics
from .latency import broken_bounds, derive
from .load import loads_of
from .service import Services
from .subject import Subject


def check_survival(subject: Subject, services: Services, faults: Diagnostics) -> None:
    """Report `check.survive` where a pool is too small without what may fail, or a bound is broken then."""
    fleet = subject.fleet
    if subject.rate is None:
        return
    failed: dict[str, int] = {}
    for entry in subject.plan["pools"]:
        zones = _zones(subject, entry, faults)
        own = not subject.is_api(subject.pools[entry["id"]])
        lost = sum(sorted(zones.values(), reverse=True)[: fleet.lost_zones])
        failed[entry["id"]] = due = min(entry["replicas"], lost + fleet.spare_replicas) if own else 0
        if entry.get("spare", 0) != due:
            message = f"pool `{entry['id']}` states {entry.get('spare', 0)} replicas to spare, and {due} may fail"
            faults.error("check.survive", message)
    if not any(failed.values()):
        return
    loads = loads_of(subject, services, failed)
    for id, load in loads.items():
        if load.utilisation >= 1:
            without = f"without {failed[id]} of its replicas"
            faults.error("check.survive", f"pool `{id}` is asked for {load.utilisation:.4g} of its capacity {without}")
    if any(load.utilisation >= 1 for load in loads.values()):
        return
    for name, seconds, limit in broken_bounds(subject, derive(subject, services, loads)):
        message = f"{name} is {limit:.6g} s; without the replicas that may fail the plan takes {seconds:.6g} s"
        faults.error("check.survive", message)


def _zones(subject: Subject, entry: Mapping[str, Any], faults: Diagnostics) -> dict[str, int]:
    """Zone -> replicas of a pool in it, as even as can be; a device that names no zone stands in one of its own."""
    zones, stated = subject.specs[entry["device"]].zones, entry.get("zones", {})
    if set(stated) != set(zones):
        message = f"pool `{entry['id']}` states the zones {sorted(stated)}, and its device stands in {sorted(zones)}"
        faults.error("check.survive", message)
    elif zones and (sum(stated.values()) != entry["replicas"] or max(stated.values()) - min(stated.values()) > 1):
        message = f"pool `{entry['id']}` has {entry['replicas']} replicas, which {dict(stated)} does not spread evenly"
        faults.error("check.survive", message)
    names = zones or ("",)
    return {zone: len(range(k, entry["replicas"], len(names))) for k, zone in enumerate(names)}
