"""A plan that keeps percentiles of whole requests, found soon: the model is given less time until the judge agrees."""

from __future__ import annotations

import math
from dataclasses import replace

from ..problem import Bound, PlacementProblem
from ..times.judge import WHOLE, Judge
from ..times.latency import Latencies
from ..times.laws import Grid, quantile_of_mixture
from ..times.summary import horizon_s
from .clock import Clock, TimeUp
from .engine import Plan, run
from .rounds import Known, Progress, Search

MOST_TRIES = 12
"""Times that the model is solved at most."""
MOST_BETTER = 3
"""Times that it is solved at most once there is a plan."""
CLOSE = 0.01
"""A share that has a plan and one whose plan is too slow are not told apart where they are as near as this."""
ROUGH_GAP = 0.005
"""The relative gap to which the model is solved: its plan is where the search proper starts."""
FALL = 0.8
"""The least share of a bound that is tried next, in shares of the last: near a jump of a law percentiles mislead."""
GRID = 1024
"""Points of the grid on which it is seen by how much a plan is too slow."""


def has_percentiles(p: PlacementProblem) -> bool:
    """Whether rows of the model are weaker than the bounds that they stand for."""
    return any(b.kind in WHOLE and b.percentile is not None for b in p.bounds)


def tightened(p: PlacementProblem, solver: str, clock: Clock, on_progress: Progress | None = None) -> Known:
    """The best plan found, and whether bounds are tight; no plan where none was found in the time.

    (14), (15) and (72) are relaxations: where random times add up, their plans are too slow. So bounds stand in the
    model at a share of themselves: at that with which the last plan would have been fast enough, if all plans were too
    slow by the same factor; then between the largest share that led to a plan and the smallest that led to none.
    """
    judge = Judge(p, p.options, clock=clock)
    found, tries, low, high, share = Known(), 0, 0.0, math.inf, 1.0
    try:
        for _ in range(MOST_TRIES):
            clock.check()
            if tries > MOST_BETTER:
                break
            tries += found.plan is not None
            search = Search(_at(p, share), solver, clock, known=found)
            plan = _plan(search)
            if plan is None:
                low = share
            elif judge.broken(plan) is None:
                low, value = share, search.objective(plan)
                found = Known(plan, value, is_tight=found.is_tight) if value < found.value else found
                if on_progress is not None:
                    on_progress(found.value, None)
            else:
                high, found = share, replace(found, is_tight=True)
            if high - low <= CLOSE * high or low >= 1.0:
                break
            share = math.sqrt(max(low, high * FALL) * high)
            if plan is not None and low == 0.0:
                share = max(high * FALL, high * (1 - CLOSE) / max(_slowness(p, b, plan, clock) for b in _whole(p)))
    except TimeUp:
        pass
    except KeyboardInterrupt:
        clock.stop()
    return found


def _whole(p: PlacementProblem) -> list[Bound]:
    return [b for b in p.bounds if b.kind in WHOLE]


def _at(p: PlacementProblem, share: float) -> PlacementProblem:
    bounds = tuple(replace(b, limit_s=b.limit_s * share) if b.kind in WHOLE else b for b in p.bounds)
    return replace(p, bounds=bounds)


def _plan(search: Search) -> Plan | None:
    """The best plan of the model that keeps the racks."""
    out = run(search.m, search.v, search.solver, search.clock.left, gap=ROUGH_GAP)
    if out.interrupted:
        search.stop()
    return next((plan for plan in out.plans if search.racks.other_rack(search.v, plan) is None), None)


def _slowness(p: PlacementProblem, b: Bound, plan: Plan, clock: Clock) -> float:
    """What a plan makes of a bound, in shares of it."""
    grid = Latencies(p, Grid(horizon_s(p, plan) / GRID, GRID), clock)
    if b.percentile is None:
        return grid.mean(b.kind, *grid.of_plan(plan), graph=b.graph)[0] / b.limit_s
    laws = grid.laws(b.kind, *grid.of_plan(plan), factors=0, graph=b.graph)
    return quantile_of_mixture(laws, b.percentile, grid.grid) / b.limit_s
