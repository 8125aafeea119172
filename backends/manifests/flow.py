"""How often a cycle may bring a request back to a node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..nested import flat_edges

Json = Mapping[str, Any]


def visits_at_most(node: str, graph: Json) -> int:
    """An upper bound on the visits of `node`: 1, and the `max_visits` of every edge on a cycle through it."""
    edges = flat_edges(graph)
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
