"""(36) Time to first token of a node whose traffic is split: a bound holds over its requests, whatever their class.

A request is of one class, so the law of a visit is a mixture: with all classes placed, P(t <= B) is the sum of each
class's own probability in its pool times its share, which is linear in the placements, and so is the mean.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ....ir.distribution import Distribution
from ..problem import Bound, Option, Piece, PlacementProblem
from .laws import Grid, Law, is_point, mean, quantile_of_mixture

GRID = 8192
ROUNDING = 1e-9
SCALED = ("lognormal", "truncated")
"""Kinds whose first parameter is the logarithm of a factor."""
RANKS = np.concatenate([np.linspace(0.0, 0.98, 2048), np.linspace(0.98, 1.0, 2049)[1:]])
"""Finer where bounds are broken."""
Key = tuple[str, str]


@dataclass(frozen=True)
class Mixed:
    """One visit of a split node under a bound: what each option of its first pieces adds, and what all need."""

    visit: int
    adds: Mapping[Key, float]
    """(piece, pool) -> share x P(t <= B) of a percentile, share x mean / B of a mean"""
    at_least: float | None
    """of a percentile; the sum of a mean is at most 1"""

    def hopeless(self) -> Iterator[Key]:
        """Options with which the bound is broken wherever the other classes go."""
        best: dict[str, float] = {}
        sign = -1.0 if self.at_least is None else 1.0
        for (piece, _), value in self.adds.items():
            best[piece] = max(best.get(piece, -float("inf")), sign * value)
        rest, limit = sum(best.values()), -1.0 if self.at_least is None else self.at_least
        for (piece, pool), value in self.adds.items():
            if rest - best[piece] + sign * value < limit - ROUNDING:
                yield piece, pool


def mixtures(p: PlacementProblem, b: Bound, starts: Mapping[str, set[int]]) -> list[Mixed]:
    """(36) Of each visit of the split node that `b` bounds; `starts` has the visits that a piece is the first of."""
    rows = split_pieces(p, b)
    if not rows:
        return []
    adds: dict[int, dict[Key, float]] = defaultdict(dict)
    for o in p.options:
        for k in starts.get(o.piece, ()) if o.piece in rows else ():
            if k <= len(o.visits):
                value = mean_s(o, k) / b.limit_s if b.percentile is None else reached(o, k, b.limit_s)
                adds[k][o.piece, o.pool] = rows[o.piece].share * value
    least = None if b.percentile is None else b.percentile
    return [Mixed(k, found, least) for k, found in sorted(adds.items())]


def split_pieces(p: PlacementProblem, b: Bound) -> dict[str, Piece]:
    """Pieces of the classes of the node that a bound is on, by id; none where it is not split."""
    return {q.id: q for q in p.pieces if q.whole == b.node and q.visit_class is not None}


def mean_s(o: Option, visit: int) -> float:
    """Mean time to first output of a visit, waits and losses among it [s]."""
    time = o.visits[visit - 1]
    return sum(mean(part) for part in (time.wait, *time.lost, time.first))


def reached(o: Option, visit: int, limit_s: float) -> float:
    """P(time to first output <= limit) of a visit, never overstated."""
    time = o.visits[visit - 1]
    return _reached((time.wait, *time.lost, time.first), limit_s)


@lru_cache(maxsize=65536)
def _reached(parts: tuple[Distribution, ...], limit_s: float) -> float:
    fixed = sum(mean(part) for part in parts if is_point(part))
    random = [part for part in parts if not is_point(part)]
    left = limit_s * (1 + ROUNDING) - fixed
    if not random or left < 0:
        return float(left >= 0)
    if len(random) == 1:
        return random[0].cdf(left)
    if len(random) == 2:
        return _sum_reached(random[0], random[1], left)
    grid = Grid(limit_s * 1.01 / GRID, GRID)
    return grid.at_most(_sum(grid, random), left)


def _sum_reached(a: Distribution, b: Distribution, t: float) -> float:
    """P(A + B <= t) = E[F_A(t - B)], with B at the upper end of each stretch between RANKS."""
    if a.kind in SCALED:
        a, b = b, a
    chance, at = _strata(b)
    inside = np.maximum(t - at, 0.0)
    return float(np.dot(chance, np.where(at <= t, a.cdf(inside), 0.0)))


def _strata(d: Distribution) -> tuple[np.ndarray, np.ndarray]:
    """How likely each stretch between RANKS is, and its upper end: those of a law times a factor are looked up once."""
    if d.kind not in SCALED or d.shift:
        return _strata_of(d)
    chance, at = _strata_of(Distribution(d.kind, (0.0, *d.params[1:])))
    return chance, at * math.exp(d.params[0])


@lru_cache(maxsize=64)
def _strata_of(d: Distribution) -> tuple[np.ndarray, np.ndarray]:
    return np.diff(RANKS), np.array([d.quantile(float(rank)) for rank in RANKS[1:]])


def quantile_of_classes(rows: list[tuple[float, Option]], visit: int, percentile: float, horizon_s: float) -> float:
    """The percentile of a visit's time to first output over classes of these shares in these options [s].

    `horizon_s` is no less than the percentile of any of them.
    """
    grid = Grid(horizon_s * 1.01 / GRID or 1.0, GRID)
    laws = []
    for share, o in rows:
        time = o.visits[visit - 1]
        laws.append((share, _sum(grid, [time.wait, *time.lost, time.first])))
    return quantile_of_mixture(laws, percentile, grid)


def _sum(grid: Grid, parts: list[Distribution]) -> Law:
    law = grid.law(parts[0])
    for part in parts[1:]:
        law = grid.add(law, grid.law(part))
    return law
