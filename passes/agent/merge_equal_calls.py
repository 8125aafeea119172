"""`merge-equal-calls`: of nodes that make the same call on the same input, one makes it for all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import ClassVar

from xdsl.context import Context
from xdsl.dialects.builtin import DictionaryAttr, ModuleOp, StringAttr, SymbolRefAttr
from xdsl.ir import Attribute
from xdsl.passes import ModulePass
from xdsl.rewriter import Rewriter

from ...ir.agent import ComputeOp, GraphOp, LLMCallOp, LookupOp, ModelCallOp, NodeOp, ToolCallOp
from ...ir.flow import closure
from ..locations import fused_location

Attributes = dict[str, Attribute]


@dataclass(frozen=True)
class MergeEqualCallsPass(ModulePass):
    """
    Lets one node stand for all that make the same call, until no two are left.

        before: agent.edge @ask -> @a;  agent.edge @ask -> @b;  agent.edge @a -> @x;  agent.edge @b -> @y
        after:  agent.edge @ask -> @a;  agent.edge @a -> @x;    agent.edge @a -> @y

    Promise: every other node gets the same inputs as before, on the same visits. It always pays, one call is saved and
    nothing is added, so there is no question of profit. Two nodes of equal figures alone are never merged, since
    the graph does not say what is in their prompts: both must name the same `call`.
    """

    name: ClassVar[str] = "merge-equal-calls"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for graph in [each for each in op.walk() if isinstance(each, GraphOp)]:
            merge_equal_calls(graph)


def merge_equal_calls(graph: GraphOp) -> None:
    """Merge the nodes of `graph` that make the same call; merged predecessors may make more of them equal."""
    while pair := next(equal_calls(graph), None):
        _merge(graph, *pair)


def equal_calls(graph: GraphOp) -> Iterator[tuple[NodeOp, NodeOp]]:
    """Pairs of nodes that make the same call, in the order of the file."""
    by_call: dict[Attribute, list[NodeOp]] = {}
    for node in graph.nodes:
        if isinstance(node, NodeOp) and node.call is not None:
            by_call.setdefault(node.call, []).append(node)
    for nodes in by_call.values():
        yield from ((a, b) for a, b in combinations(nodes, 2) if can_merge(graph, a, b))


def can_merge(graph: GraphOp, a: NodeOp, b: NodeOp) -> bool:
    """Whether one visit of `a` may stand for one of `a` and one of `b`.

    Both make one `call`, deterministic, with equal figures; all that starts one starts the other (equal in-edges, none
    of which is a choice), once at most (neither is on a cycle); what follows does not depend on a choice after
    either, and a node that follows both cannot tell which it follows.
    """
    return (
        a.call is not None
        and type(a) is type(b)
        and is_deterministic(a)
        and _figures(a) == _figures(b)
        and _start_together(graph, a, b)
        and not _is_on_cycle(graph, a)
        and _lead_on_alike(graph, a, b)
    )


def is_deterministic(node: NodeOp) -> bool:
    """Whether equal inputs surely get equal outputs: a network always does, others where the graph says so."""
    match node:
        case LLMCallOp():
            return node.temperature is not None and node.temperature.value.data == 0
        case ToolCallOp():
            return node.deterministic is not None and node.failure.value.data == 0
        case LookupOp() | ComputeOp():
            return node.deterministic is not None
        case _:
            return isinstance(node, ModelCallOp)


def _figures(node: NodeOp) -> Attributes:
    return {key: value for key, value in node.attributes.items() if key != "sym_name"}


def _start_together(graph: GraphOp, a: NodeOp, b: NodeOp) -> bool:
    before = [_far_ends(graph, node, 1) for node in (a, b)]
    return before[0] == before[1] and not any("probability" in edge for edge in before[0].values())


def _lead_on_alike(graph: GraphOp, a: NodeOp, b: NodeOp) -> bool:
    after = [_far_ends(graph, node, 0) for node in (a, b)]
    chooses = any("probability" in edge for edges in after for edge in edges.values())
    common = after[0].keys() & after[1].keys()
    return not chooses and bool(after[0]) == bool(after[1]) and all(after[0][n] == after[1][n] for n in common)


def _far_ends(graph: GraphOp, node: NodeOp, side: int) -> dict[str, Attributes]:
    """What the edges that leave `node` (`side` 0) or enter it (1) say, by the node at their other end."""
    found = {}
    for edge in graph.edges:
        if edge.ends[side] == node.sym_name.data:
            said = {key: value for key, value in edge.attributes.items() if key not in ("from", "to")}
            found[edge.ends[1 - side]] = said
    return found


def _is_on_cycle(graph: GraphOp, node: NodeOp) -> bool:
    after: dict[str, list[str]] = {}
    for edge in graph.edges:
        after.setdefault(edge.ends[0], []).append(edge.ends[1])
    name = node.sym_name.data
    return name in closure(after.get(name, ()), after)


def _merge(graph: GraphOp, kept: NodeOp, gone: NodeOp) -> None:
    """Let `kept` stand for `gone` in edges and wishes, and remove `gone`."""
    old, new = gone.sym_name.data, kept.sym_name.data
    joined = {edge.ends for edge in graph.edges}
    for edge in list(graph.edges):
        source, target = edge.ends
        if target == old or (source == old and (new, target) in joined):
            Rewriter.erase_op(edge)
        elif source == old:
            edge.attributes["from"] = SymbolRefAttr(new)
    kept.location = fused_location(kept.location, gone.location)
    Rewriter.erase_op(gone)
    for node in graph.nodes:
        _point_wishes(node.attributes, old, new)


def _point_wishes(attributes: Attributes, old: str, new: str) -> None:
    """Let `place: {with: old}` and `{apart: old}` name `new`."""
    place = attributes.get("place")
    if isinstance(place, DictionaryAttr):
        wishes = {key: StringAttr(new) if value == StringAttr(old) else value for key, value in place.data.items()}
        attributes["place"] = DictionaryAttr(wishes)
