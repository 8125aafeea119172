"""Servers of which a part lies beyond the devices' own memory: more sequences at once, or models that do not fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf

from ....costmodel import serving
from ..classes import TenantSet, tenant_sets
from ..setting import Setting
from .calls import Call, node_of, per_request
from .servers import BATCHES, Server, Timing, activations, adapter_bytes, cache, timings

GRAIN = 32
"""Shares in a tier are multiples of 1 / GRAIN."""


def tiered_servers(
    setting: Setting, name: str, replicas: Sequence[serving.Replica], calls: Sequence[Call]
) -> Iterator[tuple[Server, TenantSet[Call]]]:
    """Servers that need a tier of the device, each with the calls that its share in the tier was made for."""
    for replica in replicas:
        tiers = serving.tiers_of(setting.spec(name), replica.device)
        fits = replica.parallel.tp <= replica.device.chassis and serving.fits_shape(replica.llm, replica.parallel)
        if not tiers or not fits or replica.parallel.pp > 1:
            continue
        timed = {call.node: timings(replica, call, BATCHES) for call in calls}
        for tier in tiers:
            for together in tenant_sets(calls, node_of, setting.class_of, setting.priorities):
                for server in _servers(replica, tier, timed, together.tenants):
                    yield server, together


def _servers(
    replica: serving.Replica, tier: serving.Tier, timed: dict[str, list[Timing]], tenants: tuple[Call, ...]
) -> Iterator[Server]:
    """Batches that do not fit without the tier, as long as each carries more than all before it.

    One that carries no more has longer steps besides.
    """
    least = dict.fromkeys(("weights", "cache"), inf)
    for place, batch in enumerate(BATCHES):
        plain = {call.node: timed[call.node][place] for call in tenants}
        if _need(replica, tenants, batch, serving.Spill(tier)) <= replica.device.memory_bytes:
            least = dict.fromkeys(least, min(*least.values(), _load(tenants, plain, batch)))
            continue
        for spill in _spills(replica, tenants, batch, tier):
            slowed = {call.node: _slowed(replica, spill, call, plain[call.node], batch) for call in tenants}
            load, kind = _load(tenants, slowed, batch), "weights" if spill.weights else "cache"
            if load < least[kind]:
                least[kind] = load
                yield Server(replica, batch, slowed, spill)


def _load(tenants: Sequence[Call], timed: dict[str, Timing], batch: int) -> float:
    """What decoding one request of each tenant takes of a replica [replica-s]."""
    steps = ((call, timed[call.node].step) for call in tenants)
    return sum(
        per_request(call, [(v.output - 1) * s for v, s in zip(call.visits, step, strict=True)]) / batch
        for call, step in steps
    )


def _spills(
    replica: serving.Replica, tenants: Sequence[Call], batch: int, tier: serving.Tier
) -> Iterator[serving.Spill]:
    """As little of the caches in the tier as will do, or of the weights; else all caches and some weights."""
    memory = replica.device.memory_bytes
    shares = [k / GRAIN for k in range(1, GRAIN + 1)]
    caches = (serving.Spill(tier, 0.0, share) for share in shares)
    parts = (serving.Spill(tier, share, 0.0) for share in shares)
    found = [
        next((spill for spill in each if _need(replica, tenants, batch, spill) <= memory), None)
        for each in (caches, parts)
    ]
    if found == [None, None]:
        both = (serving.Spill(tier, share, 1.0) for share in shares)
        found.append(next((spill for spill in both if _need(replica, tenants, batch, spill) <= memory), None))
    yield from (
        spill for spill in found if spill is not None and _in_tier(replica, tenants, batch, spill) <= tier.bytes
    )


def _need(replica: serving.Replica, tenants: Sequence[Call], batch: int, spill: serving.Spill) -> float:
    """[bytes] of the device's own memory for all tenants together."""
    caches = (spill.held(replica, cache(replica, call, batch), spill.cache) for call in tenants)
    rest = sum(activations(replica, call, batch) + adapter_bytes(replica, call) for call in tenants)
    return spill.weights_held(replica) + sum(caches) + rest


def _in_tier(replica: serving.Replica, tenants: Sequence[Call], batch: int, spill: serving.Spill) -> float:
    """(35) [bytes] of the tier of one device for all tenants together: at most its size."""
    return spill.weights_in_tier(replica) + spill.cache * sum(cache(replica, call, batch) for call in tenants)


def _slowed(replica: serving.Replica, spill: serving.Spill, call: Call, plain: Timing, batch: int) -> Timing:
    """The times of a server that waits for what it streams."""
    first, steps, gaps = [], [], []
    for visit, alone, one in zip(call.visits, plain.prefill, plain.step, strict=True):
        prefill = float(spill.prefill_s(replica, alone, visit.prompt))
        step = float(spill.step_s(replica, one, float(batch), visit.context))
        first.append(prefill)
        steps.append(step)
        gaps.append(float(serving.tbt_s(replica, step, prefill, float(batch), visit.prompt, visit.output)))
    return Timing(tuple(first), tuple(steps), tuple(gaps))
