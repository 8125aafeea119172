"""What moves between pieces, and over which link."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from xdsl.dialects.builtin import DictionaryAttr, StringAttr

from ...costmodel import serving
from ...ir.alternatives import models_of
from ...ir.fleet import FleetSpec, LinkSpec
from ...ir.llm import PrefillOp
from ...ir.members import member_with
from ..placement.problem import Pool, Route, Transfer
from .llm.calls import visits_of
from .profiles import profile_of
from .setting import Setting, number


def transfers(setting: Setting, pools: Iterable[Pool], nodes: Collection[str]) -> Iterator[Transfer]:
    """KV caches from prefill to decode, then the messages on edges that state their bytes, all within `nodes`."""
    pools = tuple(pools)
    for node, prefill, decode, kv in setting.llm_nodes:
        if node not in nodes:
            continue
        visits = visits_of(prefill, decode, len(setting.visits[node]))
        # The last visit has the longest prompt: its time stands for all, and no bound is ever missed by it.
        size = kv.bytes_per_prompt_token.value.data * visits[-1].prompt
        tokens = sum(share * v.prompt for share, v in zip(setting.visits[node], visits, strict=True))
        measured = profile_of(setting, prefill) is not None
        routes = _profile_routes(setting, node, tokens) if measured else _kv_routes(setting, pools, size)
        if not measured and setting.chooses_models:
            routes = _routes_by_model(setting, pools, prefill, visits[-1].prompt)
        gaps = max(1.0, visits[0].output - 1)
        yield Transfer(f"{node}.prefill", f"{node}.decode", size, tuple(routes), gaps)
    yield from _messages(setting, pools, nodes)


def _profile_routes(setting: Setting, node: str, tokens: float) -> Iterator[Route]:
    """The pairs under `kv_transfer` of the node's graph; no other pair may be used."""
    for row in member_with(setting.members, node).kv_transfer or ():
        assert isinstance(row, DictionaryAttr)
        ends = [end.data for key in ("from", "to") if isinstance(end := row.data[key], StringAttr)]
        price = number(row, "usd_per_prompt_token") or 0.0
        yield Route(ends[0], ends[1], number(row, "latency_s") or 0.0, price * tokens)


def _kv_routes(setting: Setting, pools: tuple[Pool, ...], size: float) -> Iterator[Route]:
    """From every pool that only prefills to every pool that only decodes."""
    starts = {pool.location: pool.device for pool in pools if pool.location.startswith(f"{pool.device}/prefill")}
    ends = {pool.location: pool.device for pool in pools if pool.location.startswith(f"{pool.device}/decode")}
    for start, source in starts.items():
        for end, target in ends.items():
            seconds = transfer_s(setting.fleet, source, target, size)
            if seconds is not None:
                yield Route(start, end, seconds)


def _routes_by_model(
    setting: Setting, pools: tuple[Pool, ...], prefill: PrefillOp, prompt_tokens: float
) -> Iterator[Route]:
    """`_kv_routes` between pools of one model, for each model of the node that has figures, with its own bytes."""
    precision = prefill.kv_precision.data if prefill.kv_precision else "bf16"
    for model in models_of(prefill):
        if model in setting.llms:
            size = setting.llms[model].kv_bytes_per_token(precision) * prompt_tokens
            alike = tuple(pool for pool in pools if pool.model == model)
            yield from (replace(route, bytes=size) for route in _kv_routes(setting, alike, size))


def _messages(setting: Setting, pools: tuple[Pool, ...], nodes: Collection[str]) -> Iterator[Transfer]:
    """Bytes on the edges between nodes; from any location to any other that a link joins.

    Where there are regions an edge without bytes takes the time of their link.
    """
    locations = {pool.location: pool.device for pool in pools}
    for op in setting.graph.edges:
        ends = (op.source.string_value(), op.target.string_value())
        size = op.bytes.value.data
        if not (size or setting.fleet.sites) or ends[0].removesuffix(".prefill") == ends[1].removesuffix(".decode"):
            continue
        before, after = ([p for p in setting.pieces_at(end) if p.rpartition(".")[0] in nodes] for end in ends)
        if not before or not after:
            continue
        routes = (
            Route(start, end, seconds)
            for start, source in locations.items()
            for end, target in locations.items()
            if start != end and (seconds := transfer_s(setting.fleet, source, target, size)) is not None
        )
        kept = tuple(routes)
        yield from (Transfer(a, b, size, kept) for a in before for b in after)


def transfer_s(fleet: FleetSpec, source: str, target: str, size: float) -> float | None:
    """[s] for `size` bytes from one device of the fleet to another, over their link or the network of their site.

    None between regions that no link joins; nothing takes no time, but between regions. Over several zones it takes
    the slowest way, for any two replicas may have to do with each other.
    """
    links, apart = fleet.links_between(source, target), fleet.are_apart(source, target)
    if None in links and apart:
        return None
    if not size and not apart:
        return 0.0
    return max(_over_s(fleet, link, source, size) for link in links)


def _over_s(fleet: FleetSpec, link: LinkSpec | None, source: str, size: float) -> float:
    site = fleet.site_of(next(d for d in fleet.devices if d.name == source))
    bandwidth = (link and link.bandwidth_bytes_per_s) or site.network_bandwidth_bytes_per_s
    latency = link.latency_s if link and link.latency_s is not None else site.network_latency_s
    return serving.transfer_s(size, bandwidth, latency) if size else latency
