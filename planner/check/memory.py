"""Memory of one device of each pool: weights once for each model, and what its pieces keep besides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...costmodel import serving
from ...ir.diagnostics import Diagnostics
from .close import far
from .load import prompts_held
from .service import Services
from .subject import Node, Pool, Subject
from .transfer import kv_precision_of

TOKEN_QUANTILE = 0.999
"""Room is kept for contexts up to this quantile of the token counts."""


def memory_bytes(subject: Subject, services: Services, pool: Pool) -> float:
    """[bytes] on one device of `pool`; 0 for hosted APIs and where profiles stand in for the model."""
    weights: dict[str, float] = {}
    state: dict[str, float] = {}
    for node, piece in subject.hosted[pool.id]:
        # A slot holds one visit, of whichever node; what has no slots is there side by side.
        room = piece.rpartition(".")[2] if node.is_llm or node.kind == "model_call" else piece
        for key, shared, own in needs(subject, services, pool, node, piece):
            weights[key] = max(weights.get(key, 0.0), shared)
            state[room] = max(state.get(room, 0.0), own)
    return sum(weights.values()) + sum(adapters(subject, services, pool).values()) + sum(state.values())


def adapters(subject: Subject, services: Services, pool: Pool) -> dict[str, float]:
    """Adapter -> what it holds of one device of `pool`, once however many pieces have it [bytes]."""
    held: dict[str, float] = {}
    for node, piece in subject.hosted[pool.id]:
        adapter = services.adapter(node) if node.is_llm else None
        if adapter is not None and not subject.is_api(pool) and subject.row(piece) is None:
            cut, key = pool.cut, f"{adapter.name}.{adapter.rank}.{adapter.targets}"
            held[key] = serving.adapter_bytes_per_device(services.llm(node), adapter, cut)
    return held


def needs(
    subject: Subject, services: Services, pool: Pool, node: Node, piece: str
) -> Iterator[tuple[str, float, float]]:
    """(key, weights that pieces of that key share, what the piece needs for itself) [bytes]."""
    if subject.is_api(pool) or subject.row(piece) is not None:
        return
    if node.is_llm:
        (weights, cache, rest), replica = _whole(subject, services, pool, node, piece), services.replica(node, pool)
        spill = services.spill(pool)
        if spill is not None:
            weights, cache = spill.held(replica, weights, spill.weights), spill.held(replica, cache, spill.cache)
        yield _key(node), weights, cache + rest
    elif node.kind == "model_call":
        work = subject.works[node.name]
        yield work.key, work.weight_bytes, work.activation_bytes
    else:
        visits_per_s = (subject.rate or 0.0) * subject.visits[node.name]
        yield node.name, 0.0, services.host_work(node).held_bytes(visits_per_s)


def _key(node: Node) -> str:
    return f"{node.asks['model']}.{node.asks.get('precision')}"


def _whole(subject: Subject, services: Services, pool: Pool, node: Node, piece: str) -> tuple[float, float, float]:
    """Weights, KV cache and activations of as many longest contexts as a replica has at once, wherever [bytes].

    In one server the cache of prefill is that of decode; where its device is split it has a prompt of its own besides.
    """
    llm, cut = services.llm(node), pool.cut
    weights = serving.weight_bytes_per_device(llm, cut, node.asks.get("precision"))
    ahead = piece == node.pieces[0]
    if ahead and pool.split is None and subject.together(node):
        return weights, 0.0, 0.0
    held = 1 if pool.split is not None and ahead else prompts_held(subject, pool)
    grown = (len(subject.reached[node.name]) - 1) * node.asks["prompt_growth"]
    prompt, output = (node.asks[name].quantile(TOKEN_QUANTILE) for name in ("prompt_tokens", "output_tokens"))
    longest = prompt + grown + output
    cache = serving.kv_bytes_per_device(llm, cut, held, longest, kv_precision_of(node))
    return weights, cache, serving.activation_bytes_per_device(llm, cut, held, longest)


def tier_bytes(subject: Subject, services: Services, pool: Pool) -> float:
    """[bytes] of the tier of one device; 0 where the pool uses none."""
    spill = services.spill(pool)
    weights, caches = dict[str, float](), 0.0
    for node, piece in subject.hosted[pool.id] if spill is not None else ():
        whole, cache, _ = _whole(subject, services, pool, node, piece)
        weights[_key(node)] = whole
        caches += cache
    return 0.0 if spill is None else spill.weights * sum(weights.values()) + spill.cache * caches


def check_memory(subject: Subject, services: Services, faults: Diagnostics) -> None:
    """Report `check.memory` where a pool does not fit its devices or the plan misstates what it takes."""
    for entry in subject.plan["pools"]:
        pool = subject.pools[entry["id"]]
        stated, derived = entry["memory_bytes_per_device"], memory_bytes(subject, services, pool)
        if far(stated, derived):
            faults.error(
                "check.memory", f"pool `{pool.id}` states {stated:.6g} bytes per device; derived {derived:.6g}"
            )
        count = len(adapters(subject, services, pool))
        if entry.get("adapters", 0) != count:
            message = f"pool `{pool.id}` states {entry.get('adapters', 0)} adapters; derived {count}"
            faults.error("check.memory", message)
        device = subject.devices.get(pool.device)
        if device is not None and derived > device.memory_bytes * (1 + 1e-6):
            message = f"pool `{pool.id}` needs {derived:.4g} bytes on a device of {device.memory_bytes:.4g}"
            faults.error("check.memory", message)
        _check_tier(subject, services, entry, faults)


def _check_tier(subject: Subject, services: Services, entry: Mapping[str, Any], faults: Diagnostics) -> None:
    pool = subject.pools[entry["id"]]
    spill, derived = services.spill(pool), tier_bytes(subject, services, pool)
    if spill is None:
        return
    if far(entry["tier"]["bytes_per_device"], derived):
        stated = entry["tier"]["bytes_per_device"]
        faults.error("check.memory", f"pool `{pool.id}` states {stated:.6g} bytes in its tier; derived {derived:.6g}")
    if derived > spill.tier.bytes * (1 + 1e-6):
        message = f"pool `{pool.id}` needs {derived:.4g} bytes of `{spill.tier.name}`, which has {spill.tier.bytes:.4g}"
        faults.error("check.memory", message)
