"""The picture of a workflow: its nodes, those of nested agents in a group, and what leads from one to the next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from xdsl.dialects.builtin import StringAttr
from xdsl.ir import Operation

from ...ir.agent import (
    CacheOp,
    ComputeOp,
    EdgeOp,
    GraphOp,
    LLMCallOp,
    LookupOp,
    ModelCallOp,
    NestedOp,
    ToolCallOp,
    symbol_of,
)
from ...ir.alternatives import models_of
from ...ir.llm import DecodeOp, KVTransferOp, PrefillOp
from ...ir.wording import data, number, share, time
from ...passes.agent.inline_agents import starts_and_ends
from .picture import Arrow, Box, Group, Picture


def workflow_picture(graph: GraphOp) -> Picture:
    """Nodes as boxes; calls that were split into phases have a box for each, joined by their KV cache."""
    return Picture(graph.sym_name.data, grouped(list(_boxes(graph, ""))), tuple(arrows_of(graph)))


def _boxes(graph: GraphOp, prefix: str) -> Iterator[Box]:
    for node in graph.nodes:
        name = prefix + symbol_of(node)
        if isinstance(node, NestedOp):
            yield from _boxes(node.inner, f"{prefix}{_shown(node)}/")
        else:
            yield Box(name, name.rpartition("/")[2], detail_of(node), kind_of(node))


def grouped(boxes: Sequence[Box], prefix: str = "") -> tuple[Box | Group, ...]:
    """`boxes`, with those called `agent/node` in a group `agent`, nested as their names are."""
    groups: dict[str, list[Box]] = {}
    order: dict[str, Box | None] = {}
    for box in boxes:
        first, slash, _ = box.id[len(prefix) :].partition("/")
        if slash:
            groups.setdefault(first, []).append(box)
        order[prefix + first if slash else box.id] = None if slash else box
    return tuple(
        Group(f"{name}/", name[len(prefix) :], grouped(groups[name[len(prefix) :]], f"{name}/"), "agent")
        if box is None
        else box
        for name, box in order.items()
    )


def arrows_of(graph: GraphOp, prefix: str = "") -> Iterator[Arrow]:
    """The edges between boxes; an edge of a nested agent ends where the agent's graph starts or ends."""
    calls = {symbol_of(op): op for op in graph.nodes if isinstance(op, NestedOp)}
    caches = {ends_of(op): op for op in graph.body.block.ops if isinstance(op, KVTransferOp)}
    for call in calls.values():
        yield from arrows_of(call.inner, f"{prefix}{_shown(call)}/")
    for edge in graph.edges:
        cache = caches.get(edge.ends)
        for source in _ends(edge.ends[0], calls, prefix, 1):
            for target in _ends(edge.ends[1], calls, prefix, 0):
                label = _edge_text(edge) if cache is None else _cache_text(cache)
                yield Arrow(source, target, label, edge.probability is not None)


def ends_of(op: KVTransferOp) -> tuple[str, str]:
    """The names of the phases that a KV cache moves between."""
    return op.source.string_value(), op.target.string_value()


def _ends(name: str, calls: dict[str, NestedOp], prefix: str, side: int) -> list[str]:
    """The boxes that an edge joins: the node `name`, or those its nested graph starts (`side` 0) or ends with (1)."""
    if name not in calls:
        return [prefix + name]
    inner, inside = calls[name].inner, f"{prefix}{_shown(calls[name])}/"
    nested = {symbol_of(op): op for op in inner.nodes if isinstance(op, NestedOp)}
    return [end for each in starts_and_ends(inner)[side] for end in _ends(each, nested, inside, side)]


def _shown(call: NestedOp) -> str:
    """The name of a nested agent; of a map, with its copies."""
    return symbol_of(call) if call.copies is None else f"{symbol_of(call)} \u00d7 {call.copies}"


def _edge_text(edge: EdgeOp) -> str:
    parts = []
    if edge.probability is not None:
        parts.append(share(edge.probability.value.data))
    if edge.max_visits is not None:
        parts.append(f"at most {edge.max_visits.value.data}")
    if edge.stream is not None:
        parts.append("streams")
    if edge.bytes.value.data:
        parts.append(data(edge.bytes.value.data))
    return ", ".join(parts)


def _cache_text(cache: KVTransferOp) -> str:
    per_token = cache.bytes_per_prompt_token.value.data
    return f"KV cache, {data(per_token)} a token" if per_token else "KV cache"


def detail_of(op: Operation) -> str:
    """What a node does, in a few words."""
    match op:
        case LLMCallOp() | PrefillOp() | DecodeOp():
            return " ".join([" or ".join(models_of(op)), *_texts(op, "precision")])
        case ModelCallOp():
            return " ".join(_texts(op, "model", "graph", "precision"))
        case ToolCallOp() | CacheOp():
            return f"{op.name.removeprefix('agent.').removesuffix('_call')}, {time(op.latency.value.mean)}"
        case LookupOp():
            return f"{op.top_k.value.data} of {number(op.vectors.value.data)} vectors"
        case ComputeOp():
            return f"compute, {time(op.cpu_s.value.mean)}"
        case _:
            return op.name.partition(".")[2]


def _texts(op: Operation, *keys: str) -> Iterator[str]:
    for key in keys:
        value = op.attributes.get(key)
        if isinstance(value, StringAttr):
            yield value.data


def kind_of(op: Operation) -> str:
    """The kind of box that a node is."""
    match op:
        case LLMCallOp() | PrefillOp() | DecodeOp():
            return "llm"
        case ModelCallOp():
            return "model"
        case ToolCallOp():
            return "tool"
        case _:
            return "small"
