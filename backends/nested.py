"""The graph that a plan embeds, with nested graphs written flat: nodes by the names that pieces give them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

Json = Mapping[str, Any]


def flat_nodes(graph: Json, prefix: str = "") -> dict[str, Json]:
    """Every node as graph.yaml writes it, in the file's order; the nodes inside a nested agent in its place."""
    found: dict[str, Json] = {}
    for name, node in _nodes(graph):
        if not isinstance(node.get("graph"), Mapping):
            found[prefix + name] = node
            continue
        for inner in _prefixes(name, node, prefix):
            found |= flat_nodes(node["graph"], inner)
    return found


def served_nodes(plan: Json) -> dict[str, Json]:
    """The nodes of a plan's graph; of several models a node names the one that its pool serves."""
    models = {pool["id"]: pool.get("model") for pool in plan["pools"]}
    served = {placed["piece"].rpartition(".")[0]: models.get(placed["pool"]) for placed in plan["placements"]}
    nodes = flat_nodes(plan["inputs"]["graph"])
    return {name: {**node, "model": served[name]} if served.get(name) else node for name, node in nodes.items()}


def flat_edges(graph: Json, prefix: str = "") -> list[dict[str, Any]]:
    """Every edge as `{from, to, ...}` between nodes that are no nested agents; `a -> b -> c` is two edges."""
    found: list[dict[str, Any]] = []
    for edge in _written(graph):
        starts, ends = _ends(graph, edge["to"], prefix, "to"), _ends(graph, edge["from"], prefix, "from")
        found += [{**edge, "from": source, "to": target} for source in ends for target in starts]
    for name, node in _nodes(graph):
        if isinstance(node.get("graph"), Mapping):
            for inner in _prefixes(name, node, prefix):
                found += flat_edges(node["graph"], inner)
    return found


def _nodes(graph: Json) -> Iterator[tuple[str, Json]]:
    """Name and node; graphs that share a fleet stand as nested agents that nothing joins."""
    yield from (graph.get("nodes") or {}).items()
    yield from ((name, {"kind": "agent", "graph": own}) for name, own in (graph.get("graphs") or {}).items())


def _prefixes(name: str, node: Json, prefix: str) -> list[str]:
    """What the names inside of an agent begin with; inside of a map, what those of each copy do."""
    copies = [f"{copy + 1}/" for copy in range(node["over"])] if node["kind"] == "map" else [""]
    return [f"{prefix}{name}/{copy}" for copy in copies]


def _written(graph: Json) -> Iterator[dict[str, Any]]:
    for edge in graph.get("edges") or ():
        if isinstance(edge, Mapping):
            yield dict(edge)
            continue
        ends = [end.strip() for end in str(edge).split("->")]
        yield from ({"from": a, "to": b} for a, b in pairwise(ends))


def _ends(graph: Json, name: str, prefix: str, side: str) -> list[str]:
    """The nodes that an edge joins on its `side`: `name` itself, or where the nested agent `name` starts or ends.

    An edge enters (`to`) at the nodes that no edge of the nested graph enters, and leaves likewise.
    """
    node = (graph.get("nodes") or {}).get(name) or {}
    nested = node.get("graph")
    if not isinstance(nested, Mapping):
        return [prefix + name]
    joined = {edge[side] for edge in _written(nested)}
    free = [inner for inner in nested.get("nodes") or {} if inner not in joined]
    prefixes = _prefixes(name, node, prefix)
    return [end for each in prefixes for inner in free for end in _ends(nested, inner, each, side)]
