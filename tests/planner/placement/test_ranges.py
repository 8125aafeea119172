"""Plans over several corners against every plan held against every corner, by an evaluator that shares no code."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable
from dataclasses import replace
from statistics import fmean

import pytest
from test_brute_force import Plan, calls, costs, keeps, placeable

from dovetail.ir.distribution import Distribution
from dovetail.planner.placement.problem import Option, PlacementProblem, VisitTime
from dovetail.planner.placement.result import PlacementResult
from dovetail.planner.placement.search.clock import NO_LIMIT
from dovetail.planner.placement.search.solve import best_plan
from dovetail.planner.robust.search import best_everywhere
from dovetail.planner.sensitivity.same_plan import Outcome

CORNERS = 3
SEEDS = 620


def corner_of(p: PlacementProblem, r: random.Random) -> PlacementProblem:
    """The same pools at another corner: less load, and times and gaps that are longer here and shorter there."""
    return replace(p, options=tuple(_moved(o, r) for o in p.options))


def _moved(o: Option, r: random.Random) -> Option:
    return replace(
        o,
        load=o.load * r.uniform(0.4, 1.0),
        visits=tuple(_visit(visit, r.choice([0.5, 0.75, 1.0, 1.5])) for visit in o.visits),
        usd_per_request=o.usd_per_request * r.uniform(0.5, 1.3),
        energy_j_per_request=o.energy_j_per_request * r.uniform(0.4, 1.0),
        tbt_s=tuple(gap * r.choice([0.5, 0.9, 1.3]) for gap in o.tbt_s),
    )


def _visit(visit: VisitTime, factor: float) -> VisitTime:
    return replace(visit, first=_scaled(visit.first, factor), total=_scaled(visit.total, factor))


def _scaled(law: Distribution, factor: float) -> Distribution:
    return Distribution(law.kind, tuple(x * factor for x in law.params), law.shift * factor)


def sizes_of(p: PlacementProblem, plan: Plan) -> dict[str, int] | None:
    """Fewest replicas by pool; None where a pool is too small."""
    found: dict[str, int] = {}
    for g in p.pools:
        inside = [o for o in plan.values() if o.pool == g.id]
        if inside and g.capacity and p.rate_per_s is not None:
            load = p.rate_per_s * sum(o.load for o in inside)
            n = next((n for n, most in enumerate(g.capacity, 1) if load <= most), None)
            if n is None:
                return None
            found[g.id] = n
    return found


def usd_of(p: PlacementProblem, plan: Plan, sizes: dict[str, int]) -> float:
    """Cost of a plan of so many replicas; infinite where it passes a limit."""
    if p.rate_per_s is None:
        return calls(p, plan)
    device_of = {g.id: g.device for g in p.pools}
    usd, watts = 3600 * p.rate_per_s * calls(p, plan), 0.0
    for d in p.devices:
        used = sum(n * g.devices_per_replica for g in p.pools for n in [sizes.get(g.id, 0)] if g.device == d.name)
        taken = math.ceil(max(used, d.min_count) / d.chassis) * d.chassis
        joules = sum(o.energy_j_per_request for o in plan.values() if device_of[o.pool] == d.name)
        usd += max(0, taken - d.owned) * sum(x for _, x in d.usd_per_hour) + taken * d.idle_usd_per_hour
        usd += 3600 * p.rate_per_s * joules * d.usd_per_joule
        watts += taken * d.idle_w + p.rate_per_s * joules
    limits = dict(p.limits)
    within = usd <= limits.get("usd_per_hour", math.inf) and watts <= limits.get("power_w", math.inf)
    return usd if within else math.inf


def worst_of(corners: list[PlacementProblem], plan: dict[str, str]) -> float:
    """The greatest cost of a plan at any corner, sized at the first; infinite where it breaks at one."""
    base = corners[0]
    chosen = {o.piece: o for o in base.options if plan.get(o.piece) == o.pool}
    sizes = sizes_of(base, chosen) if placeable(base, chosen) else None
    if sizes is None or next(costs(base, chosen), None) is None:
        return math.inf
    return max(at_corner(p, plan, sizes) for p in corners)


def at_corner(p: PlacementProblem, plan: dict[str, str], sizes: dict[str, int]) -> float:
    chosen = {o.piece: o for o in p.options if plan.get(o.piece) == o.pool}
    for g in p.pools if p.rate_per_s is not None else ():
        load = (p.rate_per_s or 0.0) * sum(o.load for o in chosen.values() if o.pool == g.id)
        if g.id in sizes and load > g.capacity[sizes[g.id] - 1]:
            return math.inf
    return usd_of(p, chosen, sizes) if all(keeps(p, b, chosen) for b in p.bounds) else math.inf


def middle_of(corners: list[PlacementProblem]) -> PlacementProblem:
    """Every figure of an option at its mean over the corners."""
    rows = zip(*(p.options for p in corners), strict=True)
    return replace(corners[0], options=tuple(_mean(options) for options in rows))


def _mean(options: tuple[Option, ...]) -> Option:
    visits = zip(*(o.visits for o in options), strict=True)
    return replace(
        options[0],
        load=fmean(o.load for o in options),
        visits=tuple(
            replace(each[0], first=_mean_law([v.first for v in each]), total=_mean_law([v.total for v in each]))
            for each in visits
        ),
        usd_per_request=fmean(o.usd_per_request for o in options),
        energy_j_per_request=fmean(o.energy_j_per_request for o in options),
        tbt_s=tuple(fmean(gaps) for gaps in zip(*(o.tbt_s for o in options), strict=True)),
    )


def _mean_law(laws: list[Distribution]) -> Distribution:
    values = tuple(fmean(each) for each in zip(*(law.params for law in laws), strict=True))
    return Distribution(laws[0].kind, values, fmean(law.shift for law in laws))


def plans(p: PlacementProblem) -> list[dict[str, str]]:
    """Every plan, as piece -> pool."""
    rows = [[o.pool for o in p.options if o.piece == q.id] for q in p.pieces]
    names = [q.id for q in p.pieces]
    return [dict(zip(names, choice, strict=True)) for choice in itertools.product(*rows)]


def searched(corners: list[PlacementProblem]) -> tuple[float, dict[str, str]]:
    """Value and plan of the search; infinite where it proves that there is none."""
    base = corners[0]

    def hold(corner: int, result: PlacementResult) -> Outcome:
        usd = at_corner(corners[corner], result.placements, result.replicas)
        return Outcome(None, tuple(_broken(corners[corner], result))) if math.isinf(usd) else Outcome(usd)

    def solved(p: PlacementProblem, left_s: float | None) -> PlacementResult:
        return best_plan(p, left_s)

    found = best_everywhere(base, len(corners) - 1, hold, solved, NO_LIMIT)
    assert found.result.status == ("infeasible" if found.worst is None else "optimal")
    return (math.inf if found.worst is None else found.worst), found.result.placements


def _broken(p: PlacementProblem, result: PlacementResult) -> list[str]:
    chosen = {o.piece: o for o in p.options if result.placements.get(o.piece) == o.pool}
    return [b.name for b in p.bounds if not keeps(p, b, chosen)] or ["limits.usd_per_hour"]


def test_the_search_finds_what_trying_every_plan_at_every_corner_finds(
    random_problem: Callable[[int], PlacementProblem],
) -> None:
    feasible = changed = 0
    for seed in range(SEEDS):
        p = random_problem(seed)
        if p.objective != "cost":
            continue
        r = random.Random(seed)
        corners = [p, *(corner_of(p, r) for _ in range(CORNERS))]
        expected = {tuple(plan.items()): worst_of(corners, plan) for plan in plans(p)}
        least = min(expected.values(), default=math.inf)
        value, plan = searched(corners)
        assert value == pytest.approx(least, rel=1e-6), f"seed {seed}"
        if math.isinf(value):
            continue
        assert worst_of(corners, plan) == pytest.approx(value, rel=1e-6), f"seed {seed}"
        feasible += 1
        middle = middle_of(corners)
        nominal = min(plans(p), key=lambda each: worst_of([middle], each))
        changed += worst_of([middle, *corners], nominal) > value * (1 + 1e-6)
    assert feasible >= 60
    assert changed >= 30
