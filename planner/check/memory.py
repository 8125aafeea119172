"""Memory of one device of each pool: weights once for each model, and what its pieces keep besides."""

from __future__ import annotations

from collections.abc import Iterator

from ...costmodel import serving
from ...ir.diagnostics import Diagnostics
from .close import far
from .load import slots_of
from .service import Services
from .subject import Node, Pool, Subject
from .transfer import kv_precision_of

TOKEN_QUANTILE = 0.999
"""Room is kept for contexts up to this quantile of the token counts."""


def memory_bytes(subject: Subject, services: Services, pool: Pool) -> float:
    """[bytes] on one device of `pool`; 0 for hosted APIs and where profiles stand in for the model."""
    weights: dict[str, float] = {}
    state = 0.0
    for node, piece in subject.hosted[pool.id]:
        for key, shared, own in needs(subject, services, pool, node, piece):
            weights[key] = max(weights.get(key, 0.0), shared)
            state += own
    return sum(weights.values()) + state


def needs(
    subject: Subject, services: Services, pool: Pool, node: Node, piece: str
) -> Iterator[tuple[str, float, float]]:
    """(key, weights that pieces of that key share, what the piece needs for itself) [bytes]."""
    if subject.is_api(pool) or subject.row(piece) is not None:
        return
    if node.is_llm:
        llm, cut, precision = services.llm(node), serving.Parallel(pool.tp, pool.pp), node.asks.get("precision")
        weights = serving.weight_bytes_per_device(llm, cut, precision)
        # In one server the cache of prefill is that of decode.
        # Where its device is split, prefill has a prompt of its own besides.
        ahead = piece == node.pieces[0]
        slots = 1 if pool.split is not None and ahead else slots_of(subject, pool)
        shares = pool.split is None and ahead and subject.together(node)
        own = 0.0 if shares else _cache(subject, services, pool, node, slots)
        yield f"{node.asks['model']}.{precision}", weights, own
    elif node.kind == "model_call":
        work = subject.works[node.name]
        yield work.key, work.weight_bytes, work.activation_bytes
    else:
        visits_per_s = (subject.rate or 0.0) * subject.visits[node.name]
        yield node.name, 0.0, services.host_work(node).held_bytes(visits_per_s)


def _cache(subject: Subject, services: Services, pool: Pool, node: Node, slots: int) -> float:
    """KV cache and activations of as many longest contexts as there are slots [bytes]."""
    llm, cut = services.llm(node), serving.Parallel(pool.tp, pool.pp)
    grown = (len(subject.reached[node.name]) - 1) * node.asks["prompt_growth"]
    prompt, output = (node.asks[name].quantile(TOKEN_QUANTILE) for name in ("prompt_tokens", "output_tokens"))
    longest = prompt + grown + output
    cache = serving.kv_bytes_per_device(llm, cut, slots, longest, kv_precision_of(node))
    return cache + serving.activation_bytes_per_device(llm, cut, slots, longest)


def check_memory(subject: Subject, services: Services, faults: Diagnostics) -> None:
    """Report `check.memory` where a pool does not fit its devices or the plan misstates what it takes."""
    for entry in subject.plan["pools"]:
        pool = subject.pools[entry["id"]]
        stated, derived = entry["memory_bytes_per_device"], memory_bytes(subject, services, pool)
        if far(stated, derived):
            faults.error(
                "check.memory", f"pool `{pool.id}` states {stated:.6g} bytes per device; derived {derived:.6g}"
            )
        device = subject.devices.get(pool.device)
        if device is not None and derived > device.memory_bytes * (1 + 1e-6):
            message = f"pool `{pool.id}` needs {derived:.4g} bytes on a device of {device.memory_bytes:.4g}"
            faults.error("check.memory", message)
