"""What moves between pools: KV caches from prefill to decode, and the bytes of edges."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ...ir.diagnostics import Diagnostics
from .classes import pairs_of_row
from .close import far
from .subject import Node, Subject
from .ways import Hop


@dataclass(frozen=True)
class Move:
    """One transfer: its size [bytes], time [s] and price [USD/request]; not `allowed` where a profile lists it not."""

    bytes: float
    latency_s: float
    usd: float = 0.0
    allowed: bool = True


STILL = Move(0.0, 0.0)


def prompt_tokens(node: Node, nth: int) -> float:
    """Mean prompt of the `nth` visit [tokens]."""
    return node.asks["prompt_tokens"].mean + (nth - 1) * node.asks["prompt_growth"]


def kv_transfer(subject: Subject, node: Node) -> Move:
    """The KV cache of a visit, sized by the last and longest prompt; nothing moves inside one location."""
    before, after = node.pieces
    here, there = subject.location(before), subject.location(after)
    if here == there:
        return STILL
    reached = subject.reached[node.name]
    if subject.row(before) is not None:
        tokens = sum(share * prompt_tokens(node, nth) for nth, share in enumerate(reached, 1))
        pairs = [*(node.asks.get("kv_transfer") or ()), *(subject.asked_of(node.name).get("kv_transfer") or ())]
        for pair in pairs:
            if (pair["from"], pair["to"]) == (here, there):
                return Move(0.0, pair["latency_s"], pair.get("usd_per_prompt_token", 0.0) * tokens)
        return Move(0.0, 0.0, allowed=False)
    model = subject.llms.get(node.asks["model"])
    per_token = model.kv_bytes_per_token(kv_precision_of(node)) if model else 0.0
    return _over_link(subject, before, after, per_token * prompt_tokens(node, len(reached)))


def kv_precision_of(node: Node) -> str:
    """16 bit unless said."""
    return node.asks.get("kv_precision") or "bf16"


def hop_move(subject: Subject, hop: Hop) -> Move:
    """What moves along an edge, from the last piece of its source to the first of its target."""
    before, after = _ends(subject, hop)
    if subject.location(before) == subject.location(after):
        return STILL
    return _over_link(subject, before, after, hop.bytes)


def _ends(subject: Subject, hop: Hop) -> tuple[str, str]:
    return subject.nodes[hop.source].pieces[-1], subject.nodes[hop.target].pieces[0]


def _over_link(subject: Subject, before: str, after: str, size: float) -> Move:
    a, b = subject.pool_of[before].device, subject.pool_of[after].device
    if not size and _regions(subject, a, b) is None:
        return STILL
    ways = [link(subject, a, b, zones) for zones in _zones(subject, a, b)]
    if None in ways:
        return Move(size, 0.0, allowed=False)
    return Move(size, max(latency + size / bandwidth for bandwidth, latency in filter(None, ways)))


def _zones(subject: Subject, a: str, b: str) -> list[tuple[str, str]]:
    """Pairs of zones in which two replicas may stand; of devices without zones one pair of no name."""
    here, there = subject.specs[a].zones, subject.specs[b].zones
    return [(one, other) for one in here or ("",) for other in there or ("",)]


def _regions(subject: Subject, a: str, b: str) -> tuple[str, str] | None:
    """The two regions that the devices stand in, where the fleet has sites of both and they differ."""
    here, there = subject.specs[a].region, subject.specs[b].region
    known = here in subject.fleet.sites and there in subject.fleet.sites
    return (here, there) if known and here is not None and there is not None and here != there else None


def link(subject: Subject, a: str, b: str, zones: tuple[str, str]) -> tuple[float, float] | None:
    """(bytes/s, s) of the link between two fleet devices, the zones that they stand in, or their regions; the site's
    network where none is listed.

    None between regions without a link.
    """
    site, regions = subject.site(a), _regions(subject, a, b)
    over = (zones,) if zones[0] != zones[1] else ()
    for one, other in ((a, b), *over, *((regions,) if regions else ())):
        for listed in subject.fleet.links:
            if listed.between in ((one, other), (other, one)):
                bandwidth = listed.bandwidth_bytes_per_s or site.network_bandwidth_bytes_per_s
                latency = site.network_latency_s if listed.latency_s is None else listed.latency_s
                return bandwidth, latency
    return None if regions else (site.network_bandwidth_bytes_per_s, site.network_latency_s)


def check_transfers(subject: Subject, faults: Diagnostics) -> None:
    """Report `check.transfer` faults: a transfer left out, made up, misstated or forbidden."""
    due = dict(_due(subject))
    stated: dict[tuple[str, str], dict[str, float]] = {}
    for entry in subject.plan["transfers"]:
        try:
            pairs = list(pairs_of_row(subject, entry))
        except ValueError as reason:
            faults.error("check.transfer", str(reason))
            continue
        for pair in pairs:
            if pair in stated:
                faults.error("check.transfer", f"the transfer {pair[0]} to {pair[1]} is listed twice")
            stated[pair] = entry
    for (before, after), move in due.items():
        name = f"{before} to {after}"
        if not move.allowed:
            pair = f"`{subject.pool_of[before].device}` to `{subject.pool_of[after].device}`"
            faults.error("check.transfer", f"the profile, or the links between regions, allow no transfer from {pair}")
        elif (before, after) not in stated:
            faults.error("check.transfer", f"the transfer {name} is missing")
        else:
            _compare(stated[before, after], move, name, faults)
    for pair in stated.keys() - due.keys():
        faults.error("check.transfer", f"nothing moves from `{pair[0]}` to `{pair[1]}`, but the plan lists a transfer")


def _due(subject: Subject) -> Iterator[tuple[tuple[str, str], Move]]:
    """Every pair of pieces between which something moves, and what."""
    for node in subject.nodes.values():
        if node.is_llm and subject.location(node.pieces[0]) != subject.location(node.pieces[1]):
            yield (node.pieces[0], node.pieces[1]), kv_transfer(subject, node)
    for hop in subject.hops:
        move = hop_move(subject, hop)
        if move is not STILL:
            yield _ends(subject, hop), move


def _compare(stated: dict[str, float], move: Move, name: str, faults: Diagnostics) -> None:
    for field, derived in (("bytes", move.bytes), ("latency_s", move.latency_s)):
        if far(stated[field], derived):
            message = f"the transfer {name} states {field} {stated[field]:.6g}; derived {derived:.6g}"
            faults.error("check.transfer", message)
