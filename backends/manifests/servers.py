"""Which containers a pool runs: one vLLM server for each model, one container for each other node."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ...costmodel.serving import find_engine, given_share
from . import vllm
from .hardware import IMAGE_NEEDED
from .names import cpu_quantity, dns_name, memory_quantity
from .sizes import memory_bytes
from .view import Json, PlanView, PoolView, node_of, part_of

TOOL_PORT = 8080


@dataclass(frozen=True)
class Server:
    """One container of a pool's pods."""

    name: str
    """container name, and the end of its Service's name"""
    pieces: tuple[str, ...]
    index: int
    """place among the pool's containers, from 0"""
    port: int
    image: str
    command: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    environment: tuple[Json, ...] = ()
    requests: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, str] = field(default_factory=dict)
    health_path: str | None = None
    """None: an open port is all that is known of its health"""
    side_channel_port: int | None = None
    notes: Mapping[str, str] = field(default_factory=dict)
    """what the user must see to, by annotation name"""

    @property
    def port_name(self) -> str:
        """Name of the HTTP port, unique in the pod."""
        return f"http-{self.index}"

    @property
    def is_llm(self) -> bool:
        """Whether it is a vLLM server."""
        return bool(self.command)


def servers_of(pool: PoolView, view: PlanView) -> tuple[Server, ...]:
    """The containers of one pod of `pool`, in order of their pieces; no two have the same name."""
    groups: dict[tuple[Any, ...], list[str]] = {}
    for piece in pool.pieces:
        groups.setdefault(_group_of(piece, view), []).append(piece)
    made: list[Server] = []
    for index, ((kind, *_), pieces) in enumerate(groups.items()):
        make = {"llm": _llm_server, "model": _model_server}.get(kind, _tool_server)
        made.append(make(index, tuple(pieces), pool, view, len(groups)))
    names = [server.name for server in made]
    # A node called `think-decode` beside the decode part of `think`: the slash makes a hash of the place its mark.
    return tuple(s if names.count(s.name) == 1 else replace(s, name=dns_name(f"{s.name}/{s.index}")) for s in made)


def _group_of(piece: str, view: PlanView) -> tuple[Any, ...]:
    """Pieces of one group are served by one container: those of one model, or of one node that is no model."""
    node = view.node(piece)
    kind, model = node.get("kind"), node.get("model") or str(node.get("graph"))
    if kind == "llm":
        return kind, model, node.get("precision"), node.get("kv_precision")
    return (kind, model, node.get("precision")) if kind == "model" else (kind, node_of(piece))


def disaggregated(view: PlanView) -> tuple[str, ...]:
    """The llm nodes whose prefill and decode are in different pools, in order of name."""
    llm_nodes = {node_of(p["piece"]) for p in view.placements if part_of(p["piece"]) == "prefill"}
    return tuple(sorted(n for n in llm_nodes if view.pools_of(f"{n}.prefill") != view.pools_of(f"{n}.decode")))


def vendors_differ(node: str, view: PlanView) -> bool:
    """Whether the KV cache of `node` crosses from one vendor's devices to another's."""
    return len({pool.vendor for pool in view.pools_of_node(node)} - {""}) > 1


def _llm_server(index: int, pieces: tuple[str, ...], pool: PoolView, view: PlanView, servers: int) -> Server:
    nodes = sorted({node_of(piece) for piece in pieces})
    first = view.nodes[nodes[0]]
    apart = disaggregated(view)
    split = [node for node in nodes if node in apart]
    port, side_channel = vllm.PORT + index, vllm.SIDE_CHANNEL_PORT + 100 * index
    model = str(first.get("model"))
    known: Json = view.models.get(model) or {}
    lengths = [vllm.sequence_length(view.nodes[n], view.visits_at_most.get(n, 1)) for n in nodes]
    arguments = vllm.serve_arguments(
        model, vllm.checkpoint(model, known), first, port, pool.parallel, pool.max_batch,
        _longest(lengths, known.get("context_tokens")),
    )  # fmt: skip
    arguments += vllm.host_arguments(pool.hosts)
    arguments += vllm.memory_arguments(_memory_share(pool), servers) + vllm.offload_arguments(pool.tier)
    arguments += vllm.priority_arguments({view.priority(node) for node in nodes})
    adapters = _adapters(nodes, view)
    arguments += vllm.adapter_arguments(adapters)
    environment: list[Json] = [_TOKEN, *({"name": k, "value": v} for k, v in pool.offer.environment.items())]
    if split:
        arguments += vllm.transfer_arguments(any(vendors_differ(node, view) for node in split))
        environment += vllm.transfer_environment(side_channel)
    parts = {part_of(piece) for piece in pieces}
    name = "-".join([*nodes, *(parts if len(parts) == 1 else ())])
    devices = _devices(pool) if servers == 1 else {}
    return Server(
        name=dns_name(name),
        pieces=pieces,
        index=index,
        port=port,
        image=pool.offer.image or f"{IMAGE_NEEDED}/{dns_name('vllm', pool.model)}",
        command=("vllm",),
        arguments=tuple(arguments),
        environment=tuple(environment),
        requests=devices,
        limits=devices,
        health_path="/health",
        side_channel_port=side_channel if split else None,
        notes={**_llm_notes(first, split, pool, view), **_adapter_notes(adapters)},
    )


