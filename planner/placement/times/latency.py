"""Exact latency of a plan: every scenario as a network of independent times, then the mixture of scenarios."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from ....ir.distribution import Distribution
from ..problem import Bound, Option, PlacementProblem, Scenario
from ..search.clock import NO_LIMIT, Clock
from .draws import draws_for
from .laws import Grid, Law, constant, is_point, mean, quantile, quantile_of_mixture
from .network import FACTORS, SINK, SOURCE, Network, earliest, longest

ArcLaw = Callable[[str, int, str], Law]
"""(piece, visit, `wait` | `first` | `total`) -> law."""
Delay = Callable[[str, str], float]
"""(from piece, to piece) -> transfer latency [s]."""


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
        scenarios = self.p.scenarios_of(graph)
        return [(s.probability, scenario_law(s, kind, arcs, delay, self.grid, factors)) for s in scenarios]

    def drawn_laws(self, kind: str, arcs: ArcLaw, delay: Delay) -> list[tuple[float, Law]]:
        """As `laws`, with draws in place of proofs for what cannot be reduced."""
        return [(s.probability, scenario_law(s, kind, arcs, delay, self.grid, draws=True)) for s in self.p.scenarios]

    def measure(self, bound: Bound, arcs: ArcLaw, delay: Delay, factors: int = FACTORS) -> Measure:
        """How a percentile bound fares: the probability of keeping it, from below and from above."""
        low = high = 0.0
        for weight, law in self.laws(bound.kind, arcs, delay, factors, bound.graph):
            low += weight * self.grid.at_most(law, bound.limit_s)
            unknown = law.error_s == float("inf")
            high += weight * (1.0 if unknown else self.grid.at_most(law, bound.limit_s + law.error_s))
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


def scenario_law(
    s: Scenario, kind: str, arcs: ArcLaw, delay: Delay, grid: Grid, factors: int = FACTORS, draws: bool = False
) -> Law:
    """Law of one scenario's end, or of its first output (see the module docstring of `problem`).

    What cannot be reduced is conditioned upon, with `factors` as in `longest`, which never understates; or drawn.
    """
    size = draws_for(s.probability) if draws else 0
    if kind == "end_to_end":
        network = _network(s, arcs, delay, grid)
        for sink in s.sinks:
            network.add(f"{sink}/end", SINK, constant(0.0))
        return longest(network, factors, size)
    if not s.sinks[1:]:
        return _first_output(s, s.sinks[0], arcs, delay, grid, factors, size)
    network = _network(s, arcs, delay, grid, earliest=True)
    for sink in s.sinks:
        network.add(f"{sink}/out", SINK, constant(0.0))
    return earliest(network, size) or _earliest_bound(s, arcs, delay, grid, factors)


def _first_output(s: Scenario, sink: str, arcs: ArcLaw, delay: Delay, grid: Grid, factors: int, size: int = 0) -> Law:
    network = _network(s, arcs, delay, grid)
    network.add(f"{sink}/out", SINK, constant(0.0))
    return longest(network, factors, size)


def _earliest_bound(s: Scenario, arcs: ArcLaw, delay: Delay, grid: Grid, factors: int) -> Law:
    """P(min <= t) is at least the largest P(T_k <= t); how much more depends on what the sinks share."""
    laws = [_first_output(s, sink, arcs, delay, grid, factors) for sink in s.sinks]
    return replace(grid.least(laws), error_s=float("inf"))


def _network(s: Scenario, arcs: ArcLaw, delay: Delay, grid: Grid, earliest: bool = False) -> Network:
    network = Network(grid, earliest)
    last = {step.id: step.pieces[-1] for step in s.steps}
    zero = constant(0.0)
    for step in s.steps:
        at = f"{step.id}/0"
        if not step.after:
            network.add(SOURCE, at, zero)
        for before, streams in step.after:
            move = constant(delay(last[before], step.pieces[0]))
            network.add(f"{before}/{'out' if streams else 'end'}", at, move)
        for j, piece in enumerate(step.pieces):
            ready, end = f"{step.id}/{j}/ready", f"{step.id}/{j}/end"
            network.add(at, ready, arcs(piece, step.visit, "wait"))
            total = arcs(piece, step.visit, "total")
            network.add(ready, end, total)
            if j == 0:
                first = arcs(piece, step.visit, "first")
                # One law of both, the same object: one variable, which the end has taken already.
                network.add(*((end, f"{step.id}/out", zero) if first is total else (ready, f"{step.id}/out", first)))
            if j + 1 < len(step.pieces):
                at = f"{step.id}/{j + 1}"
                network.add(end, at, constant(delay(piece, step.pieces[j + 1])))
            else:
                network.add(end, f"{step.id}/end", zero)
        for before, streams in step.after:
            if streams:
                network.add(f"{before}/end", f"{step.id}/end", zero)
    return network


def ttft(option: Option, visit: int, percentile: float | None) -> float:
    """Wait, loss and first output of one visit: their mean, or percentile, rounded up by under 0.1 % [s]."""
    time = option.visits[visit - 1]
    parts = [time.wait, *time.lost, time.first]
    if percentile is None:
        return sum(mean(part) for part in parts)
    random = [part for part in parts if not is_point(part)]
    if len(random) <= 1:
        return sum(quantile(part, percentile) for part in parts)
    rare = 1 - (1 - percentile) / len(random)
    grid = Grid(sum(quantile(part, rare) for part in parts) / 8192, 8300)
    law = grid.law(parts[0])
    for part in parts[1:]:
        law = grid.add(law, grid.law(part))
    return quantile_of_mixture([(1.0, law)], percentile, grid)
