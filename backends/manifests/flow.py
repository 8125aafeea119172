"""How often a cycle may bring a request back to a node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..nested import flat_edges

Json = Mapping[str, Any]


def visits_at_most(graph: Json) -> dict[str, int]:
    """Node with edges -> upper bound on its visits: 1, and the `max_visits` of every edge on a cycle through it.

    An edge is on a cycle through a node where both of its ends are in the node's strongly connected component.
    """
    import networkx as nx

    edges = flat_edges(graph)
    components = nx.strongly_connected_components(nx.DiGraph((e["from"], e["to"]) for e in edges))
    of = {node: number for number, nodes in enumerate(components) for node in nodes}
    again = dict.fromkeys(of.values(), 0)
    for e in edges:
        if of[e["from"]] == of[e["to"]]:
            again[of[e["from"]]] += int(e.get("max_visits") or 0)
    return {node: 1 + again[number] for node, number in of.items()}
