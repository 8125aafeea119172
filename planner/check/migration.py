"""What a plan says of the replicas that ran before it, derived again from those and from its own pools.

A replica of the new plan is an old one where device, degrees, model and role are equal. A new one holds its devices
until it answers: `cold_start`, or weights over the network and from the disk into the devices, and the engine's start.
Old devices o and new ones s that a count of m < o + s has to share cost s + o - m of them the requests of that time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from ...costmodel.cold_start import DOWNLOAD_BYTES_PER_S, ENGINE_START_S, LOADER_BYTES_PER_S
from ...ir.diagnostics import Diagnostics
from ...ir.units import HOUR_S
from .close import far
from .cost import energy_in_rent, holding_usd_per_hour, is_all_owned
from .memory import needs
from .service import Services
from .subject import Pool, Subject

Kind = tuple[str, str, str, tuple[int, ...], int]
"""Device, model, role, degrees, devices of a replica."""
COUNTED = ("kept", "started", "stopped", "bytes", "seconds", "usd")


def check_migration(subject: Subject, services: Services, faults: Diagnostics) -> None:
    """Report `check.migration` faults."""
    previous, stated = subject.plan["inputs"].get("previous"), subject.plan.get("migration")
    if (previous is None) != (stated is None):
        faults.error("check.migration", "a plan states a migration if and only if it embeds what ran before")
    if previous is None or stated is None or subject.rate is None:
        return
    rows = {_kind_of_row(row): row for row in stated["replicas"]}
    derived = _derive(subject, services, previous)
    for kind in sorted({*rows, *derived["replicas"]}, key=str):
        _compare(
            f"{kind[1] or 'what runs'} on `{kind[0]}`", rows.get(kind, {}), derived["replicas"].get(kind, {}), faults
        )
    _compare("the migration", stated, {name: x for name, x in derived.items() if name != "replicas"}, faults)


def _compare(what: str, stated: dict[str, Any], derived: dict[str, float], faults: Diagnostics) -> None:
    for name in sorted({*derived, *(key for key in stated if key in COUNTED)}):
        if far(stated.get(name, 0.0), derived.get(name, 0.0)):
            message = f"{what}: the plan states {name} {stated.get(name, 0):.6g}; derived {derived.get(name, 0):.6g}"
            faults.error("check.migration", message)


def _kind_of_row(row: dict[str, Any]) -> Kind:
    degrees = tuple(row["parallel"][name] for name in ("tp", "pp", "ep", "dp"))
    return row["device"], row["model"], row["role"], degrees, row["devices_per_replica"]


def _derive(subject: Subject, services: Services, previous: dict[str, Any]) -> dict[str, Any]:
    old, new, loads = Counter[Kind](), Counter[Kind](), dict[Kind, float]()
    for pool in previous["pools"]:
        for holding in pool["holds"]:
            old[_kind_of_row({**pool, **holding})] += pool["replicas"]
    for pool in subject.pools.values():
        held = dict(_held(subject, services, pool))
        for kind, size in held.items():
            new[kind] += pool.replicas
            loads[kind] = max(loads.get(kind, 0.0), size)
    rows = {}
    for kind in {*old, *new}:
        started = max(0, new[kind] - old[kind])
        seconds = _start_s(subject, kind, loads.get(kind, 0.0)) if started else 0.0
        held_h = started * kind[4] * seconds / HOUR_S
        rows[kind] = {
            "kept": min(old[kind], new[kind]),
            "started": started,
            "stopped": max(0, old[kind] - new[kind]),
            "bytes": started * loads.get(kind, 0.0),
            "seconds": seconds,
            "usd": held_h * _waiting_usd_per_hour(subject, kind[0]) if started else 0.0,
        }
    totals: dict[str, Any] = {name: sum(row[name] for row in rows.values()) for name in ("kept", "started", "stopped")}
    late = sum(_late(subject, previous, name, rows) for name in subject.specs)
    usd = sum(row["usd"] for row in rows.values()) + late * previous["usd_per_request"]
    totals |= {"bytes": sum(row["bytes"] for row in rows.values()), "requests_late": late, "usd": usd}
    totals |= {"seconds": max((row["seconds"] for row in rows.values()), default=0.0), "over_s": previous["over_s"]}
    return {**totals, "usd_per_hour": usd / (previous["over_s"] / HOUR_S), "replicas": rows}


def _held(subject: Subject, services: Services, pool: Pool) -> Iterator[tuple[Kind, float]]:
    """What a replica of the pool holds, and its weights in all devices [bytes]; nothing of hosted APIs."""
    for node, piece in subject.hosted[pool.id] if pool.replicas else ():
        measured = subject.row(piece) is not None
        role = "both" if node.is_llm and not measured and subject.together(node) else piece.rpartition(".")[2]
        model, weights = "", 0.0
        if node.name in subject.works:
            model = subject.works[node.name].key
        elif node.asks.get("model"):
            model = ".".join(filter(None, (node.asks["model"], node.asks.get("precision"))))
        if not measured:
            weights = max((shared for _, shared, _ in needs(subject, services, pool, node, piece)), default=0.0)
        degrees = (pool.tp, pool.pp, pool.ep, pool.dp)
        yield (pool.device, model, role, degrees, pool.devices_per_replica), weights * pool.devices_per_replica


def _start_s(subject: Subject, kind: Kind, size: float) -> float:
    spec, device = subject.specs[kind[0]], subject.devices.get(kind[0])
    if spec.cold_start_s is not None or not size:
        return spec.cold_start_s or 0.0
    network = min(subject.site(spec.name).network_bandwidth_bytes_per_s, DOWNLOAD_BYTES_PER_S)
    engine_s = 0.0 if device is not None and device.kind == "cpu" else ENGINE_START_S
    return float(round(size / network + size / LOADER_BYTES_PER_S + engine_s))


def _waiting_usd_per_hour(subject: Subject, name: str) -> float:
    """What a device costs that serves nobody; those that are all owned only their energy [USD/h]."""
    spec, device = subject.specs[name], subject.devices.get(name)
    usd = 0.0 if is_all_owned(spec) else sum(holding_usd_per_hour(subject, spec).values())
    if device is None or energy_in_rent(spec, device):
        return usd
    site, full = subject.site(name), spec.price.accounting == "interest_only"
    watts = device.tdp_w if full else device.idle_w * site.pue
    return usd + watts / 1000 * site.electricity_usd_per_kwh


def _late(subject: Subject, previous: dict[str, Any], name: str, rows: dict[Kind, dict[str, float]]) -> float:
    """Requests that devices of `name` leave while new replicas start in their place, the quickest of these first."""
    spec = subject.specs[name]
    old = sum(p["replicas"] * p["devices_per_replica"] for p in previous["pools"] if p["device"] == name)
    if not old or spec.max_count is None:
        return 0.0
    free = max(0, max(spec.max_count, spec.owned) - old)
    starting = [
        (row["seconds"], int(row["started"]) * kind[4])
        for kind, row in rows.items()
        if kind[0] == name and row["seconds"]
    ]
    each = [seconds for seconds, devices in sorted(starting) for _ in range(devices)]
    return (subject.rate or 0.0) / old * sum(each[: max(0, len(each) - free)])
