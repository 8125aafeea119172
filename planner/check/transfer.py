"""What moves between pools: KV caches from prefill to decode, and the bytes of edges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...costmodel.models import LLM
from ...costmodel.networks import Network
from ...ir.diagnostics import Diagnostics
from .close import far
from .subject import Node, Subject
from .ways import Hop


@dataclass(frozen=True)
class Move:
    """One transfer: its size, time and price; `allowed` is False where a profile forbids the pair."""

    bytes: float
    latency_s: float
    usd: float = 0.0
    allowed: bool = True


def kv_transfer(subject: Subject, models: Mapping[str, LLM | Network], node: Node, nth: int) -> Move:
    """The KV cache of the `nth` visit's prompt, from the prefill pool to the decode pool."""
    before, after = (subject.pool_of[piece].device for piece in node.pieces)
    tokens = node.asks["prompt_tokens"].mean + (nth - 1) * node.asks["prompt_growth"]
    model = models.get(node.asks["model"])
    size = model.kv_bytes_per_token(node.asks.get("kv_precision") or "bf16") * tokens if isinstance(model, LLM) else 0.0
    if subject.graph.get("profile") or node.asks.get("profile"):
        return _profiled(subject, before, after, tokens, size)
    bandwidth, latency = link(subject, before, after)
    return Move(size, latency + size / bandwidth)


def _profiled(subject: Subject, before: str, after: str, tokens: float, size: float) -> Move:
    if before == after:
        return Move(size, 0.0)
    for pair in subject.graph.get("kv_transfer") or ():
        if (pair["from"], pair["to"]) == (before, after):
            return Move(size, pair["latency_s"], pair.get("usd_per_prompt_token", 0.0) * tokens)
    return Move(size, 0.0, allowed=False)


def link(subject: Subject, a: str, b: str) -> tuple[float, float]:
    """(bytes/s, s) of the link between two fleet devices; the site's network where none is listed."""
    site = subject.fleet.site
    for listed in subject.fleet.links:
        if listed.between is not None and set(listed.between) == {a, b}:
            bandwidth = listed.bandwidth_bytes_per_s or site.network_bandwidth_bytes_per_s
            latency = site.network_latency_s if listed.latency_s is None else listed.latency_s
            return bandwidth, latency
    return site.network_bandwidth_bytes_per_s, site.network_latency_s


def hop_s(subject: Subject, hop: Hop) -> float:
    """Time for what moves along an edge [s]; free inside one kind of device, and where nothing moves."""
    a = subject.pool_of[subject.nodes[hop.source].pieces[-1]].device
    b = subject.pool_of[subject.nodes[hop.target].pieces[0]].device
    if a == b or not hop.bytes:
        return 0.0
    bandwidth, latency = link(subject, a, b)
    return latency + hop.bytes / bandwidth


def check_transfers(subject: Subject, models: Mapping[str, LLM | Network], faults: Diagnostics) -> None:
    """Report `check.transfer` faults: a transfer left out, misstated or forbidden."""
    stated = {(t["from"], t["to"]): t for t in subject.plan["transfers"]}
    for node in subject.nodes.values():
        if node.kind != "llm_call" or len({subject.pool_of[piece].id for piece in node.pieces}) == 1:
            continue
        before, after = node.pieces
        moves = [kv_transfer(subject, models, node, nth + 1) for nth in range(len(subject.reached[node.name]))]
        if not all(move.allowed for move in moves):
            pair = f"`{subject.pool_of[before].device}` to `{subject.pool_of[after].device}`"
            faults.error("check.transfer", f"the profile allows no transfer of the KV cache from {pair}")
        elif (before, after) in stated:
            _compare(stated[before, after], moves, f"{before} to {after}", faults)
        elif any(move.latency_s > 0 for move in moves):
            faults.error("check.transfer", f"the transfer of the KV cache from `{before}` to `{after}` is missing")
    for hop in subject.hops:
        _check_hop(subject, hop, stated, faults)


def _check_hop(subject: Subject, hop: Hop, stated: dict[tuple[str, str], dict], faults: Diagnostics) -> None:
    seconds = hop_s(subject, hop)
    before, after = subject.nodes[hop.source].pieces[-1], subject.nodes[hop.target].pieces[0]
    if seconds <= 0:
        return
    if (before, after) not in stated:
        faults.error("check.transfer", f"the transfer from `{before}` to `{after}` is missing")
    else:
        _compare(stated[before, after], [Move(hop.bytes, seconds)], f"{before} to {after}", faults)


def _compare(stated: dict, moves: list[Move], name: str, faults: Diagnostics) -> None:
    """The plan states one transfer for all visits: it must lie between the least and the largest of them."""
    for field, values in (("bytes", [m.bytes for m in moves]), ("latency_s", [m.latency_s for m in moves])):
        low, high, value = min(values), max(values), stated[field]
        if (value < low and far(value, low)) or (value > high and far(value, high)):
            message = f"the transfer {name} states {field} {value:.6g}; derived {low:.6g} to {high:.6g}"
            faults.error("check.transfer", message)
