"""From a graph with branches and loops to the ways that one request may take through it.

A visit of a node chooses one outcome: one of its marked edges, or all unmarked ones together. An edge past
its `max_visits` is out of the choice, and its mass goes to the other outcomes in proportion. A node starts
when no other visit that is still under way can lead to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from ....ir.flow import closure
from ..problem import Scenario, Step

MAX_SCENARIOS = 4096
"""More ways than this through one graph are refused: the model would grow past use."""
MAX_STEPS = 200_000
"""More visits than this on all ways together are refused as well."""
NEGLIGIBLE = 1e-12
"""Ways that a smaller share of the requests takes are left out."""


class TooManyScenarios(ValueError):
    """The graph has more than MAX_SCENARIOS ways through it, or more than MAX_STEPS visits on them."""


@dataclass(frozen=True)
class Edge:
    """An edge between nodes, as the unrolling needs it."""

    source: str
    target: str
    probability: float | None = None
    max_visits: int | None = None
    stream: bool = False


@dataclass(frozen=True)
class Flow:
    """Nodes with their pieces in order, and the edges between nodes."""

    pieces: Mapping[str, tuple[str, ...]]
    edges: tuple[Edge, ...]
    reach: Mapping[str, frozenset[str]] = field(init=False)
    """Node -> the nodes it leads to."""
    looped: frozenset[str] = field(init=False)
    """Nodes that a request may visit more than once."""

    def __post_init__(self) -> None:
        after: dict[str, list[str]] = {}
        for edge in self.edges:
            after.setdefault(edge.source, []).append(edge.target)
        object.__setattr__(self, "reach", {n: frozenset(closure([n], after) - {n}) for n in self.pieces})
        again = (n for n in self.pieces for m in after.get(n, ()) if m == n or n in self.reach[m])
        object.__setattr__(self, "looped", frozenset(again))

    def out_edges(self, node: str) -> tuple[Edge, ...]:
        return tuple(e for e in self.edges if e.source == node)

    def of(self, prefix: str) -> Flow:
        """The part of it whose nodes' names begin with `prefix`."""
        pieces = {node: pieces for node, pieces in self.pieces.items() if node.startswith(prefix)}
        return Flow(pieces, tuple(edge for edge in self.edges if edge.source.startswith(prefix)))

    @property
    def sources(self) -> tuple[str, ...]:
        """Where requests start: the nodes without in-edges."""
        targets = {e.target for e in self.edges}
        return tuple(n for n in self.pieces if n not in targets)


@dataclass(frozen=True)
class _State:
    """A request on its way: what was visited, and what is about to be."""

    probability: float = 1.0
    steps: tuple[Step, ...] = ()
    pending: Mapping[str, tuple[tuple[str, bool], ...]] = field(default_factory=dict)
    """Node -> the finished visits that activated its next one."""
    taken: Mapping[Edge, int] = field(default_factory=dict)


def unroll(flow: Flow) -> tuple[Scenario, ...]:
    """All ways through `flow` but NEGLIGIBLE ones, the most probable first; raises TooManyScenarios."""
    states = [_State(pending=dict.fromkeys(flow.sources, ()))]
    done: list[Scenario] = []
    steps = 0
    while states:
        state = states.pop()
        if not state.pending:
            done.append(_finish(state))
            steps += len(state.steps)
        else:
            states.extend(s for s in _advance(flow, state) if s.probability >= NEGLIGIBLE)
        if len(done) + len(states) > MAX_SCENARIOS:
            raise TooManyScenarios(f"more than {MAX_SCENARIOS} ways lead through the graph")
        if steps > MAX_STEPS:
            raise TooManyScenarios(f"the ways through the graph have more than {MAX_STEPS} visits together")
    left = sum(s.probability for s in done)
    # What was left out goes to the others in proportion; where nothing was, rounding stays out of it.
    if left < 1 - NEGLIGIBLE:
        done = [replace(s, probability=s.probability / left) for s in done]
    return tuple(sorted(done, key=lambda s: (-s.probability, [step.id for step in s.steps])))


def node_of(step: Step) -> str:
    """The node that `step` visits."""
    return step.id.rpartition("@")[0]


def _advance(flow: Flow, state: _State) -> Iterator[_State]:
    """The states after the next visit, one for each outcome."""
    node = _next_node(flow, state)
    # What no loop leads back to is visited once; to count visits takes time that grows with the way.
    visit = 1 + sum(node_of(s) == node for s in state.steps) if node in flow.looped else 1
    step = Step(f"{node}@{visit}", flow.pieces[node], visit, state.pending[node])
    rest = {n: after for n, after in state.pending.items() if n != node}
    for probability, edges in _outcomes(flow, state, node):
        pending, taken = dict(rest), dict(state.taken)
        for edge in edges:
            pending[edge.target] = (*pending.get(edge.target, ()), (step.id, edge.stream))
            taken[edge] = taken.get(edge, 0) + 1
        yield replace(
            state,
            probability=state.probability * probability,
            steps=(*state.steps, step),
            pending=pending,
            taken=taken,
        )


def _next_node(flow: Flow, state: _State) -> str:
    """A pending node that no other pending node leads to; the first one where all lead to each other."""
    for node in state.pending:
        if not any(node in flow.reach[other] for other in state.pending if other != node):
            return node
    return next(iter(state.pending))


def _outcomes(flow: Flow, state: _State, node: str) -> list[tuple[float, tuple[Edge, ...]]]:
    """Probability and edges of each way on from `node`; they sum to 1."""
    out = flow.out_edges(node)
    if not out:
        return [(1.0, ())]
    open_edges = [e for e in out if e.max_visits is None or state.taken.get(e, 0) < e.max_visits]
    unmarked = tuple(e for e in open_edges if e.probability is None)
    marked = [((e.probability or 0.0), (e,)) for e in open_edges if e.probability is not None]
    rest = 1.0 - sum(e.probability for e in out if e.probability is not None)
    outcomes = [*marked, (rest, unmarked)] if unmarked else marked
    outcomes = [(p, edges) for p, edges in outcomes if p > 1e-12]
    total = sum(p for p, _ in outcomes)
    # Where every edge is exhausted the request ends here.
    return [(p / total, edges) for p, edges in outcomes] or [(1.0, unmarked)]


def _finish(state: _State) -> Scenario:
    followed = {before for step in state.steps for before, _ in step.after}
    sinks = tuple(step.id for step in state.steps if step.id not in followed)
    return Scenario(state.probability, state.steps, sinks)
