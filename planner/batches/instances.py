"""The instances of a batch by themselves: the way that chance takes each of them, and whole numbers of them."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor
from typing import TYPE_CHECKING

from .problem import BatchProblem

if TYPE_CHECKING:
    import numpy as np


def ways(p: BatchProblem, rng: np.random.Generator) -> dict[str, dict[str, list[bool]]]:
    """Operator -> whether each instance comes there from each operator before; under its own name, whether it comes."""
    found: dict[str, dict[str, list[bool]]] = {}
    drawn: dict[str, list[float]] = {name: rng.random(p.size).tolist() for name, _ in p.odds}
    for name in p.order:
        into = {a: [False] * p.size for a in p.before[name]}
        for a, way in into.items():
            low, high = _interval(p, a, name)
            numbers, visited = drawn.get(a), found[a][a]
            for i in range(p.size):
                way[i] = visited[i] and (numbers is None or low <= numbers[i] < high)
        visited = [any(way[i] for way in into.values()) for i in range(p.size)] if into else [True] * p.size
        found[name] = {**into, name: visited}
    return found


def _interval(p: BatchProblem, before: str, after: str) -> tuple[float, float]:
    """The numbers in [0, 1) with which an instance takes this edge."""
    low = 0.0
    for edge, probability in p.odds.items():
        if edge == (before, after):
            return low, low + probability
        low += probability if edge[0] == before else 0.0
    return low, 2.0


def depths(p: BatchProblem) -> dict[str, int]:
    """Operator -> operators on the longest way to it, its own counted."""
    depth: dict[str, int] = {}
    for name in p.order:
        depth[name] = 1 + max((depth[a] for a in p.before[name]), default=0)
    return depth


def cut(total: int, weights: Sequence[float]) -> list[int]:
    """`total` in whole parts in proportion to `weights`, the largest remainders rounded up."""
    if not total:
        return [0] * len(weights)
    exact = [total * w / sum(weights) for w in weights]
    parts = [floor(e) for e in exact]
    order = sorted(range(len(exact)), key=lambda n: (parts[n] - exact[n], n))
    for n in order[: total - sum(parts)]:
        parts[n] += 1
    return parts
