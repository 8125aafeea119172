"""What may not stand together in a graph: rules over several keys, noted at the places that break them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ..diagnostics import did_you_mean
from ..distribution import Distribution
from ..flow import TOLERANCE, FlowEdge, check_flow
from ..source import Path as DocumentPath
from .adapters import check_adapters
from .alternatives import check_alternatives, check_quality_bound, names_of
from .fields import Reading, Text, name_of, shown
from .files import check_file
from .fleet_schema import PRECISIONS
from .split_rules import check_split

VERSION = 1
_FLOW_IDS = {"C1": "edge", "C2": "probability", "C3": "cycle", "C4": "unreachable", "C5": "no-end"}
_LLM_PARTS, _OTHER_PARTS = ("prefill", "decode"), ("run",)


def check_graph(written: Mapping[str, Any], plain: Mapping[str, Any], to: Reading) -> None:
    """Note what breaks a rule; `written` is the document, `plain` what is right in it."""
    if plain.get("version", VERSION) != VERSION:
        message = f"this is version {plain['version']} of the format; only version {VERSION} is known"
        to.fault(("version",), "version", message, f"write `version: {VERSION}`")
    _check_batch(plain, to)
    _check_ranges(plain, to)
    nodes = plain.get("nodes")
    if nodes is None:
        return
    if not nodes:
        to.fault(("nodes",), "empty-graph", "the graph has no node", "add a node", key=True)
    for name, node in nodes.items():
        if node is not None:
            _check_node(name, node, plain, to)
            _check_place(name, node.get("place", {}), nodes, to)
    check_quality_bound(dict(plain), to)
    check_adapters(nodes, to)
    _check_flow(written, plain, to)


def _check_batch(plain: Mapping[str, Any], to: Reading) -> None:
    """A batch is there at once: it has no rate and no latency bounds; what continues a call is of use to it alone."""
    workload = plain.get("workload") or {}
    if "batch" not in workload:
        for name, node in (plain.get("nodes") or {}).items():
            if "continues" in (node or {}):
                help = "give `cached_prefix_tokens`, or `workload: {batch: ...}`"
                to.later(("nodes", name, "continues"), "a call that continues another, outside a batch", help, key=True)
        return
    for name, node in (plain.get("nodes") or {}).items():
        if len(names_of(node or {})) > 1:
            to.later(("nodes", name, "model"), "a choice of models in a batch", "plan once for each of them")
        if "adapter" in (node or {}):
            to.later(("nodes", name, "adapter"), "an adapter in a batch", "give a `rate`", key=True)
    if "rate" in workload:
        message = "a batch is there at once, and has no rate"
        to.fault(("workload", "rate"), "conflict", message, "remove one of them", key=True)
    if plain.get("slo"):
        to.fault(("slo",), "conflict", "a batch has a `deadline`, and no latency bounds", "remove `slo`", key=True)


def _check_ranges(plain: Mapping[str, Any], to: Reading) -> None:
    """What holds at the worst ends of the ranges of tokens, which `plain` has, holds at the others too."""
    ranges = {each.path: each for each in to.ranges}
    if ranges and "batch" in (plain.get("workload") or {}):
        to.later(next(iter(ranges)), "a range in a batch", "give one value")
    for path, each in ranges.items():
        if path[-1] not in ("prompt_tokens", "output_tokens"):
            continue
        if each.low < 1:
            to.fault(path, "range", f"{name_of(path)} must be at least 1 on average, not {each.low:g}")
        beside = (*path[:-1], "cached_prefix_tokens")
        node = plain["nodes"][path[1]] or {}
        cached = ranges[beside].high if beside in ranges else node.get("cached_prefix_tokens", 0.0)
        if path[-1] == "prompt_tokens" and cached > each.low:
            message = f"`{path[1]}` may have {cached:g} cached tokens of a prompt of {each.low:g}"
            to.fault(path, "range", message, "the cached prefix is a part of the prompt")


def _check_node(name: str, node: Mapping[str, Any], plain: Mapping[str, Any], to: Reading) -> None:
    path = ("nodes", name)
    parts = _LLM_PARTS if node.get("kind") == "llm" else _OTHER_PARTS
    for device, rows in node.get("profile", {}).items():
        for part in rows or ():
            if part not in parts:
                message = f"the node `{name}` has no part `{part}`"
                help = f"its parts are {' and '.join(parts)}"
                to.fault((*path, "profile", device, part), "profile", message, help, key=True)
    for bound in ("ttft", "tbt", "quality") if node.get("kind") != "llm" else ():
        if bound in node.get("slo", {}):
            message = f"`{bound}` bounds language models, and `{name}` is none"
            help = "remove it, or bound " + ("that" if bound == "quality" else "`end_to_end`") + " of the graph"
            to.fault((*path, "slo", bound), "slo", message, help, key=True)
    priced = any(part in (rows or ()) for part in parts for rows in _profiles(node, plain))
    check_split(name, node, priced, "batch" in (plain.get("workload") or {}), to)
    match node.get("kind"):
        case "llm":
            _check_both_parts(name, node, plain, to)
            _check_llm(name, node, priced, to)
        case "model":
            _check_model(name, node, priced, to)
        case "tool":
            memory = node.get("memory")
            if isinstance(memory, dict) and memory.get("peak", 0.0) < memory.get("mean", 0.0):
                message = f"the peak memory of `{name}` is under its mean"
                to.fault((*path, "memory", "peak"), "range", message)


def _profiles(node: Mapping[str, Any], plain: Mapping[str, Any]) -> Iterable[Any]:
    """Device rows that may price the node: its own, and the graph's."""
    return [*node.get("profile", {}).values(), *(plain.get("profile") or {}).values()]


