"""Nodes with measured figures: the profile's latency and price replace the cost model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from xdsl.dialects.builtin import DictionaryAttr
from xdsl.ir import Operation

from ...costmodel.energy import energy_above_idle_j
from ...ir.agent import symbol_of
from ...ir.distribution import Distribution
from ...ir.llm import DecodeOp, PrefillOp, node_and_part
from ..placement.problem import Option, Pool, VisitTime
from .classes import tenant_sets
from .setting import Setting, excluded_by, number
from .sizing import Sizing, sizings


def profile_of(setting: Setting, op: Operation) -> DictionaryAttr | None:
    """Device -> figures of the part that `op` is, from the node's own profile or else the graph's; None without one."""
    _, part = node_and_part(op)
    for owner in (op, setting.graph):
        profile = owner.attributes.get("profile")
        if isinstance(profile, DictionaryAttr):
            rows = {
                device: row.data[part]
                for device, row in profile.data.items()
                if isinstance(row, DictionaryAttr) and part in row.data
            }
            if rows:
                return DictionaryAttr(rows)
    return None


def profile_candidates(setting: Setting) -> Iterator[tuple[Pool, tuple[Option, ...]]]:
    """One pool for each device that profiles name, with every piece they speak of in it."""
    rows: dict[str, list[tuple[Operation, DictionaryAttr]]] = {}
    for op in setting.nodes.values():
        profile = profile_of(setting, op)
        for device, row in (profile.data if profile else {}).items():
            if isinstance(row, DictionaryAttr):
                rows.setdefault(device, []).append((op, row))
    for device, pieces in rows.items():
        if setting.most_replicas(device) == 0:
            continue
        ranks = {symbol_of(op): setting.priorities[node_and_part(op)[0]] for op, _ in pieces}
        for together in tenant_sets(pieces, lambda pair: symbol_of(pair[0]), setting.class_of, ranks):
            yield from _sized(setting, device, together.tenants)


def _sized(
    setting: Setting, device: str, tenants: Sequence[tuple[Operation, DictionaryAttr]]
) -> Iterator[tuple[Pool, tuple[Option, ...]]]:
    """The pools of one device for these pieces, by their sizes."""
    welcome = [(op, row) for op, row in tenants if not excluded_by(op, device)] or tenants
    taken_back = setting.interruptions(device)

    def kept_s(row: DictionaryAttr) -> float:
        return taken_back.capacity_s(taken_back.repeated_s(*(_latency_s(row),) * 2))

    loads = [kept_s(row) * setting.visits_per_request[node_and_part(op)[0]] for op, row in welcome]
    # Prefill and decode of one visit hold one slot, one after the other.
    held_s: dict[str, float] = {}
    for op, row in welcome:
        node, _ = node_and_part(op)
        held_s[node] = held_s.get(node, 0.0) + kept_s(row)
    longest = max(held_s.values())
    names = "+".join(".".join(node_and_part(op)) for op, _ in tenants)
    priorities, most = [setting.priorities[node_and_part(op)[0]] for op, _ in welcome], setting.most_replicas(device)
    for sizing in sizings(setting.rate_per_s, 1, loads, longest, most, taken_back, priorities):
        pool = Pool(
            id=f"{device}/profile/{names}/{sizing.label}",
            device=device,
            location=device,
            capacity=sizing.capacity,
            availability=taken_back.availability,
            down_s=taken_back.down_s,
        )
        yield pool, tuple(_option(setting, pool, op, row, sizing) for op, row in tenants)


def _option(setting: Setting, pool: Pool, op: Operation, row: DictionaryAttr, sizing: Sizing) -> Option:
    node, part = node_and_part(op)
    latency, visits = _latency_s(row), len(setting.visits[node])
    gap = number(row, "tbt_s") or latency / max(1.0, tokens_of(op) - 1)
    total = Distribution.point(latency)
    first = Distribution.point(min(gap, latency)) if isinstance(op, DecodeOp) else total
    taken_back, device = setting.interruptions(pool.device), setting.devices.get(pool.device)
    sizing = sizing.of(setting.priorities[node])
    worked = taken_back.repeated_s(latency, latency) * setting.visits_per_request[node]
    return Option(
        f"{node}.{part}",
        pool.id,
        (VisitTime(first, total, sizing.law, sizing.lost(taken_back.lost(latency, latency))),) * visits,
        load=taken_back.capacity_s(worked),
        usd_per_request=_usd_per_request(setting, node, op, row),
        energy_j_per_request=energy_above_idle_j(device, worked) if device else 0.0,
        excluded_by=excluded_by(op, pool.device),
        tbt_s=(gap,) * visits if isinstance(op, DecodeOp) else (),
        quality=(("measured", 1.0),),
    )


def tokens_of(op: Operation) -> float:
    """Output tokens of a decode, 2 for anything else: its one gap is the whole."""
    return op.output_tokens.value.mean if isinstance(op, DecodeOp) else 2.0


def _latency_s(row: DictionaryAttr) -> float:
    return number(row, "latency_s") or 0.0


def _usd_per_request(setting: Setting, node: str, op: Operation, row: DictionaryAttr) -> float:
    """Price of all visits: by call, and by token of the prompt (prefill) or of the output (decode)."""
    by_token, by_call = number(row, "usd_per_token") or 0.0, number(row, "usd_per_call") or 0.0
    total = 0.0
    for visit, share in enumerate(setting.visits[node]):
        tokens = 0.0
        if isinstance(op, PrefillOp):
            tokens = op.prompt_tokens.value.mean + visit * op.prompt_growth.value.data
        elif isinstance(op, DecodeOp):
            tokens = op.output_tokens.value.mean
        total += share * (by_call + by_token * tokens)
    return total
