"""The ways of one request through a workflow, worked out for the validator alone.

A visit takes one of its node's marked edges, or all unmarked ones together. An edge taken `max_visits` times is out,
and the others keep their proportions. A node waits for every visit still to come that may lead to it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

MAX_WAYS = 4096
MAX_VISITS = 200_000
"""On all ways together."""
RARE = 1e-12
"""Ways that a smaller share of requests takes do not count."""


@dataclass(frozen=True)
class Hop:
    """An edge of the workflow, `number` telling equal ones apart."""

    number: int
    source: str
    target: str
    probability: float | None
    max_visits: int | None
    stream: bool
    bytes: float


@dataclass(frozen=True)
class Visit:
    """The `nth` visit (from 1) of `node`, after the visits at the given positions of the way."""

    node: str
    nth: int
    after: tuple[tuple[int, Hop], ...]


@dataclass(frozen=True)
class Way:
    """One way through the workflow: its probability, and its visits in an order that respects `after`."""

    probability: float
    visits: tuple[Visit, ...]
    graph: str = ""
    """whose requests take it, where several graphs share the fleet"""

    @property
    def ends(self) -> tuple[int, ...]:
        """Positions of the visits that nothing follows."""
        followed = {position for visit in self.visits for position, _ in visit.after}
        return tuple(i for i in range(len(self.visits)) if i not in followed)


@dataclass(frozen=True)
class _Walk:
    probability: float
    visits: tuple[Visit, ...]
    waiting: tuple[tuple[str, tuple[tuple[int, Hop], ...]], ...]
    """Nodes about to be visited, with what led there; in the order of their first activation."""
    visited: Mapping[str, int]
    """Node -> visits so far"""
    taken: Mapping[int, int]
    """Number of an edge that may be taken a few times only -> how often it was"""


Leaving = Mapping[str, Sequence[Hop]]
"""Node -> the edges that leave it"""


class TooManyWays(ValueError):
    """More than MAX_WAYS ways lead through the workflow, or more than MAX_VISITS visits lie on them."""


def ways_through(nodes: Sequence[str], hops: Sequence[Hop]) -> list[Way]:
    """Every way but RARE ones from the nodes without in-edges to an end; probabilities sum to 1.

    Raises TooManyWays.
    """
    leaving: dict[str, list[Hop]] = {node: [] for node in nodes}
    for hop in hops:
        leaving.setdefault(hop.source, []).append(hop)
    leads_to = {node: _descendants(node, leaving) for node in nodes}
    targets = {hop.target for hop in hops}
    start = _Walk(1.0, (), tuple((node, ()) for node in nodes if node not in targets), {}, {})
    walks, finished, sum_of_visits = deque([start]), [], 0
    while walks:
        walk = walks.popleft()
        if not walk.waiting:
            finished.append(Way(walk.probability, walk.visits))
            sum_of_visits += len(walk.visits)
        else:
            walks.extend(next for next in _next_walks(walk, leaving, leads_to) if next.probability >= RARE)
        if len(walks) + len(finished) > MAX_WAYS:
            raise TooManyWays(f"more than {MAX_WAYS} ways lead through the graph")
        if sum_of_visits > MAX_VISITS:
            raise TooManyWays(f"the ways through the graph have more than {MAX_VISITS} visits")
    total = sum(way.probability for way in finished)
    return [replace(way, probability=way.probability / total) for way in finished]


def visits_per_request(ways: Iterable[Way]) -> dict[str, float]:
    """Node -> expected number of visits in one request."""
    visits: dict[str, float] = {}
    for way in ways:
        for visit in way.visits:
            visits[visit.node] = visits.get(visit.node, 0.0) + way.probability
    return visits


def visit_probabilities(ways: Iterable[Way]) -> dict[str, list[float]]:
    """Node -> probability that a request makes its first, second, ... visit."""
    reached: dict[str, dict[int, float]] = {}
    for way in ways:
        for visit in way.visits:
            own = reached.setdefault(visit.node, {})
            own[visit.nth] = own.get(visit.nth, 0.0) + way.probability
    return {node: [own[nth] for nth in sorted(own)] for node, own in reached.items()}


def _descendants(node: str, leaving: Leaving) -> set[str]:
    found: set[str] = set()
    fresh = [node]
    while fresh:
        for hop in leaving.get(fresh.pop(), ()):
            if hop.target not in found:
                found.add(hop.target)
                fresh.append(hop.target)
    return found


def _next_walks(walk: _Walk, leaving: Leaving, leads_to: dict[str, set[str]]) -> list[_Walk]:
    names = [node for node, _ in walk.waiting]
    free = [n for n in names if not any(n in leads_to[other] for other in names if other != n)]
    node = (free or names)[0]
    after = dict(walk.waiting)[node]
    nth = 1 + walk.visited.get(node, 0)
    visits, visited = (*walk.visits, Visit(node, nth, after)), {**walk.visited, node: nth}
    results: list[_Walk] = []
    for probability, hops in _choices(leaving.get(node, ()), walk.taken):
        waiting = {n: led for n, led in walk.waiting if n != node}
        taken = dict(walk.taken)
        for hop in hops:
            waiting[hop.target] = (*waiting.get(hop.target, ()), (len(visits) - 1, hop))
            if hop.max_visits is not None:
                taken[hop.number] = taken.get(hop.number, 0) + 1
        results.append(_Walk(walk.probability * probability, visits, tuple(waiting.items()), visited, taken))
    return results


def _choices(leaving: Sequence[Hop], taken: Mapping[int, int]) -> list[tuple[float, tuple[Hop, ...]]]:
    usable = [h for h in leaving if h.max_visits is None or taken.get(h.number, 0) < h.max_visits]
    together = tuple(h for h in usable if h.probability is None)
    choices: list[tuple[float, tuple[Hop, ...]]] = [(h.probability, (h,)) for h in usable if h.probability is not None]
    remainder = 1.0 - sum(h.probability for h in leaving if h.probability is not None)
    if together:
        choices.append((remainder, together))
    choices = [(p, hops) for p, hops in choices if p > 1e-12]
    total = sum(p for p, _ in choices)
    return [(p / total, hops) for p, hops in choices] or [(1.0, together)]
