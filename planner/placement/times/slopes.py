"""Rows that a percentile asks of all plans, made at one that breaks it: (73) of `docs/math/placement.md`.

Every option is at least as slow as the planned one less some time, its lead. The probability of being in time rises no
faster with leads than a line through what the plan reaches: leads weighted by the slopes of these lines have to make up
for what the plan lacks.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

import numpy as np

from ....ir.distribution import Distribution
from ..model.variables import Expr, PlacementVars
from ..problem import Bound, Option, Scenario
from .latency import Latencies
from .laws import Law, is_point
from .ways import ArcLaw

TAIL = 0.99
"""Planned times are cut off at this quantile: the lead before it would be endless where a tail is longer."""
POINTS = 512
"""Points at which laws are compared."""
STEPS = 0.001 * 1.13 ** np.arange(64)
"""Leads at which a line is held against probabilities, in shares of the bound."""
ROUNDING = 1e-9


def slope_cut(v: PlacementVars, plan: Mapping[str, str], b: Bound, grid: Latencies) -> Expr | None:
    """(73) sum_{p,c} w[p,c] x[p,c] + sum w[e,l,l'] y[e,l,l'], which any plan that keeps the bound has >= 1.

    None where the plan, its times cut off, keeps the bound as far as the grid tells.
    """
    assert b.percentile is not None
    scenarios = grid.p.scenarios_of(b.graph)
    arcs, delay = grid.of_plan(plan)
    laws = grid.laws(b.kind, _cut_off(arcs, grid), delay, graph=b.graph)
    lines = [(s, weight, *_line(grid, law, b.limit_s)) for s, (weight, law) in zip(scenarios, laws, strict=True)]
    lacks = b.percentile - ROUNDING - sum(weight * at for _, weight, at, _ in lines)
    if lacks <= ROUNDING:
        return None
    visits, moves = defaultdict[tuple[str, int], float](float), defaultdict[tuple[str, str], float](float)
    for s, weight, _, slope in lines:
        _count(s, weight * slope, visits, moves)
    streams = _outputs_count(scenarios, b)
    row = Expr()
    for (q, k), slope in visits.items():
        mine = grid.options[q, plan[q]]
        for g in v.pools_of[q]:
            lead = _lead(v.options[q, g], mine, k, q in streams)
            if lead > 0:
                row.addterm(v.x[q, g], min(slope * lead / lacks, 1.0))
    for (a, c), slope in moves.items():
        planned = grid.delay(a, c, plan[a], plan[c])
        for (e, f, here, there), y in v.y.items():
            if (e, f) == (a, c):
                latency = 0.0 if here == there else v.routes[a, c][here, there].latency_s
                if latency < planned:
                    row.addterm(y, min(slope * (planned - latency) / lacks, 1.0))
    return row


def _cut_off(arcs: ArcLaw, grid: Latencies) -> ArcLaw:
    """Laws of the smaller of a planned time and its quantile `TAIL`; one object for one law."""
    known: dict[int, tuple[Law, Law]] = {}

    def arc(piece: str, visit: int, part: str) -> Law:
        law = arcs(piece, visit, part)
        if law.mass is None:
            return law
        if id(law) not in known:
            last = int(np.searchsorted(np.cumsum(law.mass), TAIL))
            mass = law.mass.copy()
            if last < len(mass):
                mass[last], mass[last + 1 :] = 1.0 - float(np.sum(mass[:last])), 0.0
            known[id(law)] = (replace(law, mass=mass, mean_s=None), law)
        return known[id(law)][0]

    return arc


def _line(grid: Latencies, law: Law, limit_s: float) -> tuple[float, float]:
    """Where a line begins, at least at P(time <= limit), and its slope [1/s]: P(time <= limit + lead) is below it."""
    leads = STEPS * limit_s
    reached = np.array([grid.grid.at_best(law, limit_s + lead) for lead in leads])
    return float(reached[0]), max(0.0, float(np.max((reached[1:] - reached[0]) / leads[:-1])))


def _count(
    s: Scenario, weight: float, visits: dict[tuple[str, int], float], moves: dict[tuple[str, str], float]
) -> None:
    """Adds what a lead in one visit, or in one move, is worth in a scenario: each is passed once at most."""
    last = {step.id: step.pieces[-1] for step in s.steps}
    for step in s.steps:
        for before, _ in step.after:
            moves[last[before], step.pieces[0]] += weight
        for a, c in zip(step.pieces, step.pieces[1:], strict=False):
            moves[a, c] += weight
        for q in step.pieces:
            visits[q, step.visit] += weight


def _outputs_count(scenarios: tuple[Scenario, ...], b: Bound) -> set[str]:
    """Pieces whose first output something waits for."""
    found: set[str] = set()
    for s in scenarios:
        streams = {before for step in s.steps for before, streams in step.after if streams}
        streams |= set(s.sinks) if b.kind == "first_output" else set()
        found |= {step.pieces[0] for step in s.steps if step.id in streams}
    return found


def _lead(other: Option, mine: Option, visit: int, outputs: bool) -> float:
    """By how much a visit may be faster under `other` than, cut off, as planned under `mine` [s]."""
    a, b = other.visits[visit - 1], mine.visits[visit - 1]
    if a is b or a == b:
        return 0.0
    if a.lost or b.lost:
        return math.inf
    if outputs and a.outputs_at_end and not b.outputs_at_end and not is_point(b.first):
        return math.inf
    served = lead(a.total, b.total)
    return lead(a.wait, b.wait) + (max(served, lead(a.first, b.first)) if outputs else served)


@lru_cache(maxsize=65536)
def lead(other: Distribution, mine: Distribution) -> float:
    """A time such that `other` plus that is stochastically no shorter than `mine` cut off at `TAIL` [s]."""
    if other == mine:
        return 0.0
    last = mine.quantile(TAIL) * (1 + ROUNDING)
    step = last / POINTS
    if step <= 0:
        return 0.0
    at = np.arange(POINTS + 1) * step
    theirs, ours = other.cdf(at), mine.cdf(at[:-1])
    if np.all(theirs[:-1] <= ours + 1e-12):
        return 0.0
    before = np.searchsorted(theirs, ours + 1e-12, side="right") - 1
    return step * float(np.max(np.arange(1, POINTS + 1) - before))
