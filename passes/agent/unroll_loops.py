"""`unroll-loops`: the visits of a loop become nodes, `think@1`, `think@2`, so that the graph has no cycle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from xdsl.context import Context
from xdsl.dialects.builtin import DictionaryAttr, FloatAttr, ModuleOp, StringAttr, SymbolRefAttr, f64
from xdsl.ir import Operation
from xdsl.passes import ModulePass
from xdsl.rewriter import InsertPoint, Rewriter

from ...ir.agent import DistAttr, EdgeOp, GraphOp, LLMCallOp, NestedOp, symbol_of
from ...ir.flow import closure
from ...ir.llm import PhaseOp

NEGLIGIBLE = 1e-12
"""A way on of less probability is none, as in the planner."""
RELATIONS = ("with", "apart")


@dataclass(frozen=True)
class UnrollLoopsPass(ModulePass):
    """
    Unrolls the loops that `can_unroll` and `should_unroll`; a loop of more than `most` visits is left as it is.

        before: agent.edge @think -> @search {probability = 0.4, max_visits = 1};  agent.edge @search -> @think
                agent.edge @think -> @say
        after:  agent.edge @think@1 -> @search@1 {probability = 0.4};  agent.edge @search@1 -> @think@2
                agent.edge @think@1 -> @say;  agent.edge @think@2 -> @say

    Promise: requests take the same ways with the same probabilities. Past its `max_visits` an edge is gone, and its
    mass is with the other edges of that visit in proportion. Where the ways to a visit differ in which edges are gone,
    the visit has a node for each: `think@3`, `think@3-2`.
    """

    name: ClassVar[str] = "unroll-loops"
    most: int = 1000

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for graph in [each for each in op.walk() if isinstance(each, GraphOp)]:
            unroll_loops(graph, self.most)


def unroll_loops(graph: GraphOp, most: int = 1000) -> None:
    """Unroll every loop of `graph` that has at most `most` visits, in place."""
    for nodes in loops(graph):
        if can_unroll(graph, nodes):
            loop = Loop(graph, nodes)
            if should_unroll(loop, most):
                _replace(loop)


def loops(graph: GraphOp) -> list[list[str]]:
    """The nodes of each loop in the order of the file: those that lead to each other."""
    after: dict[str, list[str]] = {}
    for edge in graph.edges:
        after.setdefault(edge.ends[0], []).append(edge.ends[1])
    names = [symbol_of(node) for node in graph.nodes]
    reach = {name: closure(after.get(name, ()), after) for name in names}
    found: dict[tuple[str, ...], None] = {}
    for name in names:
        if name in reach[name]:
            found[tuple(other for other in names if other in reach[name] and name in reach[other])] = None
    return [list(nodes) for nodes in found]


def can_unroll(graph: GraphOp, nodes: list[str]) -> bool:
    """Whether a request is at one node of the loop at a time, so that its way through is a chain of visits.

    The loop is entered at one node; whatever a node chooses, it goes on to at most one node of the loop; its nodes
    are neither phases of calls nor nested agents, which other passes turn into nodes first.
    """
    inside = set(nodes)
    heads = {edge.ends[1] for edge in graph.edges if edge.ends[1] in inside and edge.ends[0] not in inside}
    going_on = [edge.ends[0] for edge in graph.edges if set(edge.ends) <= inside and edge.probability is None]
    simple = not any(isinstance(op, PhaseOp | NestedOp) for op in graph.nodes if symbol_of(op) in inside)
    return len(heads) == 1 and len(going_on) == len(set(going_on)) and simple


def should_unroll(loop: Loop, most: int) -> bool:
    """Whether the visits are few enough to be of use: unrolling saves nothing by itself, and each visit is a node."""
    return loop.count(most + 1) <= most


@dataclass(frozen=True)
class State:
    """A request at a node of a loop: what decides how it goes on."""

    node: str
    visits: tuple[int, ...]
    """of each node of the loop, this one counted"""
    taken: tuple[int, ...]
    """how often each edge with `max_visits` was taken"""


class Loop:
    """The visits of a loop, found from its head on."""

    def __init__(self, graph: GraphOp, nodes: list[str]) -> None:
        self.graph, self.nodes = graph, nodes
        self.leaving = {name: [edge for edge in graph.edges if edge.ends[0] == name] for name in nodes}
        self.counted = [edge for name in nodes for edge in self.leaving[name] if edge.max_visits is not None]
        self.entering = [e for e in graph.edges if e.ends[1] in nodes and e.ends[0] not in nodes]
        first = self.entering[0].ends[1]
        self.head = State(first, tuple(int(name == first) for name in nodes), (0,) * len(self.counted))
        """The first visit of all."""

    def states(self) -> Iterator[State]:
        """Every visit, those that fewer steps lead to before others."""
        found = {self.head: None}
        queue = [self.head]
        for state in queue:
            yield state
            for _, edges in self.outcomes(state):
                new = self.after(state, edges)
                if new is not None and new not in found:
                    found[new] = None
                    queue.append(new)

    def count(self, most: int) -> int:
        """How many visits there are, or `most` if there are more."""
        return sum(1 for _, _ in zip(range(most), self.states(), strict=False))

    def outcomes(self, state: State) -> list[tuple[float | None, list[EdgeOp]]]:
        """What a request may do after a visit: a marked edge with its probability, or (None) all unmarked ones."""
        edges = self.leaving[state.node]
        open_edges = [edge for edge in edges if not self._is_gone(edge, state)]
        marked = [(_probability(edge), [edge]) for edge in open_edges if edge.probability is not None]
        unmarked = [edge for edge in open_edges if edge.probability is None]
        rest = 1.0 - sum(_probability(edge) for edge in edges if edge.probability is not None)
        if not unmarked or rest <= NEGLIGIBLE:
            rest, unmarked = 0.0, [] if marked else unmarked
        total = sum(p for p, _ in marked) + rest
        scaled = [(p if abs(total - 1.0) <= NEGLIGIBLE else p / total, edge) for p, edge in marked]
        return [*scaled, (None, unmarked)] if unmarked else list(scaled)

    def after(self, state: State, edges: list[EdgeOp]) -> State | None:
        """The visit that follows when `edges` are taken together; None where they leave the loop."""
        for edge in edges:
            if edge.ends[1] in self.nodes:
                at = self.nodes.index(edge.ends[1])
                visits = (*state.visits[:at], state.visits[at] + 1, *state.visits[at + 1 :])
                taken = (n + (each in edges) for n, each in zip(state.taken, self.counted, strict=True))
                return State(edge.ends[1], visits, tuple(taken))
        return None

    def names(self) -> dict[State, str]:
        """State -> the name of its node: `node@k` for the `k`-th visit, and `node@k-2` for a second way to it."""
        names: dict[State, str] = {}
        ways: dict[str, int] = {}
        for state in self.states():
            name = f"{state.node}@{self.visit(state)}"
            ways[name] = ways.get(name, 0) + 1
            names[state] = name if ways[name] == 1 else f"{name}-{ways[name]}"
        return names

    def visit(self, state: State) -> int:
        """Which visit of its node `state` is, from 1."""
        return state.visits[self.nodes.index(state.node)]

    def _is_gone(self, edge: EdgeOp, state: State) -> bool:
        return edge.max_visits is not None and state.taken[self.counted.index(edge)] >= edge.max_visits.value.data


def _probability(edge: EdgeOp) -> float:
    return 0.0 if edge.probability is None else edge.probability.value.data


def _replace(loop: Loop) -> None:
    """Put the visits of `loop` in the place of its nodes, and their edges in the place of its edges."""
    graph, names = loop.graph, loop.names()
    nodes = {symbol_of(node): node for node in graph.nodes}
    for edge in loop.entering:
        edge.attributes["to"] = SymbolRefAttr(names[loop.head])
    for state, name in names.items():
        Rewriter.insert_op(_copy(nodes[state.node], name, loop.visit(state)), InsertPoint.before(nodes[state.node]))
        for probability, edges in loop.outcomes(state):
            follower = loop.after(state, edges)
            for edge in edges:
                target = edge.ends[1] if follower is None or edge.ends[1] != follower.node else names[follower]
                Rewriter.insert_op(_edge(edge, name, target, probability), InsertPoint.before(edge))
    for name in loop.nodes:
        for edge in loop.leaving[name]:
            Rewriter.erase_op(edge)
        Rewriter.erase_op(nodes[name])
    _point_wishes(graph, {name: f"{name}@1" for name in loop.nodes})


def _copy(node: Operation, name: str, visit: int) -> Operation:
    """The node `name` that stands for the `visit`-th visit of `node`, and shares its devices with the first."""
    new = node.clone()
    new.location = node.location
    new.attributes["sym_name"] = StringAttr(name)
    if isinstance(new, LLMCallOp):
        _grow(new, visit)
    if not name.endswith("@1"):
        place = node.attributes.get("place")
        wishes = dict(place.data) if isinstance(place, DictionaryAttr) else {}
        new.attributes["place"] = DictionaryAttr(wishes | {"with": StringAttr(f"{symbol_of(node)}@1")})
    return new


def _grow(call: LLMCallOp, visit: int) -> None:
    """Let the prompt be that of the `visit`-th visit, of which that of the visit before is cached."""
    growth, prompt = call.prompt_growth.value.data, call.prompt_tokens.value
    call.prompt_growth = FloatAttr(0.0, f64)
    if visit > 1:
        call.prompt_tokens = DistAttr.of(prompt.shifted(growth * (visit - 1)))
        call.cached_prefix_tokens = FloatAttr(prompt.mean + growth * (visit - 2), f64)


def _edge(edge: EdgeOp, source: str, target: str, probability: float | None) -> EdgeOp:
    dropped = ("from", "to", "probability", "max_visits")
    attributes = {key: value for key, value in edge.attributes.items() if key not in dropped}
    if probability is not None:
        attributes["probability"] = FloatAttr(probability, f64)
    new = EdgeOp(attributes={**attributes, "from": SymbolRefAttr(source), "to": SymbolRefAttr(target)})
    new.location = edge.location
    return new


def _point_wishes(graph: GraphOp, first: Mapping[str, str]) -> None:
    """Let wishes that name a node of the loop name its first visit."""
    for node in graph.nodes:
        place = node.attributes.get("place")
        if isinstance(place, DictionaryAttr):
            wishes = dict(place.data)
            for key in RELATIONS:
                other = wishes.get(key)
                if isinstance(other, StringAttr):
                    wishes[key] = StringAttr(first.get(other.data, other.data))
            node.attributes["place"] = DictionaryAttr(wishes)