def _check_both_parts(name: str, node: Mapping[str, Any], plain: Mapping[str, Any], to: Reading) -> None:
    """Prefill and decode of a language model are both measured or neither is: one server has no half of a profile."""
    measured = [part for part in _LLM_PARTS if any(part in (rows or ()) for rows in _profiles(node, plain))]
    if len(measured) == 1:
        (missing,) = (part for part in _LLM_PARTS if part not in measured)
        path = ("nodes", name, "profile") if "profile" in node else ("profile",)
        message = f"the profile measures `{measured[0]}` of `{name}` and not `{missing}`"
        to.fault(path, "profile", message, f"measure `{missing}` too, or remove the profile", key=True)


def _check_llm(name: str, node: Mapping[str, Any], priced: bool, to: Reading) -> None:
    path = ("nodes", name)
    for key in ("prompt_tokens", "output_tokens"):
        tokens = node.get(key)
        if isinstance(tokens, Distribution) and tokens.mean < 1:
            to.fault((*path, key), "range", f"`{key}` of `{name}` must be at least 1 on average, not {tokens.mean:g}")
    prompt, cached = node.get("prompt_tokens"), node.get("cached_prefix_tokens", 0.0)
    if isinstance(prompt, Distribution) and cached > prompt.mean:
        message = f"`{name}` has {cached:g} cached tokens of a prompt of {prompt.mean:g}"
        to.fault((*path, "cached_prefix_tokens"), "range", message, "the cached prefix is a part of the prompt")
    if "model" in node:
        check_alternatives(name, node, priced, to)
    elif not priced and not _is_written(path, "model", to):
        message = f"the node `{name}` needs `model`: a catalogue id or a path to a config.json"
        to.fault(path, "missing-key", message, "`dovetail models` lists the catalogue", key=True)


def _check_model(name: str, node: Mapping[str, Any], priced: bool, to: Reading) -> None:
    path = ("nodes", name)
    if "precision" in node and "graph" not in node:  # of a file it may be by kinds of ops, which are looked up in it
        Text(PRECISIONS).read(node["precision"], (*path, "precision"), to)
    if "model" in node and "graph" in node:
        message = f"the node `{name}` names both a `model` and a `graph`"
        to.fault((*path, "graph"), "conflict", message, "remove one of them", key=True)
    elif "graph" in node:
        if node["graph"].endswith((".onnx", ".json", ".mlir")):
            check_file((*path, "graph"), node["graph"], to)
        else:
            to.later((*path, "graph"), f"{shown(node['graph'])} as a graph", "name an .onnx file")
    elif "model" not in node and not priced and not any(_is_written(path, key, to) for key in ("model", "graph")):
        message = f"the node `{name}` needs `model`, a catalogue id, or `graph`, an .onnx file"
        to.fault(path, "missing-key", message, "`dovetail models` lists the catalogue", key=True)


