"""Pools of rented devices that go down when they are idle, beside those that stay up; `docs/math/idle.md`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from ...costmodel.idle import billed, start_s, start_wait
from ...ir.distribution import Distribution
from ..placement.problem import NO_WAIT, Option, Pool, VisitTime
from .setting import Setting

Candidate = tuple[Pool, tuple[Option, ...]]
WORTH = 0.99
"""A pool that is up for a larger share of the time saves too little to be one more choice."""
SAME_LOAD = 1e-9


def with_idle(setting: Setting, candidates: Iterable[Candidate]) -> Iterator[Candidate]:
    """The candidates, each followed by the same pool going down after each keep-alive time that its device may have."""
    for pool, options in candidates:
        yield pool, options
        if not pool.capacity or pool.split is not None or pool.tier or setting.rate_per_s is None:
            continue  # a device that is split has two queues, and no law of what they wait together; tiers fill slowly
        if not setting.spec(pool.device).scale.min_replicas:
            yield from _going_down(setting, pool, options)


def _going_down(setting: Setting, pool: Pool, options: tuple[Option, ...]) -> Iterator[Candidate]:
    """A pool sized for all that may be in it; one that others may join has no load of its own."""
    inside = tuple(option for option in options if not option.excluded_by)
    rate = setting.rate_per_s or 0.0
    load = rate * sum(option.load for option in inside)
    if not load or abs(pool.capacity[-1] - load) > SAME_LOAD * load or any(pool.capacity[:-1]):
        return
    nodes = dict.fromkeys(option.piece.rpartition(".")[0] for option in inside)
    visits = rate * sum(setting.visits_per_request[node] for node in nodes)
    # Visits of one request come together: what finds the pool down is counted by requests, what keeps it up by visits.
    requests = rate * max(setting.visits[node][0] for node in nodes)
    offered, slots = load * pool.slots, len(pool.capacity) * pool.slots
    seconds = _start_s(setting, pool, inside)
    for keep_alive_s in dict.fromkeys(setting.spec(pool.device).scale.keep_alive_s):
        share = billed(slots, offered, offered / visits, keep_alive_s, seconds)
        if share > WORTH:
            continue
        law = start_wait(requests, keep_alive_s, seconds)
        down = replace(
            pool, id=f"{pool.id}/idle{keep_alive_s:g}s", billed=share, keep_alive_s=keep_alive_s, start_s=seconds
        )
        yield down, tuple(replace(o, pool=down.id, visits=tuple(_starting(v, law) for v in o.visits)) for o in inside)


def _start_s(setting: Setting, pool: Pool, inside: tuple[Option, ...]) -> float:
    """[s] to start a replica with the weights of all its models; pieces of one node have one model."""
    weights = {option.piece.rpartition(".")[0]: option.weight_bytes for option in inside}
    # Pools of several models are hosts, which have no engine to start, and whose weights do not count.
    weight_bytes = max(weights.values())
    return start_s(setting.spec(pool.device), setting.devices.get(pool.device), weight_bytes, pool.devices_per_replica)


def _starting(visit: VisitTime, law: Distribution) -> VisitTime:
    """A visit that waits for a slot waits for the start too; decoding in the slot of a prefill waits for neither."""
    return visit if visit.wait == NO_WAIT else replace(visit, lost=(*visit.lost, law))
