"""Language models on one's own devices: prefill and decode in one server, or each in its own pool."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from ....costmodel import serving
from ....costmodel.energy import energy_above_idle_j
from ....costmodel.quality import as_guess, quality_of
from ....costmodel.roofline import can_compute
from ....ir.alternatives import models_of
from ....ir.llm import PrefillOp
from ...placement.problem import NO_WAIT, Option, Pool, VisitTime
from ..classes import TenantSet, loads_by_node, priorities_by_node, tenant_sets
from ..profiles import profile_of
from ..setting import Setting, excluded_by
from ..sizing import Sizing, sizings
from .calls import Call, Visit, decode_time, first_of, node_of, per_request, visits_of
from .servers import DEGREES, Server, adapter_bytes, servers
from .shared import shared_candidates
from .tiers import tiered_servers
from .times import Times, times_of


def llm_candidates(setting: Setting) -> Iterator[tuple[Pool, tuple[Option, ...]]]:
    """Every pool for every model that nodes of the graph call, with the nodes' pieces in it."""
    groups: dict[tuple[str, str, str, int | None, int], list[Call]] = {}
    for node, prefill, decode, _ in setting.llm_nodes:
        if profile_of(setting, prefill) is not None:
            continue
        kv_precision = prefill.kv_precision.data if prefill.kv_precision else "bf16"
        mass = setting.visits[node]
        tp = prefill.tp.value.data if prefill.tp is not None else None
        pp = prefill.pp.value.data if prefill.pp is not None else 1
        visits = visits_of(prefill, decode, len(mass))
        for model in fitting_models(setting, prefill, visits[-1]):
            precision = prefill.precision.data if prefill.precision else setting.llms[model].precision
            call = Call(node, prefill, decode, visits, mass, model, setting.adapter(prefill))
            groups.setdefault((model, precision, kv_precision, tp, pp), []).append(call)
    for (model, precision, kv_precision, tp, pp), calls in groups.items():
        for name, device in setting.devices.items():
            if device.kind != "cpu" and can_compute(device, precision) and can_compute(device, "bf16"):
                degrees = [serving.Parallel(tp=each, pp=pp) for each in ([tp] if tp else DEGREES)]
                llm = setting.llms[model]
                replicas = [serving.Replica(llm, device, each, precision, kv_precision) for each in degrees]
                sets = list(tenant_sets(calls, node_of, setting.class_of, setting.priorities))
                for server in servers(replicas, calls):
                    yield from _pools(setting, name, server, sets)
                yield from shared_candidates(setting, name, replicas, calls)
                for server, together in tiered_servers(setting, name, replicas, calls):
                    yield from _pools(setting, name, server, [together])


def fitting_models(setting: Setting, prefill: PrefillOp, last: Visit) -> list[str]:
    """The models with figures that a node names; of several, those that its longest visit has room in."""
    named = models_of(prefill)
    known = [model for model in named if model in setting.llms]
    return [m for m in known if len(named) == 1 or last.prompt + last.output <= setting.llms[m].context_tokens]


def _pools(
    setting: Setting, name: str, server: Server, groups: Iterable[TenantSet[Call]]
) -> Iterator[tuple[Pool, tuple[Option, ...]]]:
    """The three roles of a server: both phases in it, prefill alone (no batch needed), decode alone."""
    if setting.most_replicas(name, server.parallel.devices) == 0:
        return
    roles = ("both", "decode", "prefill") if server.batch == 1 else ("both", "decode")
    groups = tuple(groups)
    for role in roles:
        timed = {call.node: times_of(setting, name, server, call, role) for call in groups[0].tenants}
        for group in groups:
            together = TenantSet(tuple((call, timed[call.node]) for call in group.tenants), group.share)
            yield from _sized(setting, name, server, role, together)


