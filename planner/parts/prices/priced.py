"""What time costs: the price of a second at which the parts' plans are in time together.

Equation (66) of `docs/math/placement.md`. A price is charged for the mean time of visits that requests wait for, the
same for a second of each, so that all parts save time where that is cheapest.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...placement.problem import Bound, PlacementProblem
from ...placement.search.engine import Plan
from ...placement.times.judge import SIZES
from ...placement.times.latency import Latencies
from ...placement.times.laws import Grid, quantile_of_mixture
from ...placement.times.sections import Cut
from ...placement.times.summary import horizon_s
from ..alone.alike import Prices, mean_s
from ..alone.part import Part
from .critical import Critical, critical

MARGIN = 0.99
"""Share of a bound that is aimed at: plans are not quite as fast as their ways are likely to be."""
FIRST_SHARE = 0.01
"""Share of all cost that the first price makes of as much time as is allowed."""
HALVINGS = 16
"""Steps in which a price is found."""
LEAP = 4.0
"""A price that is too low is followed by one so many times as high, at least."""
SPAN = 1e4
"""A price is sought from so small a share to so large a multiple of all cost over all time."""


@dataclass(frozen=True)
class Pace:
    """How fast a plan is."""

    seconds: Mapping[str, float]
    """Node -> mean time of a visit [s]"""
    longest: Critical
    reached_s: float
    """of what is bounded: its mean, or its percentile [s]"""


def pace(p: PlacementProblem, plan: Plan, b: Bound, ways: Cut) -> Pace:
    """What a plan makes of a bound on whole requests."""
    options = {(o.piece, o.pool): o for o in p.options}
    seconds: dict[str, float] = {}
    for q in p.pieces:
        seconds[q.node] = seconds.get(q.node, 0.0) + mean_s(options[q.id, plan[q.id]])
    grid = Latencies(p, Grid(horizon_s(p, plan) / SIZES[0], SIZES[0], nearest=True))
    laws = grid.laws(b.kind, *grid.of_plan(plan), factors=0, graph=b.graph)
    if b.percentile is None:
        reached = sum(share * grid.grid.mean_of(law) for share, law in laws)
    else:
        reached = quantile_of_mixture(laws, b.percentile, grid.grid)
    return Pace(seconds, critical(ways, seconds), reached)


@dataclass
class Pricing:
    """Prices for the time of nodes, from what the cheapest ways to serve them are likely to take."""

    parts: Sequence[Part]
    usd_per_hour: float
    """what the parts cost where time costs nothing"""
    ways: Cut
    pace: Pace
    """of the plan that was found last"""

    def at(self, usd_per_s: float) -> Prices:
        """[USD/h for a second of the mean time of a visit], by node."""
        return {node: usd_per_s * visits for node, visits in self.pace.longest.visits.items()}

    def likely(self, usd_per_s: float) -> Critical:
        """The longest ways where each node goes where it is cheapest at this price."""
        seconds, prices = dict(self.pace.seconds), self.at(usd_per_s)
        for part in self.parts:
            if part.ways is not None:
                times = part.ways.priced(prices).survey.likely_s
                seconds.update(zip(part.ways.nodes, map(float, times), strict=True))
        return critical(self.ways, seconds)

    def following(self, price: float, limit_s: float, too_low: float, enough: float) -> float:
        """A price to try after `price`, of which those are known to be too low, and high enough."""
        likely = self._enough_for(self._wanted(price, limit_s))
        # Plans that pay so little for all their time together cost hardly more, and have few queues.
        first = FIRST_SHARE * self.usd_per_hour / limit_s
        return between(likely, too_low, enough) if price else min(likely, first)

    def _wanted(self, price: float, limit_s: float) -> float:
        """How long the ways may be to keep a bound, without waits [s].

        What is likely without waits, and what was reached with them, go up and down together; where ties went to the
        fastest, what is likely is not what was found.
        """
        found = min(self.likely(price).seconds, self.pace.longest.seconds)
        return found * limit_s * MARGIN / self.pace.reached_s

    def _enough_for(self, seconds: float) -> float:
        """The least price at which the longest ways are likely to take no longer; the largest where there is none."""
        unit = self.usd_per_hour / max(self.likely(0.0).seconds, 1e-9)
        low, high = -math.log(SPAN), math.log(SPAN)
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            low, high = (low, middle) if self.likely(unit * math.exp(middle)).seconds <= seconds else (middle, high)
        return unit * math.exp(high)


def between(price: float, too_low: float, enough: float) -> float:
    """A price to try next, well between two that are known to be too low and high enough."""
    if math.isinf(enough):
        return min(max(price, too_low * LEAP), too_low * LEAP**3)
    low = too_low or enough / LEAP**2
    return min(max(price, low**0.8 * enough**0.2), low**0.2 * enough**0.8)
