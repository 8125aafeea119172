"""How often a request visits each node of a workflow: an absorbing Markov chain, exact with loops, branches and joins.

Equations are numbered as in `docs/math/visits.md`. Source of the method: Kemeny and Snell, "Finite Markov Chains"
(1960), chapter III.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..ir.flow import FlowEdge, closure

Array = NDArray[np.float64]
MOST_STATES = 60_000
"""Chains of more states are refused."""
NEGLIGIBLE = 1e-12
"""Visits that a smaller share of the requests makes are left out."""
State = tuple[tuple[str, ...], tuple[int, ...]]
"""Nodes about to be visited, in the order of their activation, and how often each bounded edge was taken."""


class TooManyStates(ValueError):
    """The chain of a workflow has more than MOST_STATES states."""


@dataclass(frozen=True)
class Visits:
    """The visits that one request makes of one node."""

    law: tuple[float, ...]
    """`law[k]`: probability of exactly k visits."""

    @property
    def mean(self) -> float:
        """Visits per request. Equation (5)."""
        return sum(k * p for k, p in enumerate(self.law))

    @property
    def reached(self) -> tuple[float, ...]:
        """Probability that a request makes visit 1, 2, ...: P(N >= k). Equation (6)."""
        found, left = [], 0.0
        for p in reversed(self.law[1:]):
            left += p
            found.append(left)
        return tuple(p for p in reversed(found) if p >= NEGLIGIBLE)


class Chain:
    """The chain of a workflow: each step is one visit, and the state after the last absorbs."""

    def __init__(self, nodes: Sequence[str], edges: Sequence[FlowEdge]) -> None:
        self.nodes, self.edges = tuple(nodes), tuple(edges)
        self.bounded = tuple(edge for edge in edges if edge.max_visits is not None)
        after = {n: [e.target for e in edges if e.source == n] for n in nodes}
        self.reach = {n: frozenset(closure([n], after) - {n}) for n in nodes}
        self.out = {n: tuple(e for e in edges if e.source == n) for n in nodes}
        targets = {edge.target for edge in edges}
        self.start: State = (tuple(n for n in nodes if n not in targets), (0,) * len(self.bounded))
        self.moves = self._moves()
        self.order = self._in_order()

    def visits(self) -> dict[str, Visits]:
        """Node -> the law of its visits, by carrying the visits so far along with the state. Equation (4)."""
        at = {node: i for i, node in enumerate(self.nodes)}
        first = np.zeros((len(at), 1))
        first[:, 0] = 1.0
        counts = {self.start: first}
        for state in self.order:
            made = counts.pop(state)
            if not state[0]:
                return {node: Visits(tuple(map(float, np.trim_zeros(made[i], "b")))) for node, i in at.items()}
            made = _one_more(made, at[self.next_node(state)])
            for p, later in self.moves[state]:
                counts[later] = _sum(counts[later], p * made) if later in counts else p * made
        raise AssertionError("every workflow ends")

    def entered(self) -> dict[State, float]:
        """State -> how often it is entered: its row of the fundamental matrix (I - Q)^-1. Equation (3).

        Every cycle of a workflow has an edge that is taken a bounded number of times, so that no state comes back
        and the triangular system is solved by substitution.
        """
        found = dict.fromkeys(self.moves, 0.0)
        found[self.start] = 1.0
        for state in self.order:
            for p, later in self.moves[state]:
                found[later] += p * found[state]
        return found

    def next_node(self, state: State) -> str:
        """The node that is visited next: one that no other pending node leads to. Equation (1)."""
        pending = state[0]
        free = (n for n in pending if not any(n in self.reach[m] for m in pending if m != n))
        return next(free, pending[0])

    def _moves(self) -> dict[State, list[tuple[float, State]]]:
        """State -> probability and state after the next visit, of all states that are reached. Equation (2)."""
        moves: dict[State, list[tuple[float, State]]] = {}
        fresh = [self.start]
        while fresh:
            state = fresh.pop()
            if state in moves:
                continue
            # One state absorbs, whatever was taken on the way to it.
            moves[state] = [(p, later if later[0] else END) for p, later in self._steps(state)] if state[0] else []
            fresh.extend(later for _, later in moves[state])
            if len(moves) > MOST_STATES:
                raise TooManyStates(f"a request has more than {MOST_STATES} states on its way through the graph")
        return moves

    def _steps(self, state: State) -> Iterator[tuple[float, State]]:
        """Probability and state after each choice of the next node. Equation (2)."""
        pending, taken = state
        node = self.next_node(state)
        rest = tuple(n for n in pending if n != node)
        for p, chosen in self._choices(node, taken):
            later = dict.fromkeys((*rest, *(edge.target for edge in chosen)))
            counted = tuple(n + (edge in chosen) for n, edge in zip(taken, self.bounded, strict=True))
            yield p, (tuple(later), counted)

    def _choices(self, node: str, taken: tuple[int, ...]) -> list[tuple[float, tuple[FlowEdge, ...]]]:
        """Probability and edges of each way on; an exhausted edge leaves its mass to the others in proportion."""
        used = dict(zip(self.bounded, taken, strict=True))
        free = [e for e in self.out[node] if e.max_visits is None or used[e] < e.max_visits]
        unmarked = tuple(e for e in free if e.probability is None)
        choices: list[tuple[float, tuple[FlowEdge, ...]]] = [(e.probability, (e,)) for e in free if e.probability]
        if unmarked:
            choices.append((1.0 - sum(e.probability or 0.0 for e in self.out[node]), unmarked))
        choices = [(p, edges) for p, edges in choices if p > NEGLIGIBLE]
        total = sum(p for p, _ in choices)
        return [(p / total, edges) for p, edges in choices] or [(1.0, unmarked)]

    def _in_order(self) -> list[State]:
        """All states, each after those that lead to it."""
        before = dict.fromkeys(self.moves, 0)
        for moves in self.moves.values():
            for _, later in moves:
                before[later] += 1
        ready, found = [self.start], []
        while ready:
            state = ready.pop()
            found.append(state)
            for _, later in self.moves[state]:
                before[later] -= 1
                if not before[later]:
                    ready.append(later)
        return found


END: State = ((), ())
"""The request has ended."""


def _one_more(made: Array, node: int) -> Array:
    """`made[v, k]`, the share of requests with k visits of v, after one more visit of `node`."""
    grown = np.pad(made, ((0, 0), (0, 1))) if made[node, -1] else made.copy()
    grown[node, 1:] = grown[node, :-1].copy()
    grown[node, 0] = 0.0
    return grown


def _sum(a: Array, b: Array) -> Array:
    narrow, wide = sorted((a, b), key=lambda each: each.shape[1])
    return wide + np.pad(narrow, ((0, 0), (0, wide.shape[1] - narrow.shape[1])))
