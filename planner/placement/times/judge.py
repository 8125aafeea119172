"""Exact evaluation of plans against latency bounds, and the cuts that broken bounds give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np

from ....ir.distribution import Distribution
from ..model.variables import Expr, PlacementVars
from ..problem import NO_WAIT, Bound, Option, PlacementProblem
from ..search.clock import NO_LIMIT, Clock
from .latency import Latencies
from .laws import Grid, Law, constant, is_point, mean, quantile
from .network import FACTORS
from .ways import ArcLaw, Delay

WHOLE = ("end_to_end", "first_output")
SIZES = (1024, 8192)
"""Grid points: a bound that the coarse grid leaves open is tried on the finer one."""
SPAN = 1.25
"""Grids reach to this multiple of the limit."""
PARTS = ("wait", "first", "total")
ROUNDING = 1e-9


@dataclass(frozen=True)
class Broken:
    """A bound that a plan breaks."""

    bound: Bound
    surely: bool
    """Shown by the grid; else left open by its error, which counts as broken."""
    grid: Latencies


class Judge:
    """Holds plans against the bounds on whole requests; remembers laws between plans.

    `options` are those that plans may still take; `laws` may be those of another judge, of a problem with the
    same times, transfers and scenarios. Judging raises TimeUp where `clock` is over.
    """

    def __init__(
        self,
        p: PlacementProblem,
        options: tuple[Option, ...],
        laws: dict[tuple[float, int], Latencies] | None = None,
        clock: Clock = NO_LIMIT,
    ) -> None:
        self.p = p
        self.options: dict[str, list[Option]] = {q.id: [] for q in p.pieces}
        for o in options:
            self.options[o.piece].append(o)
        self.bounds = [b for b in p.bounds if b.kind in WHOLE]
        self.laws = {} if laws is None else laws
        self.clock = clock
        self._least: dict[tuple[int, str, int, str], Law] = {}
        self._slower: dict[tuple[str, str, str, float], bool] = {}

    def broken(self, plan: Mapping[str, str]) -> Broken | None:
        """The first bound that the plan breaks."""
        return next((found for b in self.bounds if (found := self._breaks(b, plan)) is not None), None)

    def _breaks(self, b: Bound, plan: Mapping[str, str]) -> Broken | None:
        grid = self.grid(b, SIZES[0])
        # Shared times as if independent are fast, and only ever too late: what is kept even so is kept.
        if self._verdict(b, grid, *grid.of_plan(plan), factors=0)[0]:
            return None
        for size in SIZES:
            grid = self.grid(b, size)
            kept, surely = self._verdict(b, grid, *grid.of_plan(plan))
            if kept:
                return None
            if surely:
                return Broken(b, True, grid)
        return Broken(b, False, grid)

    def grid(self, b: Bound, size: int) -> Latencies:
        """The laws of the problem on a grid made for the bound."""
        key = (b.limit_s, size)
        if key not in self.laws:
            self.laws[key] = Latencies(self.p, Grid(b.limit_s * SPAN / size, size), self.clock)
        return self.laws[key]

    def _verdict(
        self, b: Bound, grid: Latencies, arcs: ArcLaw, delay: Delay, factors: int = FACTORS
    ) -> tuple[bool, bool]:
        """Whether the bound is kept for sure, and whether it is broken for sure."""
        limit = b.limit_s * (1 + ROUNDING)
        if b.percentile is None:
            value, error = grid.mean(b.kind, arcs, delay, factors, b.graph)
            return value <= limit, value - error > limit
        measure = grid.measure(b, arcs, delay, factors)
        return measure.reached >= b.percentile - ROUNDING, measure.at_best < b.percentile - ROUNDING

    def cut(self, v: PlacementVars, plan: Mapping[str, str], broken: Broken) -> Expr:
        """(18) sum_{p, c in F_p} x[p,c] + sum of y on faster routes, which any plan that keeps the bound has >= 1.

        F_p are the options of p but those stochastically at least as slow as the chosen one. Pieces that may take
        the best of all their options and the bound is still broken stay out.
        """
        fixed = self._to_blame(plan, broken) if broken.surely else set(plan)
        return self.faster(v, plan, fixed, broken.grid)

    def faster(self, v: PlacementVars, plan: Mapping[str, str], fixed: set[str], grid: Latencies) -> Expr:
        """How many of the `fixed` pieces, and of the transfers between them, are not surely as slow as planned."""
        faster = Expr()
        for q in sorted(fixed):
            mine = v.options[q, plan[q]]
            for g in v.pools_of[q]:
                if not self._at_least_as_slow(v.options[q, g], mine, grid.grid.step * grid.grid.size):
                    faster.addterm(v.x[q, g], 1)
        for (a, b), routes in v.routes.items():
            if a in fixed and b in fixed:
                limit = grid.delay(a, b, plan[a], plan[b])
                pairs = [(here, there) for e, f, here, there in v.y if (e, f) == (a, b)]
                for here, there in pairs:
                    if (0.0 if here == there else routes[here, there].latency_s) < limit:
                        faster.addterm(v.y[a, b, here, there], 1)
        return faster

    def _to_blame(self, plan: Mapping[str, str], broken: Broken) -> set[str]:
        """Pieces whose choices break the bound whatever the others choose: none of them can be spared."""
        fixed = set(plan)
        for q in sorted(plan, key=lambda q: -len(self.options[q])):
            fixed.discard(q)
            if not self._verdict(broken.bound, broken.grid, *self._part_free(plan, fixed, broken.grid))[1]:
                fixed.add(q)
        return fixed

    def _part_free(self, plan: Mapping[str, str], fixed: set[str], grid: Latencies) -> tuple[ArcLaw, Delay]:
        """Laws and delays where only the `fixed` pieces are as planned and the others at their best."""
        arcs, delay = grid.of_plan(plan)

        def arc(piece: str, visit: int, part: str) -> Law:
            return arcs(piece, visit, part) if piece in fixed else self._best(grid, piece, visit, part)

        def move(a: str, b: str) -> float:
            return delay(a, b) if a in fixed and b in fixed else self._shortest(grid, a, b)

        return arc, move

    def _best(self, grid: Latencies, piece: str, visit: int, part: str) -> Law:
        """A law that the times of no option are below, nor any two of them together.

        Where `first` may be the same variable as `total`, two independent ones would be too late at their maximum:
        then either all options have one variable for both, or `first` counts as its least value.
        """
        rows = [o for o in self.options[piece] if visit <= len(o.visits)]
        as_one = [o.visits[visit - 1].outputs_at_end for o in rows]
        if part == "first" and all(as_one):
            part = "total"
        key = (id(grid), piece, visit, part)
        if key not in self._least:
            if part == "first" and any(as_one):
                self._least[key] = constant(min(quantile(o.visits[visit - 1].first, 0.0) for o in rows))
            else:
                self._least[key] = grid.grid.least(grid.arc(o, visit, part) for o in rows)
        return self._least[key]

    def _shortest(self, grid: Latencies, a: str, b: str) -> float:
        here = {grid.pools[o.pool].location for o in self.options[a]}
        there = {grid.pools[o.pool].location for o in self.options[b]}
        routes = grid.routes.get((a, b), {})
        return 0.0 if here & there or not routes else min(r.latency_s for r in routes.values())

    def _at_least_as_slow(self, other: Option, mine: Option, horizon_s: float) -> bool:
        key = (other.piece, other.pool, mine.pool, horizon_s)
        if key not in self._slower:
            self._slower[key] = _slower(other, mine, np.linspace(0.0, horizon_s, SIZES[0] + 1))
        return self._slower[key]


def _slower(other: Option, mine: Option, at: np.ndarray) -> bool:
    """Whether each time of `other` is stochastically at least as long: its CDF nowhere above, nor its mean below.

    One variable for first output and end is at its maximum no later than two of its law: it is no slower than two.
    """
    for theirs, ours in zip(other.visits, mine.visits, strict=True):
        if theirs.outputs_at_end and not ours.outputs_at_end and not is_point(ours.first):
            return False
        pairs = [(getattr(theirs, part), getattr(ours, part)) for part in PARTS]
        pairs += zip_longest(theirs.lost, ours.lost, fillvalue=NO_WAIT)
        for a, b in pairs:
            if a == b:
                continue
            if mean(a) < mean(b) or quantile(a, 0.0) < quantile(b, 0.0) or _is_ever_above(a, b, at):
                return False
    return True


def _is_ever_above(a: Distribution, b: Distribution, at: np.ndarray) -> bool:
    """Whether a's CDF is above b's at any of these times, or where either jumps: between jumps both only rise."""
    at = np.concatenate([at, _jumps(a) * (1 + ROUNDING), _jumps(b) * (1 - ROUNDING)])
    return bool(np.any(a.cdf(at) > b.cdf(at) + 1e-12))


def _jumps(d: Distribution) -> np.ndarray:
    return d.shift + np.array(d.params if d.kind in ("samples", "point") else ())
