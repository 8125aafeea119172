"""What a plan says of each graph that shares its fleet: derived anew from the loads and the bill."""

from __future__ import annotations

from collections.abc import Mapping

from ...ir.diagnostics import Diagnostics
from ...ir.units import HOUR_S, HOURS_PER_YEAR
from .close import far
from .cost import bill, device_time_usd
from .load import Load, device_seconds
from .service import Services
from .subject import Subject


def check_members(subject: Subject, services: Services, loads: Mapping[str, Load], faults: Diagnostics) -> None:
    """Report `check.graphs` where the plan names other graphs than its inputs, or misstates a rate or a cost."""
    named, stated = {name for name in subject.members if name}, subject.plan.get("graphs", {})
    if set(stated) != named:
        faults.error(
            "check.graphs", f"the plan speaks of the graphs {sorted(stated)}, and its inputs of {sorted(named)}"
        )
        return
    for name, asks in stated.items():
        share = subject.members[name]["share"]
        derived = {
            "share": share,
            "rate_per_s": None if subject.rate is None else subject.rate * share,
            "usd_per_request": _usd(subject, services, loads, name) / share,
        }
        for key, value in derived.items():
            if (asks[key] is None) != (value is None) or (value is not None and far(asks[key], value)):
                faults.error("check.graphs", f"`{name}` states {key} {asks[key]}; derived {value}")


def _usd(subject: Subject, services: Services, loads: Mapping[str, Load], graph: str) -> float:
    """What the requests of one graph cost, for each request of all [USD].

    Devices are paid for by how long each graph keeps them; those that nobody keeps, by the share of the requests.
    """
    usd = sum(services.usd_per_request(graph).values())
    if subject.rate is None:
        return usd + sum(device_time_usd(subject, services, graph).values())
    own, whole = device_seconds(subject, services, graph), device_seconds(subject, services)
    for name, yearly in bill(subject, services, loads).usd_per_year.items():
        kept, all_kept = own.get(name, (0.0, 0.0))[0], whole.get(name, (0.0, 0.0))[0]
        part = kept / all_kept if all_kept else subject.members[graph]["share"]
        usd += yearly / HOURS_PER_YEAR / (HOUR_S * subject.rate) * part
    return usd
