"""Exact latency of a plan: every scenario as a network of independent times, then the mixture of scenarios."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from ....ir.distribution import Distribution
from ..problem import Bound, Option, PlacementProblem
from ..search.clock import NO_LIMIT, Clock
from .laws import Grid, Law, is_point, mean, quantile, quantile_of_mixture
from .network import FACTORS
from .sections import Cut, cut
from .ways import ArcLaw, Delay, ways_laws


@dataclass(frozen=True)
class Measure:
    """What a plan makes of one bounded latency: P(gridded time <= limit), and the same surely understated."""

    reached: float
    """A probability that is never overstated."""
    at_best: float
    """A probability that is never understated."""


class Latencies:
    """Laws of end to end and first output, with sums shared between scenarios.

    Raises TimeUp where `clock` is over before they are known.
    """

    def __init__(self, p: PlacementProblem, grid: Grid, clock: Clock = NO_LIMIT) -> None:
        self.p = p
        self.grid = Memo(grid, clock)
        self.options = {(o.piece, o.pool): o for o in p.options}
        self.pools = {g.id: g for g in p.pools}
        self.routes = {
            (t.from_piece, t.to_piece): {(r.from_location, r.to_location): r for r in t.routes} for t in p.transfers
        }
        self._laws: dict[Distribution, Law] = {}
        self._cuts: dict[tuple[str, str], Cut] = {}

    def arc(self, option: Option, visit: int, part: str) -> Law:
        """Law of one part of one visit under one option; the time lost counts to the wait."""
        time = option.visits[visit - 1]
        law = self._law(getattr(time, part))
        for lost in time.lost if part == "wait" else ():
            law = self.grid.add(law, self._law(lost))
        return law

    def _law(self, d: Distribution) -> Law:
        law = self._laws.get(d)
        if law is None:
            law = self._laws[d] = self.grid.law(d)
        return law

    def of_plan(self, placements: Mapping[str, str]) -> tuple[ArcLaw, Delay]:
        """Laws and delays of one plan."""

        def arcs(piece: str, visit: int, part: str) -> Law:
            return self.arc(self.options[piece, placements[piece]], visit, part)

        def delay(a: str, b: str) -> float:
            return self.delay(a, b, placements[a], placements[b])

        return arcs, delay

    def delay(self, a: str, b: str, pool_a: str, pool_b: str) -> float:
        """Transfer latency between two placed pieces; 0 without a transfer or in one location [s]."""
        routes = self.routes.get((a, b))
        here, there = self.pools[pool_a].location, self.pools[pool_b].location
        return 0.0 if routes is None or here == there else routes[here, there].latency_s

    def laws(
        self, kind: str, arcs: ArcLaw, delay: Delay, factors: int = FACTORS, graph: str = ""
    ) -> list[tuple[float, Law]]:
        """Probability and law of each scenario of `graph`; `kind` is `end_to_end` or `first_output`.

        `factors` as in `longest`.
        """
        return ways_laws(self._cut(kind, graph), arcs, delay, self.grid, factors)

    def drawn_laws(self, kind: str, arcs: ArcLaw, delay: Delay) -> list[tuple[float, Law]]:
        """As `laws`, with draws in place of proofs for what cannot be reduced."""
        return ways_laws(self._cut(kind), arcs, delay, self.grid, draws=True)

    def _cut(self, kind: str, graph: str = "") -> Cut:
        if (kind, graph) not in self._cuts:
            self._cuts[kind, graph] = cut(self.p.scenarios_of(graph), kind)
        return self._cuts[kind, graph]

    def measure(self, bound: Bound, arcs: ArcLaw, delay: Delay, factors: int = FACTORS) -> Measure:
        """How a percentile bound fares: the probability of keeping it, from below and from above."""
        low = high = 0.0
        for weight, law in self.laws(bound.kind, arcs, delay, factors, bound.graph):
            low += weight * self.grid.at_most(law, bound.limit_s)
            high += weight * self.grid.at_best(law, bound.limit_s)
        return Measure(low, high)

    def mean(
        self, kind: str, arcs: ArcLaw, delay: Delay, factors: int = FACTORS, graph: str = ""
    ) -> tuple[float, float]:
        """Mean over requests of `graph`, never understated, and how much it may be overstated [s]."""
        value = error = 0.0
        for weight, law in self.laws(kind, arcs, delay, factors, graph):
            value += weight * self.grid.mean_of(law)
            error += weight * (0.0 if law.mean_s is not None else law.error_s)
        return value, error


MOST_REMEMBERED = 2**23
"""Points of sums that a grid remembers: 64 MiB."""


class Memo(Grid):
    """A grid that remembers its sums, since scenarios share their beginnings, and heeds a clock."""

    def __init__(self, grid: Grid, clock: Clock = NO_LIMIT) -> None:
        super().__init__(grid.step, grid.size, grid.nearest)
        object.__setattr__(self, "sums", {})
        object.__setattr__(self, "clock", clock)

    def add(self, a: Law, b: Law) -> Law:
        """Law of A + B, from memory where known; TimeUp where the clock is over."""
        self.__dict__["clock"].check()
        sums: dict[tuple[int, int], tuple[Law, Law, Law]] = self.__dict__["sums"]
        known = sums.get((id(a), id(b)))
        if known is None:
            if len(sums) * self.size > MOST_REMEMBERED:
                sums.clear()
            known = sums[id(a), id(b)] = (super().add(a, b), a, b)
        return known[0]


def ttft(option: Option, visit: int, percentile: float | None) -> float:
    """Wait, loss and first output of one visit: their mean, or percentile, rounded up by under 0.1 % [s]."""
    time = option.visits[visit - 1]
    parts = (time.wait, *time.lost, time.first)
    if percentile is None:
        return sum(mean(part) for part in parts)
    return _quantile_of_sum(parts, percentile)


@lru_cache(maxsize=65536)
def _quantile_of_sum(parts: tuple[Distribution, ...], percentile: float) -> float:
    """Percentile of a sum of independent times [s]; each question of one search asks for the same ones anew."""
    random = [part for part in parts if not is_point(part)]
    if len(random) <= 1:
        return sum(quantile(part, percentile) for part in parts)
    rare = 1 - (1 - percentile) / len(random)
    grid = Grid(sum(quantile(part, rare) for part in parts) / 8192, 8300)
    law = grid.law(parts[0])
    for part in parts[1:]:
        law = grid.add(law, grid.law(part))
    return quantile_of_mixture([(1.0, law)], percentile, grid)
