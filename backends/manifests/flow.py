"""The graph's edges as graph.yaml writes them, and how often a cycle may bring a request back to a node."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

Json = Mapping[str, Any]


def edges_of(graph: Json) -> list[dict[str, Any]]:
    """Every edge as `{from, to, ...}`; `a -> b -> c` is two edges."""
    edges: list[dict[str, Any]] = []
    for edge in graph.get("edges") or ():
        if isinstance(edge, Mapping):
            edges.append(dict(edge))
            continue
        ends = [end.strip() for end in str(edge).split("->")]
        edges += [{"from": a, "to": b} for a, b in pairwise(ends)]
    return edges


def visits_at_most(node: str, graph: Json) -> int:
    """An upper bound on the visits of `node`: 1, and the `max_visits` of every edge on a cycle through it."""
    edges = edges_of(graph)
    after, before = _reachable(node, edges, "from", "to"), _reachable(node, edges, "to", "from")
    return 1 + sum(int(e.get("max_visits") or 0) for e in edges if e["from"] in after and e["to"] in before)


def _reachable(start: str, edges: list[dict[str, Any]], tail: str, head: str) -> set[str]:
    """`start` and all nodes that the edges, taken from `tail` to `head`, lead to from it."""
    seen, todo = {start}, [start]
    while todo:
        here = todo.pop()
        new = {e[head] for e in edges if e[tail] == here} - seen
        seen |= new
        todo += sorted(new)
    return seen
