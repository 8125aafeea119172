"""The rules of a workflow's graph, shared by the `agent.graph` verifier and by the reader, which adds the places.

Requests start at the nodes without in-edges and end at those without out-edges.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .wording import named

if TYPE_CHECKING:
    from .agent import GraphOp

MOST_CYCLES = 20
"""Cycles without a bound that are reported at once."""
MOST_TOLD = 8
"""Nodes of a cycle that a message names."""
TOLERANCE = 1e-9
"""Within this, probabilities count as summing to 1."""


@dataclass(frozen=True)
class FlowEdge:
    """An edge as the rules see it; `index` is its place in the file."""

    source: str
    target: str
    probability: float | None = None
    max_visits: int | None = None
    index: int = 0


@dataclass(frozen=True)
class FlowFault:
    """A broken rule: the rule's number, a sentence that stands alone, and the node or edge it is noted at."""

    rule: str
    message: str
    node: str | None = None
    edge: int | None = None
    help: str | None = None


def check_flow(nodes: Iterable[str], edges: Iterable[FlowEdge]) -> Iterator[FlowFault]:
    """The faults of a graph, by the numbers of `agent.graph`; later rules are asked only where (C1) holds."""
    names, edges = list(nodes), list(edges)
    dangling = list(_dangling(names, edges))
    yield from dangling
    yield from _probabilities(edges)
    if dangling:
        return
    cycles = list(_unbounded_cycles(names, edges))
    yield from cycles
    yield from _unreached(names, edges)
    if not cycles:
        yield from _without_end(names, edges)


def verify_flow(graph: GraphOp) -> Iterator[tuple[str, str]]:
    """(rule, message) of every broken rule of `graph`."""
    nodes = [node.attributes["sym_name"].data for node in graph.nodes]  # pyright: ignore[reportAttributeAccessIssue]
    edges = [
        FlowEdge(
            edge.source.root_reference.data,
            edge.target.root_reference.data,
            edge.probability.value.data if edge.probability is not None else None,
            edge.max_visits.value.data if edge.max_visits is not None else None,
            number,
        )
        for number, edge in enumerate(graph.edges)
    ]
    if graph.graphs is None:
        parts = [(nodes, edges)]
    else:  # several graphs that share a fleet: each is one by itself, its nodes called `graph/node`
        whose = {node: node.partition("/")[0] for node in nodes}
        names = dict.fromkeys([*whose.values(), *(edge.source.partition("/")[0] for edge in edges)])
        parts = [
            ([n for n in nodes if whose[n] == name], [e for e in edges if e.source.partition("/")[0] == name])
            for name in names
        ]
    return ((fault.rule, fault.message) for part in parts for fault in check_flow(*part))


def _dangling(names: list[str], edges: list[FlowEdge]) -> Iterator[FlowFault]:
    """(C1) Every edge ends at nodes of this graph, and no two edges join the same nodes."""
    known, seen = set(names), set()
    for edge in edges:
        for end in dict.fromkeys((edge.source, edge.target)):
            if end not in known:
                message = f"the edge `{edge.source} -> {edge.target}` names the node `{end}`, which does not exist"
                yield FlowFault("C1", message, node=end, edge=edge.index)
        if (edge.source, edge.target) in seen:
            message = f"the edge `{edge.source} -> {edge.target}` stands twice"
            yield FlowFault("C1", message, edge=edge.index)
        seen.add((edge.source, edge.target))


def _probabilities(edges: list[FlowEdge]) -> Iterator[FlowFault]:
    """(C2) Marked probabilities of a node's out-edges sum to at most 1, and to 1 where no edge is unmarked."""
    for node, leaving in _by_source(edges).items():
        marked = [edge for edge in leaving if edge.probability is not None]
        total = sum(edge.probability or 0.0 for edge in marked)
        if not marked:
            continue
        if total > 1 + TOLERANCE:
            message = f"the probabilities of the edges from `{node}` sum to {total:g}, over 1"
            yield FlowFault("C2", message, edge=marked[-1].index)
        elif len(marked) == len(leaving) and total < 1 - TOLERANCE:
            message = f"the probabilities of the edges from `{node}` sum to {total:g}, and no edge takes the rest"
            help = "let them sum to 1, or leave `probability` off one edge"
            yield FlowFault("C2", message, edge=marked[-1].index, help=help)


