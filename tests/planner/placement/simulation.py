"""Requests drawn one by one through a workflow, to hold worked-out percentiles against; shares no code with them.

The choice of an edge never depends on times, so a batch of requests that share their past is split at a choice into
parts of random size, and each part goes on as arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Link = tuple[str, str, float | None, int | None, bool]
"""(source, target, probability, max_visits, stream)."""
Draw = Callable[[np.random.Generator, str, int, int], tuple[Array, Array]]
"""(generator, node, nth visit, size) -> times to the first output and to the end [s], shape (size,) each."""


@dataclass
class Batch:
    """Requests with one past: times of its visits, and the nodes that they are about to visit."""

    size: int
    due: dict[str, list[tuple[int, bool]]]
    """Node -> the visits that lead there now, and whether they stream."""
    nodes: list[str] = field(default_factory=list)
    """By visit."""
    firsts: list[Array] = field(default_factory=list)
    ends: list[Array] = field(default_factory=list)
    visits: dict[str, int] = field(default_factory=dict)
    taken: dict[int, int] = field(default_factory=dict)
    open: set[int] = field(default_factory=set)
    """Visits that nothing follows so far."""


@dataclass(frozen=True)
class Drawn:
    """One value for each request."""

    first_output: Array
    end_to_end: Array
    visits: Mapping[str, NDArray[np.int64]]


def simulate(
    nodes: list[str], links: list[Link], draw: Draw, size: int, seed: int, delay: Mapping[tuple[str, str], float] = {}
) -> Drawn:
    """Draw `size` requests; `delay` is what passes on an edge between two nodes [s]."""
    rng = np.random.default_rng(seed)
    reach = _reach(nodes, links)
    starts = [n for n in nodes if n not in {link[1] for link in links}]
    batches, done = [Batch(size, {n: [] for n in starts})], []
    while batches:
        batch = batches.pop()
        if batch.due:
            node = _next(list(batch.due), reach)
            _visit(batch, node, draw, rng, delay)
            batches.extend(_choose(batch, node, links, rng))
        else:
            done.append(batch)
    return Drawn(
        np.concatenate([np.min([b.firsts[i] for i in b.open], axis=0) for b in done]),
        np.concatenate([np.max([b.ends[i] for i in b.open], axis=0) for b in done]),
        {n: np.concatenate([np.full(b.size, b.visits.get(n, 0)) for b in done]) for n in nodes},
    )


def _reach(nodes: list[str], links: list[Link]) -> dict[str, set[str]]:
    reach = {n: {link[1] for link in links if link[0] == n} for n in nodes}
    for _ in nodes:
        for n in nodes:
            reach[n] |= {m for k in reach[n] for m in reach[k]}
    return reach


def _next(due: list[str], reach: dict[str, set[str]]) -> str:
    """A node that no other visit still to be made may lead to."""
    free = [n for n in due if not any(n in reach[m] for m in due if m != n)]
    return (free or due)[0]


def _visit(
    batch: Batch, node: str, draw: Draw, rng: np.random.Generator, delay: Mapping[tuple[str, str], float]
) -> None:
    batch.visits[node] = batch.visits.get(node, 0) + 1
    before = batch.due.pop(node)
    start, least_end = np.zeros(batch.size), np.zeros(batch.size)
    for at, streams in before:
        moved = delay.get((batch.nodes[at], node), 0.0)
        start = np.maximum(start, (batch.firsts if streams else batch.ends)[at] + moved)
        least_end = np.maximum(least_end, batch.ends[at])
        batch.open.discard(at)
    first, total = draw(rng, node, batch.visits[node], batch.size)
    batch.open.add(len(batch.ends))
    batch.nodes.append(node)
    batch.firsts.append(start + first)
    batch.ends.append(np.maximum(start + total, least_end))


def _choose(batch: Batch, node: str, links: list[Link], rng: np.random.Generator) -> list[Batch]:
    """The parts of `batch` after its choice of edges; one that is exhausted leaves its share to the others."""
    out = [(i, link) for i, link in enumerate(links) if link[0] == node]
    free = [(i, link) for i, link in out if link[3] is None or batch.taken.get(i, 0) < link[3]]
    marked = [(link[2], [i]) for i, link in free if link[2] is not None]
    unmarked = [i for i, link in free if link[2] is None]
    rest = 1 - sum(link[2] for _, link in out if link[2] is not None)
    choices = marked + ([(rest, unmarked)] if unmarked and rest > 1e-12 else [])
    if not choices:
        return [batch]
    shares = np.array([p for p, _ in choices])
    sizes = rng.multinomial(batch.size, shares / shares.sum())
    ends = np.cumsum(sizes)
    found = []
    for (_, edges), end, size in zip(choices, ends, sizes, strict=True):
        if size:
            found.append(_part(batch, slice(end - size, end), int(size), edges, links))
    return found


def _part(batch: Batch, rows: slice, size: int, edges: list[int], links: list[Link]) -> Batch:
    due = {node: list(before) for node, before in batch.due.items()}
    taken = dict(batch.taken)
    for i in edges:
        due.setdefault(links[i][1], []).append((len(batch.ends) - 1, links[i][4]))
        taken[i] = taken.get(i, 0) + 1
    firsts, ends = [t[rows] for t in batch.firsts], [t[rows] for t in batch.ends]
    return Batch(size, due, list(batch.nodes), firsts, ends, dict(batch.visits), taken, set(batch.open))
