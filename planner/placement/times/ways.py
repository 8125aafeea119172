"""Laws of the ways through the graph: each is the sum of its sections, and a section is a network of times."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from .draws import draws_for
from .laws import Grid, Law, constant
from .network import FACTORS, SINK, SOURCE, Network, earliest, longest
from .sections import Cut, Section

ArcLaw = Callable[[str, int, str], Law]
"""(piece, visit, `wait` | `first` | `total`) -> law."""
Delay = Callable[[str, str], float]
"""(from piece, to piece) -> transfer latency [s]."""


def ways_laws(
    ways: Cut, arcs: ArcLaw, delay: Delay, grid: Grid, factors: int = FACTORS, draws: bool = False
) -> list[tuple[float, Law]]:
    """Probability and law of each way up to where it was cut: its end, or its first output.

    What cannot be reduced is conditioned upon, with `factors` as in `longest`, which never understates; or drawn.
    """
    of = _Laws(arcs, delay, grid, factors)
    shares = zip(ways.sections, ways.shares, strict=True)
    known = [of.law(section, draws_for(share) if draws else 0) for section, share in shares]
    return [(probability, _sum([known[i] for i in way], grid)) for probability, way in ways.ways]


def _sum(laws: Sequence[Law], grid: Grid) -> Law:
    """In pairs and pairs of pairs: ways share the sums of where they are alike, and short laws meet on fine grids."""
    while len(laws) > 1:
        rest = laws[len(laws) // 2 * 2 :]
        laws = [*(grid.add(a, b) for a, b in zip(laws[::2], laws[1::2], strict=False)), *rest]
    return laws[0]


@dataclass(frozen=True)
class _Laws:
    """Laws of sections under one plan."""

    arcs: ArcLaw
    delay: Delay
    grid: Grid
    factors: int

    def law(self, s: Section, draws: int) -> Law:
        """Of the end of a section, or where it is the last of its first output, if that is asked for."""
        if s.until != "first_output":
            network = self._network(s)
            for sink in s.sinks:
                network.add(f"{sink}/end", SINK, constant(0.0))
            return longest(network, self.factors, draws)
        if not s.sinks[1:]:
            return self._first_output(s, s.sinks[0], draws)
        network = self._network(s, is_earliest=True)
        for sink in s.sinks:
            network.add(f"{sink}/out", SINK, constant(0.0))
        return earliest(network, draws) or self._earliest_bound(s)

    def _first_output(self, s: Section, sink: str, draws: int = 0) -> Law:
        network = self._network(s)
        network.add(f"{sink}/out", SINK, constant(0.0))
        return longest(network, self.factors, draws)

    def _earliest_bound(self, s: Section) -> Law:
        """P(min <= t) is at least the largest P(T_k <= t); how much more depends on what the sinks share."""
        laws = [self._first_output(s, sink) for sink in s.sinks]
        return replace(self.grid.least(laws), error_s=float("inf"))

    def _network(self, s: Section, is_earliest: bool = False) -> Network:
        network = Network(self.grid, is_earliest)
        last = {step.id: step.pieces[-1] for step in s.steps} | {s.before: s.piece}
        zero = constant(0.0)
        for step in s.steps:
            at = f"{step.id}/0"
            if not step.after:
                network.add(SOURCE, at, zero)
            for before, streams in step.after:
                start = SOURCE if before == s.before else f"{before}/{'out' if streams else 'end'}"
                network.add(start, at, constant(self.delay(last[before], step.pieces[0])))
            for j, piece in enumerate(step.pieces):
                ready, end = f"{step.id}/{j}/ready", f"{step.id}/{j}/end"
                network.add(at, ready, self.arcs(piece, step.visit, "wait"))
                total = self.arcs(piece, step.visit, "total")
                network.add(ready, end, total)
                if j == 0:
                    first = self.arcs(piece, step.visit, "first")
                    # One law of both, the same object: one variable, which the end has taken already.
                    out = (end, f"{step.id}/out", zero) if first is total else (ready, f"{step.id}/out", first)
                    network.add(*out)
                if j + 1 < len(step.pieces):
                    at = f"{step.id}/{j + 1}"
                    network.add(end, at, constant(self.delay(piece, step.pieces[j + 1])))
                else:
                    network.add(end, f"{step.id}/end", zero)
            for before, streams in step.after:
                if streams:
                    network.add(f"{before}/end", f"{step.id}/end", zero)
        return network