def _unbounded_cycles(names: list[str], edges: list[FlowEdge]) -> Iterator[FlowFault]:
    """(C3) Every cycle has `max_visits` on one of its edges."""
    free = [edge for edge in edges if edge.max_visits is None]
    index_of = {(edge.source, edge.target): edge.index for edge in edges}
    for _ in range(MOST_CYCLES):
        cycle = _find_cycle(names, free)
        if not cycle:
            return
        told = cycle if len(cycle) <= MOST_TOLD else [*cycle[: MOST_TOLD - 2], "...", cycle[-1]]
        path = " -> ".join([*told, cycle[0]])
        message = f"the cycle `{path}` has no bound"
        last = index_of[(cycle[-1], cycle[0])]
        yield FlowFault("C3", message, edge=last, help="put `max_visits` on one of its edges")
        free = [edge for edge in free if edge.source not in cycle and edge.target not in cycle]


def _find_cycle(names: list[str], edges: list[FlowEdge]) -> list[str]:
    """The nodes of one cycle, from the first in the file; empty where there is none."""
    left = _peel(names, edges)
    if not left:
        return []
    order = {name: number for number, name in enumerate(names)}
    after = {e.source: e.target for e in reversed(edges) if e.source in left and e.target in left}
    node, visited = next(name for name in names if name in left), {}
    while node not in visited:
        visited[node] = len(visited)
        node = after[node]
    cycle = list(visited)[visited[node] :]
    first = min(range(len(cycle)), key=lambda at: order[cycle[at]])
    return cycle[first:] + cycle[:first]


def _peel(names: list[str], edges: list[FlowEdge]) -> set[str]:
    """What is left when nodes without an out-edge are taken away, one after the other: all lead to a cycle."""
    before: dict[str, list[str]] = {name: [] for name in names}
    out_degree = dict.fromkeys(names, 0)
    for edge in edges:
        before[edge.target].append(edge.source)
        out_degree[edge.source] += 1
    ready = [name for name in names if out_degree[name] == 0]
    for name in ready:
        for earlier in before[name]:
            out_degree[earlier] -= 1
            if out_degree[earlier] == 0:
                ready.append(earlier)
    return set(names) - set(ready)


def _unreached(names: list[str], edges: list[FlowEdge]) -> Iterator[FlowFault]:
    """(C4) Every node is reached from where requests start, and no node stands alone beside others."""
    targets, joined = {e.target for e in edges}, {end for e in edges for end in (e.source, e.target)}
    starts = [name for name in names if name not in targets]
    if names and not starts:
        message = "no node starts the graph: each has an incoming edge"
        help = f"add a node `start: {{kind: router}}` and an edge `start -> {names[0]}`"
        yield FlowFault("C4", message, node=names[0], help=help)
        return
    reached = closure(starts, {n: [e.target for e in es] for n, es in _by_source(edges).items()})
    for name in names:
        if name not in reached:
            yield FlowFault("C4", f"no request reaches the node `{name}`", node=name, help="add an edge to it")
        elif len(names) > 1 and name not in joined:
            yield FlowFault("C4", f"the node `{name}` has no edge", node=name, help="join it with an edge or remove it")


def _without_end(names: list[str], edges: list[FlowEdge]) -> Iterator[FlowFault]:
    """(C5) Every node leads to a sink, a node without out-edges."""
    leaving = _by_source(edges)
    backwards: dict[str, list[str]] = {}
    for edge in edges:
        backwards.setdefault(edge.target, []).append(edge.source)
    ending = closure([name for name in names if name not in leaving], backwards)
    endless = [name for name in names if name not in ending]
    if endless:
        which = named([f"`{name}`" for name in endless], 4)
        message = f"a request never ends: no path leads from {which} to a node without out-edges"
        yield FlowFault("C5", message, node=endless[0], help="add an edge that leaves the cycle")


def _by_source(edges: Iterable[FlowEdge]) -> dict[str, list[FlowEdge]]:
    leaving: dict[str, list[FlowEdge]] = {}
    for edge in edges:
        leaving.setdefault(edge.source, []).append(edge)
    return leaving


def closure(starts: Iterable[str], after: Mapping[str, Iterable[str]]) -> set[str]:
    """All that `starts` lead to, themselves included."""
    reached = set(starts)
    frontier = list(reached)
    while frontier:
        for name in after.get(frontier.pop(), ()):
            if name not in reached:
                reached.add(name)
                frontier.append(name)
    return reached
