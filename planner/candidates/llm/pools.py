"""Language models on one's own devices: prefill and decode in one server, or each in its own pool."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ....costmodel import serving
from ....costmodel.energy import energy_above_idle_j
from ....costmodel.quality import quality_of
from ....costmodel.roofline import can_compute
from ...placement.problem import NO_WAIT, Option, Pool, VisitTime
from ..profiles import profile_of
from ..setting import Setting, excluded_by
from ..sizing import Sizing, sizings, tenant_sets
from .calls import Call, decode_time, first_of, per_request, visits_of
from .servers import DEGREES, Server, servers, state, weights
from .shared import shared_candidates
from .times import Times, times_of


def llm_candidates(setting: Setting) -> Iterator[tuple[Pool, tuple[Option, ...]]]:
    """Every pool for every model that nodes of the graph call, with the nodes' pieces in it."""
    groups: dict[tuple[str, str, str, int | None, int], list[Call]] = {}
    for node, prefill, decode, _ in setting.llm_nodes:
        if profile_of(setting, prefill) is not None or prefill.model.data not in setting.llms:
            continue
        llm = setting.llms[prefill.model.data]
        precision = prefill.precision.data if prefill.precision else llm.precision
        kv_precision = prefill.kv_precision.data if prefill.kv_precision else "bf16"
        mass = setting.visits[node]
        call = Call(node, prefill, decode, visits_of(prefill, decode, len(mass)), mass)
        tp = prefill.tp.value.data if prefill.tp is not None else None
        pp = prefill.pp.value.data if prefill.pp is not None else 1
        groups.setdefault((prefill.model.data, precision, kv_precision, tp, pp), []).append(call)
    for (model, precision, kv_precision, tp, pp), calls in groups.items():
        for name, device in setting.devices.items():
            if device.kind != "cpu" and can_compute(device, precision) and can_compute(device, "bf16"):
                degrees = [serving.Parallel(tp=each, pp=pp) for each in ([tp] if tp else DEGREES)]
                llm = setting.llms[model]
                replicas = [serving.Replica(llm, device, each, precision, kv_precision) for each in degrees]
                for server in servers(replicas, calls):
                    yield from _pools(setting, name, server, calls)
                yield from shared_candidates(setting, name, replicas, calls)


def _pools(setting: Setting, name: str, server: Server, calls: list[Call]) -> Iterator[tuple[Pool, tuple[Option, ...]]]:
    """The three roles of a server: both phases in it, prefill alone (no batch needed), decode alone."""
    if setting.most_replicas(name, server.parallel.devices) == 0:
        return
    roles = ("both", "decode", "prefill") if server.batch == 1 else ("both", "decode")
    for role in roles:
        timed = [(call, times_of(setting, name, server, call, role)) for call in calls]
        for tenants in tenant_sets(timed):
            yield from _sized(setting, name, server, role, tenants)


def _sized(
    setting: Setting, name: str, server: Server, role: str, tenants: Sequence[tuple[Call, Times]]
) -> Iterator[tuple[Pool, tuple[Option, ...]]]:
    """The pools of one server in one role for these tenants, by their sizes."""
    slots = 1 if role == "prefill" else server.batch
    degree = server.parallel.devices
    held = {call.node: times.slot_s(role) for call, times in tenants}
    welcome = [call for call, _ in tenants if not excluded_by(call.prefill, name)] or [call for call, _ in tenants]
    loads = [per_request(call, held[call.node]) / slots for call in welcome]
    longest = max(max(held[call.node]) for call in welcome)
    bare = Pool(
        id=f"{name}/{server.llm.id}.{server.replica.precision}/{role}/tp{server.parallel.tp}.pp{server.parallel.pp}/b{slots}",
        device=name,
        location=name if role == "both" else f"{name}/{role}",
        devices_per_replica=degree,
        tp=server.parallel.tp,
        pp=server.parallel.pp,
        max_batch=slots,
        memory_bytes=server.device.memory_bytes,
        whole_nodes=role == "both",
        availability=tenants[0][1].interruptions.availability,
        down_s=tenants[0][1].interruptions.down_s,
    )
    quality = quality_of(server.device, setting.spec(name).price)
    taken_back = tenants[0][1].interruptions
    most = setting.most_replicas(name, degree)
    for sizing in sizings(setting.rate_per_s, slots, loads, longest, most, taken_back):
        id = f"{bare.id}/{'+'.join(call.node for call, _ in tenants)}/{sizing.label}"
        pool = replace(bare, id=id, capacity=sizing.capacity)
        options = [
            replace(option, quality=quality, excluded_by=excluded_by(call.prefill, name))
            for call, times in tenants
            for option in _options(server, role, pool, slots, call, times, sizing)
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
            weights(server.replica),
            state(server.replica, call, slots) if role == "prefill" else 0.0,
            energy_j_per_request=energy_above_idle_j(server.device, worked, pool.devices_per_replica),
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
            weights(server.replica),
            state(server.replica, call, slots),
            energy_j_per_request=energy_above_idle_j(server.device, worked, pool.devices_per_replica),
            tbt_s=times.gap,
        )
