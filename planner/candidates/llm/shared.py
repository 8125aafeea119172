"""Prefill and decode at once in one server, each on its part of the device (`docs/math/split.md`).

Prompts wait for the part that prefills, which takes one at a time; then the visit waits for a slot of the batch in the
part that decodes. Weights and caches lie in one memory, so nothing moves. A replica carries a load if each of its parts
does: the larger of both is what a node takes of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ....costmodel import serving
from ....costmodel.energy import energy_above_idle_j
from ....costmodel.interruptions import Interruptions, outage
from ....costmodel.quality import as_guess, quality_of
from ....costmodel.queueing import capacity, erlang_c
from ....ir.distribution import Distribution
from ...placement.problem import NO_WAIT, Option, Pool, VisitTime
from ..classes import TenantSet, tenant_sets
from ..setting import Setting, excluded_by
from ..sizing import MOST_REPLICAS, MOST_SHARED, MOST_STEPS, NEGLIGIBLE, WAIT_CLASSES, Sizing
from .calls import Call, decode_time, first_of, per_request
from .servers import BATCHES, adapter_bytes, state, weights
from .times import Times

PHASES = ("prefill", "decode")


@dataclass(frozen=True)
class Shared:
    """A server whose phases run at once."""

    replica: serving.Replica
    share: float
    """of the multiprocessors, for prefill"""
    batch: int
    """sequences that decode at once"""

    def slots(self, phase: str) -> int:
        """Visits that one replica serves at once in a phase."""
        return 1 if phase == "prefill" else self.batch

    def part(self, phase: str) -> float:
        """Share of the device that a phase has."""
        return self.share if phase == "prefill" else 1 - self.share


@dataclass(frozen=True)
class Tenant:
    """A call in such a server."""

    call: Call
    times: Times

    def load(self, shared: Shared, phase: str) -> float:
        """What one request takes of the part of one replica [replica-s]."""
        return per_request(self.call, self.times.slot_s(phase)) / shared.slots(phase)


def shared_candidates(
    setting: Setting, name: str, replicas: Sequence[serving.Replica], calls: Sequence[Call]
) -> Iterator[tuple[Pool, tuple[Option, ...]]]:
    """The pools of these replicas for each way in which the fleet lets the device be split."""
    for replica in replicas if setting.spec(name).splits else ():
        fits = replica.parallel.tp <= replica.device.chassis and serving.fits_shape(replica.llm, replica.parallel)
        batches = [b for b in BATCHES if fits and _memory(replica, calls, b) <= replica.device.memory_bytes]
        if not batches or setting.most_replicas(name, replica.parallel.devices) == 0:
            continue
        taken_back = setting.interruptions(name, weights(replica), replica.parallel.devices)
        for share in setting.spec(name).splits:
            timed = [_times(replica, share, call, batches, taken_back) for call in calls]
            for place, batch in enumerate(batches):
                tenants = [Tenant(call, times[place]) for call, times in zip(calls, timed, strict=True)]
                for some in tenant_sets(tenants, lambda each: each.call.node, setting.class_of, setting.priorities):
                    # Two queues that one load counts for have no law by priority: each has a pool of its own.
                    if len({setting.priorities[each.call.node] for each in some.tenants}) == 1:
                        yield from _sized(setting, name, Shared(replica, share, batch), some)


def _memory(replica: serving.Replica, calls: Sequence[Call], batch: int) -> float:
    """[bytes] on one device: weights once, a prompt and a batch of one of the calls, and its adapter."""
    states = (adapter_bytes(replica, call) + state(replica, call, 1) + state(replica, call, batch) for call in calls)
    return weights(replica) + min(states)


def _times(
    replica: serving.Replica, share: float, call: Call, batches: Sequence[int], taken_back: Interruptions
) -> list[Times]:
    """Of each batch, all priced at once."""
    import numpy as np  # slow to import; plans of hosted APIs alone do without

    prompt, cached, context = (
        np.array([getattr(visit, name) for visit in call.visits]) for name in ("prompt", "cached", "context")
    )
    replica, batch = replace(replica, adapter=call.adapter), np.array(batches, float)[:, None]
    contexts = np.broadcast_to(context, (len(batches), len(context)))
    found = serving.split_times(replica, share, prompt, cached, batch, contexts)
    times = []
    for prefill, gap in zip(found.prefill.tolist(), found.step.tolist(), strict=True):
        decode = tuple((v.output - 1) * g for v, g in zip(call.visits, gap, strict=True))
        again = tuple(p + d for p, d in zip(prefill, decode, strict=True))
        times.append(Times(tuple(prefill), tuple(gap), decode, again, taken_back))
    return times


def _sized(
    setting: Setting, name: str, shared: Shared, together: TenantSet[Tenant]
) -> Iterator[tuple[Pool, tuple[Option, ...]]]:
    """The pools of one server for these tenants, by their sizes."""
    tenants = together.tenants
    replica, parallel = shared.replica, shared.replica.parallel
    interruptions = tenants[0].times.interruptions
    welcome = [each for each in tenants if not excluded_by(each.call.prefill, name)] or list(tenants)
    model = tenants[0].call.model if setting.chooses_models else ""
    served = f"{model or replica.llm.id}.{replica.precision}"
    bare = Pool(
        id=f"{name}/{served}/split{shared.share:g}/tp{parallel.tp}.pp{parallel.pp}/b{shared.batch}",
        device=name,
        location=name,
        devices_per_replica=parallel.devices,
        tp=parallel.tp,
        pp=parallel.pp,
        max_batch=shared.batch,
        memory_bytes=replica.device.memory_bytes,
        whole_nodes=True,
        availability=interruptions.availability,
        down_s=interruptions.down_s,
        model=model,
        split=shared.share,
    )
    # How phases share a memory is a guess.
    quality = as_guess(quality_of(replica.device, setting.spec(name).price))
    rate_per_s = None if setting.rate_per_s is None else setting.rate_per_s * together.share
    for sizing in split_sizings(rate_per_s, shared, welcome, setting.most_replicas(name, parallel.devices)):
        id = f"{bare.id}/{'+'.join(each.call.node for each in tenants)}{together.label}/{sizing['prefill'].label}"
        pool = replace(bare, id=id, capacity=sizing["prefill"].capacity)
        options = (
            replace(
                option,
                quality=quality,
                excluded_by=excluded_by(each.call.prefill, name),
                weights_key=each.call.weights_key if model else "",
                adapter_key=each.call.adapter_key,
                adapter_bytes=adapter_bytes(replica, each.call),
                score=each.call.score,
            )
            for each in tenants
            for option in _options(shared, pool, each, sizing)
        )
        yield pool, tuple(options)


def split_sizings(
    rate_per_s: float | None, shared: Shared, tenants: Sequence[Tenant], most: int | None
) -> list[dict[str, Sizing]]:
    """(34) How many replicas there may be, with the law of waiting of each phase.

    As `sizing.sizings`, with two queues: the load that counts is what both parts carry, the sum over the tenants of
    the larger of their phases, which is exact for one tenant and for all of them, and never too little for others.
    """
    if rate_per_s is None:
        return [dict.fromkeys(PHASES, Sizing("unsized", NO_WAIT, (float("inf"),)))]
    most = MOST_REPLICAS if most is None else min(most, MOST_REPLICAS)
    loads = {phase: rate_per_s * sum(each.load(shared, phase) for each in tenants) for phase in PHASES}
    whole = rate_per_s * sum(max(each.load(shared, phase) for phase in PHASES) for each in tenants)
    service = {phase: max(max(each.times.slot_s(phase)) for each in tenants) for phase in PHASES}
    taken_back = tenants[0].times.interruptions
    found = list(_ladder(shared, loads, whole, service, most, taken_back))
    if len(tenants) > 2 and whole <= MOST_SHARED and taken_back.availability == 1:
        for each in WAIT_CLASSES:
            sizes: list[float] = []
            while len(sizes) < most and (not sizes or sizes[-1] < whole):
                # One slot carries less than many at equal waits: what suits prefill suits decode.
                sizes.append(capacity(1, len(sizes) + 1, each.probability, each.mean_in_services))
            laws = {p: Distribution.wait(each.probability, each.mean_in_services * service[p]) for p in PHASES}
            found.append({p: Sizing(each.name, laws[p], tuple(sizes)) for p in PHASES})
    return found or [_short(service, most)]


def _ladder(
    shared: Shared,
    loads: dict[str, float],
    whole: float,
    service: dict[str, float],
    most: int,
    taken_back: Interruptions,
) -> Iterator[dict[str, Sizing]]:
    """Replicas from the fewest whose parts carry their loads up to those where nobody waits."""
    n = int(max(loads.values())) + 1
    for _ in range(MOST_STEPS):
        if n > most:
            return
        laws, idle = {}, True
        for phase, load in loads.items():
            slots = shared.slots(phase)
            probability, mean_s = erlang_c(n * slots, load * slots), service[phase] / ((n - load) * slots)
            out = outage(n, slots, load * slots, taken_back.availability, taken_back.down_s)
            laws[phase] = Sizing(f"n{n}", Distribution.wait(probability, mean_s), (*(0.0,) * (n - 1), whole), out)
            idle &= probability * mean_s + out.mean <= NEGLIGIBLE * service[phase]
        yield laws
        if idle:
            return
        n += max(1, n // 32)


def _short(service: dict[str, float], most: int) -> dict[str, Sizing]:
    """A fleet that has too few replicas for the load, as in `sizing`."""
    tight = WAIT_CLASSES[0]
    sizes = (*(0.0,) * (most - 1), capacity(1, most, tight.probability, tight.mean_in_services))
    return {
        phase: Sizing("short", Distribution.wait(tight.probability, tight.mean_in_services * seconds), sizes)
        for phase, seconds in service.items()
    }


def _options(shared: Shared, pool: Pool, tenant: Tenant, sizing: dict[str, Sizing]) -> Iterator[Option]:
    """Both pieces of one call; together they load the pool with the larger of their loads."""
    call, times = tenant.call, tenant.times
    loads = {phase: tenant.load(shared, phase) for phase in PHASES}
    visits = {
        "prefill": [(total, total) for total in map(call.spread, times.prefill)],
        "decode": [(first_of(t, g), t) for g in times.gap for t in [decode_time(call.output, g)]],
    }
    counted = {"prefill": loads["prefill"], "decode": max(0.0, loads["decode"] - loads["prefill"])}
    for phase in PHASES:
        slots = shared.slots(phase)
        worked = per_request(call, times.worked_s(phase)) / slots
        yield Option(
            f"{call.node}.{phase}",
            pool.id,
            tuple(
                VisitTime(first, total, sizing[phase].law, sizing[phase].lost(own))
                for (first, total), own in zip(visits[phase], times.lost(phase), strict=True)
            ),
            counted[phase],
            weights(shared.replica),
            state(shared.replica, call, slots),
            # Multiprocessors that rest draw little: a phase takes power by its part of the device (guess).
            energy_j_per_request=shared.part(phase)
            * energy_above_idle_j(shared.replica.device, worked, pool.devices_per_replica),
            tbt_s=times.gap if phase == "decode" else (),
            part_load=loads[phase],
        )
