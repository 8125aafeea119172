"""Where the hand-over of a KV cache is not yet ordinary, in words for the plan's warnings."""

from __future__ import annotations

from .servers import disaggregated, vendors_differ
from .view import Json, PlanView, read_plan


def kv_transfer_warnings(plan: Json) -> list[str]:
    """
    A sentence for every llm node of `plan` whose KV cache crosses vendors or degrees of tensor parallelism.

    `plan` is the document of plan.json; its own `warnings` are not read. Either way the layouts of the two sides
    differ, and the transfer has to permute them (vLLM, NixlConnector compatibility matrix).
    """
    view = read_plan(plan)
    return [warning for node in disaggregated(view) if (warning := _warning(node, view))]


def _warning(node: str, view: PlanView) -> str | None:
    pools = view.pools_of_node(node)
    reasons = []
    if vendors_differ(node, view):
        reasons.append(f"crosses vendors ({', '.join(sorted({pool.vendor for pool in pools}))})")
    degrees = sorted({int(pool.parallel.get("tp") or 1) for pool in pools})
    if len(degrees) > 1:
        reasons.append(f"crosses degrees of tensor parallelism ({', '.join(map(str, degrees))})")
    if not reasons:
        return None
    return f"`{node}`: the KV cache {' and '.join(reasons)}; the layouts differ, and such transfers are experimental"