def _sized(
    setting: Setting, name: str, server: Server, role: str, together: TenantSet[tuple[Call, Times]]
) -> Iterator[tuple[Pool, tuple[Option, ...]]]:
    """The pools of one server in one role for these tenants, by their sizes."""
    tenants = together.tenants
    slots = 1 if role == "prefill" else server.batch
    degree = server.parallel.devices
    held = {call.node: times.slot_s(role) for call, times in tenants}
    welcome = [call for call, _ in tenants if not excluded_by(call.prefill, name)] or [call for call, _ in tenants]
    loads = loads_by_node({c.node: per_request(c, held[c.node]) / slots for c in welcome}, together.share)
    longest = max(max(held[call.node]) for call in welcome)
    model = tenants[0][0].model if setting.chooses_models else ""
    served, cut = f"{model or server.llm.id}.{server.replica.precision}", server.parallel
    spill = server.spill
    beside = f"/{spill.tier.name}.w{spill.weights:g}.c{spill.cache:g}" if spill else ""
    bare = Pool(
        id=f"{name}/{served}/{role}/tp{cut.tp}.pp{cut.pp}/b{slots}{beside}",
        device=name,
        location=name if role == "both" else "/".join(filter(None, (name, role, model))),
        devices_per_replica=degree,
        tp=server.parallel.tp,
        pp=server.parallel.pp,
        max_batch=slots,
        memory_bytes=server.device.memory_bytes,
        whole_nodes=role == "both",
        availability=tenants[0][1].interruptions.availability,
        down_s=tenants[0][1].interruptions.down_s,
        model=model,
        tier=spill.tier.name if spill else "",
        tier_shares=(spill.weights, spill.cache) if spill else (0.0, 0.0),
    )
    quality = quality_of(server.device, setting.spec(name).price)
    quality = quality if spill is None else as_guess(quality)  # that what streams never lags behind
    taken_back = tenants[0][1].interruptions
    most = setting.most_replicas(name, degree)
    priorities = priorities_by_node(setting.priorities, [call.node for call in welcome])
    for sizing in sizings(setting.rate_per_s, slots, loads, longest, most, taken_back, priorities):
        id = f"{bare.id}/{'+'.join(call.node for call, _ in tenants)}{together.label}/{sizing.label}"
        pool = replace(bare, id=id, capacity=sizing.capacity)
        options = [
            replace(
                option,
                quality=quality,
                excluded_by=excluded_by(call.prefill, name),
                weights_key=call.weights_key if model else "",
                adapter_key=call.adapter_key,
                adapter_bytes=adapter_bytes(server.replica, call),
                score=call.score,
            )
            for call, times in tenants
            for option in _options(server, role, pool, slots, call, times, sizing.of(setting.priorities[call.node]))
        ]
        yield pool, tuple(options)


def _options(
    server: Server, role: str, pool: Pool, slots: int, call: Call, times: Times, sizing: Sizing
) -> Iterator[Option]:
    """The pieces of one call in `pool`; in one server the wait for a slot comes before prefill."""
    if role != "decode":
        totals = [call.spread(seconds) for seconds in times.prefill]
        worked = per_request(call, times.worked_s("prefill")) / slots
        yield Option(
            f"{call.node}.prefill",
            pool.id,
            tuple(
                VisitTime(t, t, sizing.law, sizing.lost(own))
                for t, own in zip(totals, times.lost("prefill"), strict=True)
            ),
            times.interruptions.capacity_s(worked),
            server.weight_bytes,
            server.state_bytes(call, slots) if role == "prefill" else 0.0,
            energy_j_per_request=energy_above_idle_j(server.device, worked, pool.devices_per_replica),
            tier_bytes=server.tier_bytes(call, slots if role == "prefill" else 0),
        )
    if role != "prefill":
        totals = [decode_time(call.output, gap) for gap in times.gap]
        worked = per_request(call, times.worked_s("decode")) / slots
        # In one server the decode has its slot from the prefill on.
        slot = sizing if role == "decode" else Sizing("kept", NO_WAIT, ())
        yield Option(
            f"{call.node}.decode",
            pool.id,
            tuple(
                VisitTime(first_of(total, gap), total, slot.law, slot.lost(own))
                for total, gap, own in zip(totals, times.gap, times.lost("decode"), strict=True)
            ),
            times.interruptions.capacity_s(worked),
            server.weight_bytes,
            server.state_bytes(call, slots),
            energy_j_per_request=energy_above_idle_j(server.device, worked, pool.devices_per_replica),
            tbt_s=times.gap,
            tier_bytes=server.tier_bytes(call, slots),
        )