def _is_written(path: DocumentPath, key: str, to: Reading) -> bool:
    """Whether the key stands there, if with a value that was refused."""
    return (*path, key) in to.sources.keys


def _check_place(name: str, place: Mapping[str, Any], nodes: Mapping[str, Any], to: Reading) -> None:
    path = ("nodes", name, "place")
    for relation in ("with", "apart"):
        other = place.get(relation)
        if other is None:
            continue
        if other == name:
            to.fault((*path, relation), "place", f"{name_of((*path, relation))} names the node itself")
        elif other not in nodes:
            message = f"{name_of((*path, relation))} names `{other}`, which is no node"
            to.fault((*path, relation), "unknown-node", message, known(other, "nodes", nodes))
        elif (nodes[other] or {}).get("kind") in ("agent", "map"):
            to.later((*path, relation), f"{name_of((*path, relation))} of a nested graph")
    if "with" in place and place["with"] == place.get("apart"):
        message = f"`{name}` is placed both with and apart from `{place['with']}`"
        to.fault((*path, "apart"), "conflict", message, "remove one of them", key=True)


def _check_caches(nodes: Mapping[str, Any], edges: Iterable[FlowEdge], to: Reading) -> None:
    """A hit of a cache takes an edge of its own, whose probability is the hit ratio: else it would save nothing."""
    for name, node in nodes.items():
        if node is None or node.get("kind") != "cache" or "hit_ratio" not in node:
            continue
        leaving = [edge.probability for edge in edges if edge.source == name]
        marked = [probability for probability in leaving if probability is not None]
        if leaving and not any(abs(probability - node["hit_ratio"]) <= TOLERANCE for probability in marked):
            ratio = node["hit_ratio"]
            message = f"no edge says where a hit of the cache `{name}` goes"
            help = f"mark its edge: `{{from: {name}, to: ..., probability: {ratio:g}}}`"
            to.fault(("nodes", name, "hit_ratio"), "cache", message, help)


def known(name: str, what: str, names: Collection[str]) -> str:
    """A help line: the nearest of `names`, or else all of them."""
    return did_you_mean(name, names) or f"the {what} are {', '.join(names)}"


def _check_flow(written: Mapping[str, Any], plain: Mapping[str, Any], to: Reading) -> None:
    """The rules of the flow, where every edge was understood: a bound that was refused is not missing too."""
    nodes, edges, raw = plain["nodes"], plain.get("edges", []), written.get("edges", [])
    if not nodes or not isinstance(raw, list) or len(edges) != len(raw):
        return
    if any(isinstance(edge, dict) and len(edge) > len(read) for edge, read in zip(raw, edges, strict=True)):
        return
    if any(end not in edge for edge in edges for end in ("from", "to")):
        return
    found = [
        FlowEdge(edge["from"], edge["to"], edge.get("probability"), edge.get("max_visits"), number)
        for number, edge in enumerate(edges)
    ]
    _check_caches(nodes, found, to)
    for fault in check_flow(nodes, found):
        help = fault.help
        if fault.edge is not None:
            path: DocumentPath = ("edges", fault.edge)
            if fault.rule == "C1" and fault.node is not None:
                help = known(fault.node, "nodes", nodes)
                end = "from" if edges[fault.edge]["from"] == fault.node else "to"
                path = (*path, end)
            elif fault.rule == "C2":
                path = (*path, "probability")
            to.fault(path, _FLOW_IDS[fault.rule], fault.message, help)
        else:
            path = ("nodes", fault.node) if fault.node else ("nodes",)
            to.fault(path, _FLOW_IDS[fault.rule], fault.message, help, key=True)
