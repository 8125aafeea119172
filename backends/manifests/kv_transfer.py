"""Where the hand-over of a KV cache is not yet ordinary, in words for the plan's warnings."""

from __future__ import annotations

from collections import defaultdict

from ...ir.wording import named
from .servers import disaggregated, vendors_differ
from .view import Json, PlanView, read_plan

MOST_NAMED = 4
"""Nodes that a warning names; it counts the others."""


def kv_transfer_warnings(plan: Json) -> list[str]:
    """
    A sentence for all llm nodes of `plan` whose KV cache crosses the same vendors or degrees of tensor parallelism.

    `plan` is the document of plan.json; its own `warnings` are not read. Either way the layouts of the two sides
    differ, and the transfer has to permute them (vLLM, NixlConnector compatibility matrix).
    """
    view = read_plan(plan)
    nodes: dict[str, list[str]] = defaultdict(list)
    for node in disaggregated(view):
        if reasons := _reasons(node, view):
            nodes[" and ".join(reasons)].append(f"`{node}`")
    return [
        f"{named(each, MOST_NAMED)}: the KV cache {reasons}; the layouts differ, and such transfers are experimental"
        for reasons, each in nodes.items()
    ]


def _reasons(node: str, view: PlanView) -> list[str]:
    pools = view.pools_of_node(node)
    reasons = []
    if vendors_differ(node, view):
        reasons.append(f"crosses vendors ({', '.join(sorted({pool.vendor for pool in pools}))})")
    degrees = sorted({int(pool.parallel.get("tp") or 1) for pool in pools})
    if len(degrees) > 1:
        reasons.append(f"crosses degrees of tensor parallelism ({', '.join(map(str, degrees))})")
    return reasons