def _memory_share(pool: PoolView) -> float | None:
    """Of each device's memory for the engines on it; None on hosts, whose memory is not theirs alone."""
    if pool.kind == "cpu" or not pool.memory_bytes:
        return None
    return given_share(pool.held_bytes, pool.memory_bytes, find_engine())


_TOKEN: Json = {
    "name": "HF_TOKEN",
    "valueFrom": {"secretKeyRef": {"name": "hugging-face", "key": "token", "optional": True}},
}


def _adapters(nodes: list[str], view: PlanView) -> dict[str, Json]:
    """Name -> adapter of the nodes, in order of name; one without a name is called as its node."""
    asked = ((node, view.nodes[node].get("adapter")) for node in nodes)
    named = {str(a.get("name") or node.rpartition("/")[2]): a for node, a in asked if a is not None}
    return dict(sorted(named.items()))


def _adapter_notes(adapters: Mapping[str, Json]) -> dict[str, str]:
    missing = [name for name, adapter in adapters.items() if "path" not in adapter]
    needed = f"mount the adapters {', '.join(missing)} under /adapters, or give each its `path`"
    return {"dovetail.dev/adapters-needed": needed} if missing else {}


def _longest(lengths: list[int | None], context_tokens: int | None) -> int | None:
    known = [length for length in lengths if length is not None]
    if len(known) < len(lengths):
        return None
    return min(max(known), int(context_tokens or max(known)))


def _llm_notes(node: Json, split: list[str], pool: PoolView, view: PlanView) -> dict[str, str]:
    notes = {}
    checkpoint = vllm.checkpoint_note(node)
    if checkpoint:
        notes["dovetail.dev/checkpoint-needed"] = checkpoint
    if any(vendors_differ(name, view) for name in split):
        notes["dovetail.dev/experimental"] = "the KV cache crosses vendors, whose layouts differ"
    offload = vllm.offload_note(pool.tier) if pool.tier else None
    if offload:
        notes["dovetail.dev/engine-needed"] = f"{offload}, for which vLLM has no option"
    if pool.split is not None:
        notes["dovetail.dev/engine-needed"] = (
            f"the plan counts on prefill on {100 * pool.split:g} % of the multiprocessors and decode on the rest "
            "at once; vLLM has no option for that and runs both on all of them in turn"
        )
    return notes


def _devices(pool: PoolView) -> dict[str, str]:
    return {pool.offer.resource: str(pool.devices_per_host)} if pool.offer.resource else {}


def _model_server(index: int, pieces: tuple[str, ...], pool: PoolView, view: PlanView, servers: int) -> Server:
    """One container for all nodes that run the same model; the user's image knows how."""
    nodes, node = sorted({node_of(piece) for piece in pieces}), view.node(pieces[0])
    devices = _devices(pool) if servers == 1 else {}
    name, source = dns_name("-".join(nodes)), str(node.get("model") or node.get("graph"))
    environment = [*_own_environment(",".join(nodes), index), {"name": "MODEL", "value": source}]
    return Server(
        name=name, pieces=pieces, index=index, port=TOOL_PORT + index, image=f"{IMAGE_NEEDED}/{name}",
        environment=tuple(environment), requests=devices, limits=devices,
    )  # fmt: skip


def _own_environment(nodes: str, index: int) -> list[Json]:
    return [{"name": "DOVETAIL_NODES", "value": nodes}, {"name": "PORT", "value": str(TOOL_PORT + index)}]


def _tool_server(index: int, pieces: tuple[str, ...], pool: PoolView, view: PlanView, _: int) -> Server:
    node, name = view.node(pieces[0]), node_of(pieces[0])
    environment = _own_environment(name, index)
    if node.get("mcp"):
        environment.append({"name": "MCP_SERVER", "value": str(node["mcp"])})
    requests, limits = _host_resources(node, pool)
    return Server(
        name=dns_name(name), pieces=pieces, index=index, port=TOOL_PORT + index,
        image=f"{IMAGE_NEEDED}/{dns_name(name)}", environment=tuple(environment), requests=requests, limits=limits,
    )  # fmt: skip


def _host_resources(node: Json, pool: PoolView) -> tuple[dict[str, str], dict[str, str]]:
    """Requests: mean use of the calls in flight at the planned utilisation. Limits: peak use of every slot."""
    concurrency = node.get("concurrency")
    slots = math.ceil(int(concurrency) / pool.replicas) if concurrency else pool.max_batch
    busy = max(1, math.ceil(pool.utilisation * slots))
    cpus = float(node.get("cpus") or (1.0 if node.get("kind") == "compute" else 0.0))
    mean_bytes, peak_bytes = memory_bytes(node)
    requests, limits = {}, {}
    if cpus:
        requests["cpu"], limits["cpu"] = cpu_quantity(cpus * busy), cpu_quantity(max(1.0, cpus * slots))
    if mean_bytes:
        requests["memory"] = memory_quantity(mean_bytes * busy)
    if peak_bytes:
        limits["memory"] = memory_quantity(max(peak_bytes * slots, mean_bytes * busy))
    return requests, limits
