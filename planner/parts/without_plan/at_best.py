"""What the latency of requests is at least, whatever a plan does: nothing waits, each piece is where it is fastest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from ....ir.distribution import Distribution
from ...placement.problem import Bound, Option, PlacementProblem, Pool
from ...placement.search.clock import Clock
from ...placement.times.judge import SIZES
from ...placement.times.latency import Latencies
from ...placement.times.laws import Grid, Law, constant, never_longer, quantile, quantile_of_mixture
from ...placement.times.summary import FAR, horizon_s
from ...placement.times.ways import ArcLaw
from ..alone.part import Part


@dataclass(frozen=True)
class AtBest:
    """Requests whose pieces all take the fastest of some options, each by itself."""

    p: PlacementProblem
    """with these options, which nothing bounds; transfers take no time"""
    clock: Clock

    def least_s(self, b: Bound) -> float:
        """No plan has less of what is bounded, its percentile or its mean [s]; TimeUp where the clock is over before.

        The larger of two lower bounds: of the laws of the fastest options, less what the grid may overstate, and of
        the least value of each.
        """
        plan = {piece: min(rows, key=_far).pool for piece, rows in self._rows().items()}
        grid = Latencies(self.p, Grid(horizon_s(self.p, plan) / SIZES[1], SIZES[1]), self.clock)
        surely = _of(grid, b, self._arcs(grid, least_values=True))
        return max(surely, _of(grid, b, self._arcs(grid, least_values=False)))

    def _rows(self) -> dict[str, list[Option]]:
        found: dict[str, list[Option]] = defaultdict(list)
        for o in self.p.options:
            found[o.piece].append(o)
        return found

    def _arcs(self, grid: Latencies, least_values: bool) -> ArcLaw:
        """Of each part of a visit a law that the times of no option are below, or the least value of any."""
        rows = self._rows()
        known: dict[tuple[str, int, str], Law] = {}

        def arc(piece: str, visit: int, part: str) -> Law:
            if part == "wait":
                return constant(0.0)
            visits = [o.visits[visit - 1] for o in rows[piece]]
            at_end = [each.outputs_at_end for each in visits]
            if part == "first" and all(at_end):
                part = "total"  # one variable, by one object for its law
            key = (piece, visit, part)
            if key not in known:
                times = [getattr(each, part) for each in visits]
                # Two independent times are later at their maximum than one variable that stands for both.
                by_value = least_values or (part == "first" and any(at_end))
                known[key] = constant(min(quantile(d, 0.0) for d in times)) if by_value else _least(grid.grid, times)
            return known[key]

        return arc


def at_best(parts: Sequence[Part], whole: PlacementProblem, gone: Collection[str], clock: Clock) -> AtBest:
    """Of all parts; nodes are where the user wants them but for the constraints that are `gone`."""
    options = (o for part in parts for o in part.fastest() if not o.excluded_by or o.excluded_by in gone)
    named = tuple(replace(o, pool=str(number)) for number, o in enumerate(options))
    pools = tuple(Pool(o.pool, "", "") for o in named)
    return AtBest(replace(whole, pools=pools, options=named, transfers=(), bounds=()), clock)


def _of(grid: Latencies, b: Bound, arcs: ArcLaw) -> float:
    """Of what is bounded under some laws, less what the grid may overstate [s]."""
    laws = [
        (share, replace(law, offset=law.offset - law.error_s))
        for share, law in grid.laws(b.kind, arcs, lambda a, b: 0.0, graph=b.graph)
        if law.error_s < float("inf")
    ]
    if b.percentile is None:
        exact = grid.mean(b.kind, arcs, lambda a, b: 0.0, graph=b.graph)
        return max(0.0, exact[0] - exact[1])
    unknown = 1.0 - sum(share for share, _ in laws)
    return max(0.0, quantile_of_mixture([*laws, (unknown, constant(0.0))], b.percentile, grid.grid))


def _least(grid: Grid, times: Sequence[Distribution]) -> Law:
    """A law that none of these times is below."""
    kept: list[Distribution] = []
    for d in times:
        if not any(never_longer(known, d) for known in kept):
            kept = [known for known in kept if not never_longer(d, known)] + [d]
    return grid.law(kept[0]) if len(kept) == 1 else grid.least(map(grid.law, kept))


def _far(o: Option) -> float:
    return sum(quantile(visit.total, FAR) for visit in o.visits)
