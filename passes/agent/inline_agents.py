"""`inline-agents`: the graph of a nested agent or map takes its place, its nodes called `agent/node`, `map/1/node`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from xdsl.context import Context
from xdsl.dialects.builtin import DictionaryAttr, ModuleOp, StringAttr, SymbolRefAttr
from xdsl.ir import Attribute, Operation
from xdsl.passes import ModulePass
from xdsl.rewriter import InsertPoint, Rewriter

from ...ir.agent import EdgeOp, GraphOp, NestedOp, NodeOp, symbol_of
from ...ir.diagnostics import Diagnostic, InputError, Label
from ...ir.verify import place_of

NAMES = ("sym_name", "node")
REFERENCES = ("from", "to")
RELATIONS = ("with", "apart")


@dataclass(frozen=True)
class InlineAgentsPass(ModulePass):
    """
    Inlines every `agent.agent_call`, and every `agent.map` as so many copies side by side, the innermost first.

        before: agent.agent_call @helper { think -> search };  agent.edge @ask -> @helper;  agent.edge @helper -> @say
        after:  @helper/think;  @helper/search;  agent.edge @helper/think -> @helper/search;
                agent.edge @ask -> @helper/think;  agent.edge @helper/search -> @say

    Promise: the ways of a request through the graph, their probabilities and times are those of the nested graphs.
    An edge into an agent leads to each node that its graph starts with, an edge out of it leaves each node that its
    graph ends with; where that would not mean the same (`why_not_inlined`) the module is refused. `max_visits`
    counts over a whole request, inside as outside.
    """

    name: ClassVar[str] = "inline-agents"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        inline_agents(op)


def inline_agents(module: ModuleOp) -> None:
    """Inline every nested agent of `module` in place; InputError with all that cannot be."""
    calls = [op for op in module.walk() if isinstance(op, NestedOp)]
    faults = [fault for call in calls for fault in why_not_inlined(call)]
    if faults:
        raise InputError(faults)
    for call in reversed(calls):
        _inline(call)


def why_not_inlined(call: NestedOp) -> list[Diagnostic]:
    """The edges of `call` that no edges of single nodes can stand for.

    A choice leads to one node, so a graph that starts with several cannot be chosen; a choice, a count and a first
    output belong to one node, so a graph that ends with several cannot have them.
    """
    graph, name = call.parent_op(), call.sym_name.data
    if not isinstance(graph, GraphOp):
        return [Diagnostic("pass", f"`inline-agents` met `{name}`, which stands in no `agent.graph`")]
    starts, ends = (_in_copies(call, names) for names in starts_and_ends(call.inner))
    found = []
    for edge in graph.edges:
        source, target = edge.ends
        if target == name and len(starts) > 1 and edge.probability is not None:
            found.append(
                _fault(
                    edge, name, f"starts with {_listed(starts)}", "a `probability`", "start", call.copies is not None
                )
            )
        asks = [key for key in ("probability", "max_visits", "stream") if key in edge.attributes]
        if source == name and len(ends) > 1 and asks:
            found.append(
                _fault(edge, name, f"ends with {_listed(ends)}", f"`{asks[0]}`", "end", call.copies is not None)
            )
    return found


def starts_and_ends(graph: GraphOp) -> tuple[list[str], list[str]]:
    """The nodes without in-edges, and those without out-edges."""
    sources, targets = ({edge.ends[side] for edge in graph.edges} for side in (0, 1))
    names = [symbol_of(node) for node in graph.nodes]
    return [n for n in names if n not in targets], [n for n in names if n not in sources]


def _fault(edge: EdgeOp, name: str, what: str, asks: str, end: str, copied: bool) -> Diagnostic:
    span = place_of(edge)
    message = f"the nested agent `{name}` {what}, and {asks} of an edge needs one node"
    help = f"{end} its graph with one node: `{end}: {{kind: router}}`"
    if copied:
        help = f"put a router {'before' if end == 'start' else 'after'} `{name}`, and mark its edge"
    return Diagnostic("nested", message, (Label(span),) if span else (), help)


def _listed(names: list[str]) -> str:
    shown = " and ".join(f"`{name}`" for name in names[:2])
    return shown if len(names) == 2 else f"{shown} and {len(names) - 2} more"


def _inline(call: NestedOp) -> None:
    graph, name = call.parent_op(), call.sym_name.data
    assert isinstance(graph, GraphOp)
    starts, ends = (_in_copies(call, names) for names in starts_and_ends(call.inner))
    for prefix in prefixes_of(call):
        for op in call.inner.body.block.ops:
            copy = op.clone()
            _locate(op, copy)
            _rename(copy, prefix)
            if call.copies is not None or graph.graphs is not None:
                _keep_apart(copy, prefix)
            _push_profile(call.inner, copy)
            Rewriter.insert_op(copy, InsertPoint.before(call))
    for edge in list(graph.edges):
        source, target = edge.ends
        sources = ends if source == name else [source]
        targets = starts if target == name else [target]
        if name in edge.ends:
            _replace(edge, [(source, target) for source in sources for target in targets])
    Rewriter.erase_op(call)


def prefixes_of(call: NestedOp) -> list[str]:
    """What the names of the nodes of `call` begin with, for each copy of its graph."""
    name = call.sym_name.data
    return [f"{name}/"] if call.copies is None else [f"{name}/{copy + 1}/" for copy in range(call.copies)]


def _in_copies(call: NestedOp, names: list[str]) -> list[str]:
    return [prefix + name for prefix in prefixes_of(call) for name in names]


def _locate(op: Operation, copy: Operation) -> None:
    """Let `copy` and what is inside come from where `op` does: cloning does not copy places."""
    for old, new in zip(op.walk(), copy.walk(), strict=True):
        new.location = old.location


def _rename(op: Operation, prefix: str) -> None:
    """Let `op` and what it names be called as in the graph around."""
    for key in NAMES:
        old = op.attributes.get(key)
        if isinstance(old, StringAttr):
            op.attributes[key] = StringAttr(prefix + old.data)
    for key in REFERENCES:
        old = op.attributes.get(key)
        if isinstance(old, SymbolRefAttr):
            op.attributes[key] = SymbolRefAttr(prefix + old.string_value())
    place = op.attributes.get("place")
    if isinstance(place, DictionaryAttr):
        op.attributes["place"] = DictionaryAttr({key: _wish(key, value, prefix) for key, value in place.data.items()})


def _keep_apart(op: Operation, prefix: str) -> None:
    """Let the call of `op` be another than in other copies: each copy of a map is given an item of its own.

    Graphs that share a fleet have requests of their own too.
    """
    made = op.attributes.get("call")
    if isinstance(made, StringAttr):
        op.attributes["call"] = StringAttr(f"{made.data} of {prefix.rstrip('/')}")


def _push_profile(graph: GraphOp, op: Operation) -> None:
    """Let the measured figures of the graph inside stand at its node `op`, for parts that have none of their own."""
    if not isinstance(graph.profile, DictionaryAttr) or not isinstance(op, NodeOp):
        return
    own = op.profile.data if op.profile is not None else {}
    known = {part for row in own.values() if isinstance(row, DictionaryAttr) for part in row.data}
    merged = {device: dict(row.data) for device, row in own.items() if isinstance(row, DictionaryAttr)}
    for device, row in graph.profile.data.items():
        rest = row.data.items() if isinstance(row, DictionaryAttr) else ()
        merged.setdefault(device, {}).update({part: figures for part, figures in rest if part not in known})
    op.profile = DictionaryAttr({device: DictionaryAttr(row) for device, row in merged.items() if row})


def _wish(key: str, value: Attribute, prefix: str) -> Attribute:
    return StringAttr(prefix + value.data) if key in RELATIONS and isinstance(value, StringAttr) else value


def _replace(edge: EdgeOp, pairs: list[tuple[str, str]]) -> None:
    """Put an edge as `edge` between each of `pairs` in its place."""
    for source, target in pairs:
        ends = {"from": SymbolRefAttr(source), "to": SymbolRefAttr(target)}
        new = EdgeOp(attributes={**edge.attributes, **ends})
        new.location = edge.location
        Rewriter.insert_op(new, InsertPoint.before(edge))
    Rewriter.erase_op(edge)
