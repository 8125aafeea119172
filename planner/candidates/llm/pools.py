"""Language models on one's own devices: prefill and decode in one server, or each in its own pool."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from ....costmodel import serving
from ....costmodel.energy import energy_above_idle_j
from ....costmodel.hardware import Device
from ....costmodel.quality import as_guess, quality_of
from ...placement.problem import NO_WAIT, Option, Pool, VisitTime
from ..classes import TenantSet, loads_by_node, priorities_by_node, tenant_sets
from ..setting import Setting, excluded_by
from ..sizing import Sizing, sizings
from .calls import Call, decode_time, first_of, node_of, per_request
from .needless import Draft, needed
from .runs import Run, runs
from .servers import Server, adapter_bytes
from .shared import shared_candidates
from .tiers import tiered_servers
from .times import Times, times_of


def llm_candidates(setting: Setting) -> Iterator[tuple[Pool, tuple[Option, ...]]]:
    """Every pool for every model that nodes of the graph call, with the nodes' pieces in it.

    Those that another one makes needless whatever the bounds are left out, unless the setting wants them all.
    """
    for run in runs(setting):
        yield from pools_of_run(setting, run)


def pools_of_run(setting: Setting, run: Run) -> Iterator[tuple[Pool, tuple[Option, ...]]]:
    """The same for the calls of one model."""
    for name, device in run.devices(setting):
        yield from pools_of(setting, drafts(setting, name, run.calls, run.servers(setting, name, device)))
        yield from beyond_one_memory(setting, name, device, run)


def pools_of(setting: Setting, found: Iterable[Draft]) -> Iterator[tuple[Pool, tuple[Option, ...]]]:
    """The pools of drafts of one model on one device, but for those that are needless."""
    found, priced = list(found), Priced()
    for draft in found if setting.keeps_all else needed(found, setting):
        yield _pool(setting, draft, priced)


def beyond_one_memory(
    setting: Setting, name: str, device: Device, run: Run
) -> Iterator[tuple[Pool, tuple[Option, ...]]]:
    """Pools of a model on devices that are split between its phases, or that have tiers."""
    plain, priced = run.of_one_stage(device), Priced()
    yield from shared_candidates(setting, name, plain, run.calls)
    for server, together in tiered_servers(setting, name, plain, run.calls):
        for draft in _roles(setting, name, server, [together]):
            yield _pool(setting, draft, priced)


Priced = dict[tuple[Server, str, str], tuple[Option, ...]]
"""Pieces by server, role and node, without a pool or a wait."""


def drafts(setting: Setting, name: str, calls: Sequence[Call], found: Iterable[Server]) -> Iterator[Draft]:
    """The sized pools of these servers, for each set of the calls that may have one to itself."""
    groups = tuple(tenant_sets(calls, node_of, setting.class_of, setting.priorities))
    for server in found:
        yield from _roles(setting, name, server, groups)


def _roles(setting: Setting, name: str, server: Server, groups: Sequence[TenantSet[Call]]) -> Iterator[Draft]:
    """The roles of a server."""
    most = setting.most_replicas(name, server.parallel.devices)
    for role in roles_of(server):
        yield from drafts_of(setting, name, server, role, [(group, most) for group in groups])


def roles_of(server: Server) -> tuple[str, ...]:
    """Both phases in it, decode alone, and prefill alone, which needs no batch."""
    return ("both", "decode", "prefill") if server.is_least else ("both", "decode")


def drafts_of(
    setting: Setting, name: str, server: Server, role: str, groups: Sequence[tuple[TenantSet[Call], int | None]]
) -> Iterator[Draft]:
    """One server in one role, for each set of calls with the most replicas that it may have there; None: any number."""
    if setting.most_replicas(name, server.parallel.devices) == 0:
        return
    calls = {call.node: call for group, _ in groups for call in group.tenants}
    timed = {node: times_of(setting, name, server, call, role) for node, call in calls.items()}
    for group, most in groups:
        together = TenantSet(tuple((call, timed[call.node]) for call in group.tenants), group.share)
        yield from _sized(setting, name, server, role, together, most)


def _sized(
    setting: Setting, name: str, server: Server, role: str, together: TenantSet[tuple[Call, Times]], most: int | None
) -> Iterator[Draft]:
    """(32) One server in one role for these tenants, by its sizes.

    A prompt leaves each of the pp stages free for the next one: where nothing is decoded, dp prompts start at
    once and keep a slot for T / pp. What is decoded keeps its place in all stages.
    """
    tenants = together.tenants
    stages = server.parallel.pp if role == "prefill" else 1
    held = {call.node: times.slot_s(role) for call, times in tenants}
    welcome = [call for call, _ in tenants if not excluded_by(call.prefill, name)] or [call for call, _ in tenants]
    loads = loads_by_node({c.node: per_request(c, held[c.node]) / server.batch for c in welcome}, together.share)
    longest = max(max(held[call.node]) for call in welcome) / stages
    taken_back = tenants[0][1].interruptions
    priorities = priorities_by_node(setting.priorities, [call.node for call in welcome])
    slots = server.batch // stages
    for sizing in sizings(setting.rate_per_s, slots, loads, longest, most, taken_back, priorities):
        yield Draft(name, server, role, stages, together, sizing)


def _pool(setting: Setting, draft: Draft, priced: Priced) -> tuple[Pool, tuple[Option, ...]]:
    """The pool of a draft, with the pieces of its tenants; what they take without a wait is `priced` once."""
    name, server, role, taken_back = draft.device, draft.server, draft.role, draft.tenants[0][1].interruptions
    parallel, model = server.parallel, draft.tenants[0][0].model if setting.chooses_models else ""
    spill = server.spill
    beside = f"/{spill.tier.name}.w{spill.weights:g}.c{spill.cache:g}" if spill else ""
    way = f"{model or server.llm.id}.{server.replica.precision}/{role}/{_named(parallel)}/b{server.batch}{beside}"
    pool = Pool(
        id=f"{name}/{way}/{'+'.join(draft.nodes)}{draft.together.label}/{draft.sizing.label}",
        device=name,
        location=name if role == "both" else "/".join(filter(None, (name, role, model))),
        devices_per_replica=parallel.devices,
        tp=parallel.tp,
        pp=parallel.pp,
        ep=parallel.ep,
        dp=parallel.dp,
        max_batch=server.batch,
        stages=draft.stages,
        memory_bytes=server.device.memory_bytes,
        whole_nodes=role == "both",
        capacity=draft.sizing.capacity,
        availability=taken_back.availability,
        down_s=taken_back.down_s,
        model=model,
        tier=spill.tier.name if spill else "",
        tier_shares=(spill.weights, spill.cache) if spill else (0.0, 0.0),
    )
    options: list[Option] = []
    for call, times in draft.tenants:
        key = (server, role, call.node)
        if key not in priced:
            priced[key] = tuple(_unsized(setting, draft, call, times))
        options += _sized_options(role, pool.id, priced[key], draft.sizing.of(setting.priorities[call.node]))
    return pool, tuple(options)


def _named(cut: serving.Parallel) -> str:
    """`tp2.pp1`, and with experts spread or attention in groups `tp2.pp1.ep8.dp4`."""
    return f"tp{cut.tp}.pp{cut.pp}" + (f".ep{cut.ep}.dp{cut.dp}" if (cut.ep, cut.dp) != (1, 1) else "")


def _sized_options(role: str, pool: str, unsized: tuple[Option, ...], sizing: Sizing) -> Iterator[Option]:
    """The pieces of one call in a pool; in one server the wait for a slot comes before prefill."""
    for i, o in enumerate(unsized):
        # In one server the decode has its slot from the prefill on.
        slot = sizing if role != "both" or i == 0 else Sizing("kept", NO_WAIT, ())
        visits = (VisitTime(t.first, t.total, slot.law, slot.lost(t.lost[0])) for t in o.visits)
        yield replace(o, pool=pool, visits=tuple(visits))


def _unsized(setting: Setting, draft: Draft, call: Call, times: Times) -> Iterator[Option]:
    """The pieces of one call in a server, in whatever pool: without a wait, and all that interruptions take."""
    server, role, device = draft.server, draft.role, draft.server.device
    slots, degree = server.batch, server.parallel.devices
    quality = quality_of(device, setting.spec(draft.device).price)
    common = Option(
        "",
        "",
        (),
        0.0,
        server.weight_bytes,
        quality=quality if server.spill is None else as_guess(quality),  # that what streams never lags behind
        excluded_by=excluded_by(call.prefill, draft.device),
        weights_key=call.weights_key if setting.chooses_models else "",
        adapter_key=call.adapter_key,
        adapter_bytes=adapter_bytes(server.replica, call),
        score=call.score,
    )
    if role != "decode":
        totals = [call.spread(seconds) for seconds in times.prefill]
        worked = per_request(call, times.worked_s("prefill")) / slots
        yield replace(
            common,
            piece=f"{call.node}.prefill",
            visits=tuple(
                VisitTime(t, t, NO_WAIT, (own,)) for t, own in zip(totals, times.lost("prefill"), strict=True)
            ),
            load=times.interruptions.capacity_s(worked),
            state_bytes=server.state_bytes(call, slots) if role == "prefill" else 0.0,
            energy_j_per_request=energy_above_idle_j(device, worked, degree),
            tier_bytes=server.tier_bytes(call, slots if role == "prefill" else 0),
        )
    if role != "prefill":
        totals = [decode_time(call.output, gap) for gap in times.gap]
        worked = per_request(call, times.worked_s("decode")) / slots
        yield replace(
            common,
            piece=f"{call.node}.decode",
            visits=tuple(
                VisitTime(first_of(total, gap), total, NO_WAIT, (own,))
                for total, gap, own in zip(totals, times.gap, times.lost("decode"), strict=True)
            ),
            load=times.interruptions.capacity_s(worked),
            state_bytes=server.state_bytes(call, slots),
            energy_j_per_request=energy_above_idle_j(device, worked, degree),
            tbt_s=times.gap,
            tier_bytes=server.tier_bytes(call, slots),
        )
