"""How busy each pool is, and how long visits wait for a free slot in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from ...ir.diagnostics import Diagnostics
from ...ir.distribution import Distribution
from .close import far
from .idle import NEVER_DOWN, Idle, check_scale, idle_of
from .interruptions import Outage
from .service import NOTHING, Services
from .subject import Node, Pool, Subject
from .waiting import Wait, wait_of, waits_by_priority


@dataclass(frozen=True)
class Load:
    """The load of one pool."""

    utilisation: float
    """share of its slots that are busy; over 1 it overflows"""
    wait: Wait
    working: float = 0.0
    """share of its slots that work: those of replicas that are down do not"""
    outage: Distribution = NOTHING
    """law of the wait until enough replicas are up [s]"""
    phases: Mapping[str, Load] = field(default_factory=dict)
    """where the device is split: the loads of its parts, by phase"""
    idle: Idle = NEVER_DOWN
    """how it goes down when nothing is in it"""
    waits: Mapping[int, Wait] = field(default_factory=dict)
    """Priority -> the wait of its visits"""

    def wait_law(self, priority: int) -> Distribution:
        """The wait of visits of one priority as a distribution [s]; infinite waits have none."""
        own = self.waits.get(priority, self.wait)
        return Distribution.wait(own.probability, own.mean_s)

    def at(self, piece: str) -> Load:
        """The load of the queue that `piece` waits in."""
        return self.phases.get(piece.rpartition(".")[2], self)


IDLE = Load(0.0, Wait())


NONE_FAILED: Mapping[str, int] = MappingProxyType({})


def loads_of(subject: Subject, services: Services, failed: Mapping[str, int] = NONE_FAILED) -> dict[str, Load]:
    """Pool -> its load where so many of its replicas failed; idle where the graph has no rate, as hosted APIs are."""
    return {
        pool.id: _load(subject, services, pool, pool.replicas - failed.get(pool.id, 0))
        for pool in subject.pools.values()
    }


def waits_for_slot(subject: Subject, node: Node, piece: str) -> bool:
    """Whether `piece` waits by itself: decode keeps the slot that prefill took in the same server."""
    pool = subject.pool_of[piece]
    measured = subject.row(piece) is not None
    own_queue = pool.split is not None or piece == node.pieces[0] or not subject.together(node)
    return not subject.is_api(pool) and (measured or own_queue)


def slots_of(subject: Subject, pool: Pool) -> int:
    """Visits that start at once in one replica: a batch where tokens are decoded, the cores of a host, else one.

    Where prompts are read and nothing is decoded, one for each attention group.
    """
    hosted = subject.hosted[pool.id]
    if any(subject.row(piece) is not None or node.kind == "model_call" for node, piece in hosted):
        return 1
    if any(piece == f"{node.name}.decode" for node, piece in hosted):
        return pool.max_batch
    if any(node.is_llm for node, _ in hosted):
        return pool.dp
    cores = subject.devices[pool.device].cores if pool.device in subject.devices else None
    return max(1, min(pool.max_batch, cores or 1))


def prompts_held(subject: Subject, pool: Pool) -> int:
    """Sequences of language models that one replica holds at once: a batch, or a prompt in each stage of a group."""
    decodes = any(piece == node.pieces[-1] for node, piece in subject.hosted[pool.id])
    return slots_of(subject, pool) * (1 if decodes else pool.pp)


def _load(subject: Subject, services: Services, pool: Pool, replicas: int) -> Load:
    if subject.rate is None or subject.is_api(pool):
        return IDLE
    hosted = subject.hosted[pool.id]
    if pool.split is None:
        load = _queue(subject, services, hosted, replicas, slots_of(subject, pool))
        return load if pool.keep_alive_s is None else _going_down(subject, services, pool, load)
    phases = {
        phase: _queue(subject, services, [each for each in hosted if each[1].endswith(f".{phase}")], replicas, slots)
        for phase, slots in (("prefill", 1), ("decode", pool.max_batch))
    }
    fullest = max(load.utilisation for load in phases.values())
    working = sum(pool.part(phase) * load.working for phase, load in phases.items())
    return Load(fullest, phases["prefill"].wait, working, phases=phases)


def _going_down(subject: Subject, services: Services, pool: Pool, load: Load) -> Load:
    """The load of a pool that is given back when nothing is in it."""
    rate, nodes = subject.rate or 0.0, {node.name: node for node, _ in subject.hosted[pool.id]}
    visits_per_s = rate * sum(subject.visits[name] for name in nodes)
    slots = pool.replicas * slots_of(subject, pool)
    if not 0 < load.utilisation < 1 or not visits_per_s:
        return load
    weights = max(services.weight_bytes(node, pool) for node in nodes.values())
    requests_per_s = rate * max(subject.reached[name][0] for name in nodes)
    served = (slots, visits_per_s, load.utilisation * slots / visits_per_s)
    idle = idle_of(subject, pool, weights, served, requests_per_s)
    return replace(load, outage=idle.wait, idle=idle)


def _queue(subject: Subject, services: Services, hosted: Iterable[tuple[Node, str]], replicas: int, slots: int) -> Load:
    """The load of so many slots of each replica, in which these pieces run."""
    assert subject.rate is not None
    kept_s = working_s = 0.0
    outages: list[Outage] = []
    offered: dict[int, float] = {}
    for node, piece in hosted:
        priority = subject.priority_of(node)
        for share, served in zip(subject.reached[node.name], services.visits[piece], strict=True):
            kept_s += share * served.kept_s
            offered[priority] = offered.get(priority, 0.0) + subject.rate * share * served.kept_s
            working_s += share * served.slot_s
            outages.append(served.outage)
    # A visit's pieces hold one slot, one after the other: they arrive once.
    arrivals = sum(subject.visits[name] for name in {node.name for node, _ in hosted})
    servers = max(0, replicas) * slots
    if not kept_s or not arrivals:
        return IDLE
    wait = wait_of(servers, arrivals * subject.rate, kept_s / arrivals, subject.arrivals_cv)
    if not servers:
        return Load(float("inf"), wait)
    kept, up = kept_s * subject.rate, min(outages, key=lambda each: each.up_share)
    out = up.wait(replicas, slots, kept) if kept < servers else NOTHING
    waits = waits_by_priority(wait, servers, offered)
    return Load(kept / servers, wait, working_s * subject.rate / servers, out, waits=waits)


def device_seconds(subject: Subject, services: Services, graph: str = "") -> dict[str, tuple[float, float]]:
    """Fleet name -> seconds of its devices that one request keeps on average, and in which they work.

    Hosted APIs take none. Of the nodes of one graph, or of all.
    """
    found: dict[str, tuple[float, float]] = {}
    for pool in subject.pools.values():
        if subject.is_api(pool):
            continue
        kept_s, working_s = found.get(pool.device, (0.0, 0.0))
        kept: dict[str, float] = {}
        for node, piece in subject.hosted[pool.id]:
            if not subject.is_of(node.name, graph):
                continue
            phase = piece.rpartition(".")[2]
            slots = 1 if pool.split is not None and phase == "prefill" else slots_of(subject, pool)
            of_slot = pool.devices_per_replica / slots
            visits = list(zip(subject.reached[node.name], services.visits[piece], strict=True))
            own = sum(share * served.kept_s for share, served in visits) * of_slot
            # Of a split device a node keeps the larger part of what its phases do.
            kept[node.name] = max(kept.get(node.name, 0.0), own) if pool.split else kept.get(node.name, 0.0) + own
            working_s += sum(share * served.slot_s for share, served in visits) * of_slot * pool.part(phase)
        found[pool.device] = (kept_s + sum(kept.values()), working_s)
    return found


def check_loads(subject: Subject, services: Services, loads: Mapping[str, Load], faults: Diagnostics) -> None:
    """Report `check.capacity` where a pool overflows and `check.utilisation` where the plan misstates it."""
    for entry in subject.plan["pools"]:
        id, stated = entry["id"], entry["utilisation"]
        if subject.rate is None or subject.is_api(subject.pools[id]):
            if stated:
                faults.error("check.utilisation", f"pool `{id}` is not sized, but its utilisation is {stated:g}")
            continue
        _check_availability(subject, services, entry, faults)
        derived = loads[id].utilisation
        if derived >= 1:
            faults.error("check.capacity", f"pool `{id}` is asked for {derived:.4g} times what it can carry")
        if stated is None or far(stated, derived):
            faults.error("check.utilisation", f"pool `{id}` states utilisation {stated}; derived {derived:.6g}")
        _check_wait(id, entry.get("wait"), loads[id].wait, faults)
        _check_wait(id, entry.get("decode_wait"), loads[id].at(".decode").wait, faults)
        check_scale(subject, id, loads[id].idle, faults)
        _check_waits(id, entry.get("waits", []), loads[id].waits, faults)


def _check_availability(subject: Subject, services: Services, entry: Mapping[str, Any], faults: Diagnostics) -> None:
    """The share of the time that replicas are up may be stated too low, for other work than is there, but not high."""
    served = (services.visits[piece] for _, piece in subject.hosted[entry["id"]])
    derived = min((visit.up_share for visits in served for visit in visits), default=1.0)
    if entry.get("availability", 1.0) > derived * (1 + 1e-6):
        stated = entry.get("availability", 1.0)
        message = f"pool `{entry['id']}` states an availability of {stated:.6g}; derived {derived:.6g}"
        faults.error("check.utilisation", message)


def _check_waits(
    id: str, stated: Sequence[Mapping[str, Any]], derived: Mapping[int, Wait], faults: Diagnostics
) -> None:
    """Where visits of several priorities share a pool, each has its law."""
    expected = sorted(derived, reverse=True) if len(derived) > 1 else []
    if [row["priority"] for row in stated] != expected:
        faults.error("check.wait", f"pool `{id}` does not state its waits by the priorities {expected}")
        return
    for row in stated:
        _check_wait(id, row, derived[row["priority"]], faults)


def _check_wait(id: str, stated: Mapping[str, float] | None, derived: Wait, faults: Diagnostics) -> None:
    if stated is None or derived.mean_s == float("inf"):
        return
    if not derived.probability and not stated["probability"]:
        return
    for name, value in (("probability", derived.probability), ("mean_s", derived.mean_s)):
        if far(stated[name], value):
            faults.error("check.wait", f"pool `{id}` states wait.{name} {stated[name]:.6g}; derived {value:.6g}")
