"""Rows (73): no plan that keeps a percentile breaks one, and the plan that one is made at does."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest

from dovetail.ir.distribution import Distribution
from dovetail.planner.placement.model.variables import Expr, PlacementVars, add_variables
from dovetail.planner.placement.problem import Option, PlacementProblem, VisitTime
from dovetail.planner.placement.times.judge import SIZES, Judge
from dovetail.planner.placement.times.slopes import TAIL, lead, slope_cut

LAWS = (
    Distribution.point(0.7),
    Distribution.exponential(2.0),
    Distribution.wait(0.3, 2.0).shifted(0.5),
    Distribution.lognormal_mean_p95(1.0, 2.5),
    Distribution.lognormal_mean_p95(1.5, 2.0),
    Distribution("samples", (0.5, 1.0, 4.0)),
    Distribution("quantiles", (0.0, 0.2, 0.5, 1.0, 1.0, 3.0)),
)


@pytest.mark.parametrize("mine", LAWS, ids=lambda law: law.kind)
@pytest.mark.parametrize("other", LAWS, ids=lambda law: law.kind)
def test_with_its_lead_no_time_is_shorter_than_the_planned_one_cut_off(other: Distribution, mine: Distribution) -> None:
    late = lead(other, mine)
    at = np.linspace(0.0, mine.quantile(TAIL) * (1 - 1e-6), 5001)
    assert np.all(other.cdf(at - late) <= mine.cdf(at) + 1e-9)
    if late > 0:
        few = 0.98 * late - mine.quantile(TAIL) / 256
        assert few <= 0 or np.any(other.cdf(at - few) > mine.cdf(at))


def plans(p: PlacementProblem) -> Iterator[dict[str, str]]:
    choices = [[o.pool for o in p.options if o.piece == q.id] for q in p.pieces]
    for pools in itertools.product(*choices):
        plan = {q.id: pool for q, pool in zip(p.pieces, pools, strict=True)}
        if all(_has_route(p, plan, n) for n in range(len(p.transfers))):
            yield plan


def _has_route(p: PlacementProblem, plan: dict[str, str], number: int) -> bool:
    t, places = p.transfers[number], {g.id: g.location for g in p.pools}
    here, there = places[plan[t.from_piece]], places[plan[t.to_piece]]
    return here == there or any((r.from_location, r.to_location) == (here, there) for r in t.routes)


def value(row: Expr, v: PlacementVars, plan: dict[str, str]) -> float:
    places = {id: g.location for id, g in v.pools.items()}
    taken = {x.name for (q, g), x in v.x.items() if plan[q] == g}
    taken |= {y.name for (a, b, *way), y in v.y.items() if [places[plan[a]], places[plan[b]]] == way}
    return sum(a for x, a in row.items() if x.name in taken)


def smooth(p: PlacementProblem, seed: int) -> PlacementProblem:
    """The problem with times that are drawn anew: lognormal, with exponential waits."""
    r = random.Random(seed)

    def visit() -> VisitTime:
        mean = r.uniform(0.01, 0.06)
        total = Distribution.lognormal_mean_p95(mean, mean * r.uniform(1.3, 3.0))
        wait = Distribution.wait(r.random(), r.uniform(0.001, 0.03))
        return VisitTime(total if r.random() < 0.3 else Distribution.point(0.3 * total.minimum), total, wait)

    def drawn(o: Option) -> Option:
        return replace(o, visits=tuple(visit() for _ in o.visits))

    return replace(p, options=tuple(map(drawn, p.options)))


@pytest.mark.parametrize("is_smooth", [False, True])
def test_rows_lose_no_plan_that_keeps_the_bound(
    random_problem: Callable[[int], PlacementProblem], is_smooth: bool
) -> None:
    rows, useful = 0, 0
    for seed in range(700, 730):
        p = random_problem(seed)
        p = smooth(p, seed) if is_smooth else p
        p = replace(p, bounds=tuple(b for b in p.bounds if b.percentile is not None and b.node is None))
        if not p.bounds or math.prod(sum(o.piece == q.id for o in p.options) for q in p.pieces) > 30:
            continue
        judge, (_, v) = Judge(p, p.options), add_variables(p)
        all_plans = list(plans(p))
        broken = {n: judge.broken(plan) for n, plan in enumerate(all_plans)}
        kept = [plan for n, plan in enumerate(all_plans) if broken[n] is None]
        for n, found in itertools.islice(((n, b) for n, b in broken.items() if b is not None), 4):
            row = slope_cut(v, all_plans[n], found.bound, judge.grid(found.bound, SIZES[-1]))
            if row is not None:
                rows += 1
                assert value(row, v, all_plans[n]) == 0
                assert all(value(row, v, plan) >= 1 - 1e-9 for plan in kept)
                useful += any(0 < a < 1 for a in row.values())
    assert rows > 10
    assert useful > 5
