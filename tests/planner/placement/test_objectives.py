"""Every objective against all plans, one by one."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeVar

import numpy as np
import pytest
from test_brute_force import Plan, calls, keeps, moments, placeable

from dovetail.planner.placement.problem import PlacementProblem
from dovetail.planner.placement.search.solve import solve
from dovetail.planner.placement.search.throughput import is_bounded, most_requests

T = TypeVar("T")
OBJECTIVES = ("cost", "energy", "carbon")
Found = tuple[Plan, dict[str, float]]


def drawing(p: PlacementProblem, seed: int) -> PlacementProblem:
    """The problem with power from the grid, of devices where what is cheap need not be frugal."""
    r = random.Random(seed)
    devices = tuple(
        replace(d, drawn_idle_w=r.uniform(5, 300), drawn_per_joule=1.2, g_per_joule=r.choice([2e-5, 1e-4, 3e-4]))
        for d in p.devices
    )
    return replace(p, devices=devices)


def amounts(p: PlacementProblem, plan: Plan) -> Iterator[dict[str, float]]:
    """Cost, energy, carbon and power with every number of replicas that carries the load, limits aside."""
    rate = p.rate_per_s
    assert rate is not None
    counted = [g for g in p.pools if g.capacity and any(o.pool == g.id for o in plan.values())]
    for numbers in itertools.product(*(range(1, len(g.capacity) + 1) for g in counted)):
        loads = [rate * sum(o.load for o in plan.values() if o.pool == g.id) for g in counted]
        if any(load > g.capacity[n - 1] for load, g, n in zip(loads, counted, numbers, strict=True)):
            continue
        found = {"cost": 3600 * rate * calls(p, plan), "energy": 0.0, "carbon": 0.0, "power": 0.0}
        fits = True
        for d in p.devices:
            used = sum(n * g.devices_per_replica for g, n in zip(counted, numbers, strict=True) if g.device == d.name)
            taken = math.ceil(max(used, d.min_count) / d.chassis) * d.chassis
            fits = fits and taken <= d.max_count
            here = {g.id for g in p.pools if g.device == d.name}
            joules = sum(o.energy_j_per_request for o in plan.values() if o.pool in here)
            drawn = taken * d.drawn_idle_w / rate + joules * d.drawn_per_joule
            found["cost"] += max(0, taken - d.owned) * sum(x for _, x in d.usd_per_hour)
            found["cost"] += taken * d.idle_usd_per_hour + 3600 * rate * joules * d.usd_per_joule
            found["energy"] += drawn
            found["carbon"] += drawn * d.g_per_joule
            found["power"] += taken * d.idle_w + rate * joules
        if fits:
            yield found


def within(p: PlacementProblem, found: dict[str, float]) -> bool:
    measured = {"usd_per_hour": "cost", "power_w": "power"}
    measured |= {"energy_j_per_request": "energy", "gco2_per_request": "carbon"}
    return all(found[measured[name]] <= limit for name, limit in p.limits)


def every_plan(p: PlacementProblem) -> Iterator[Found]:
    """All that keeps all bounds, with what it comes to; `latency` is the mean end to end."""
    for choice in itertools.product(*([o for o in p.options if o.piece == q.id] for q in p.pieces)):
        plan = {o.piece: o for o in choice}
        if not placeable(p, plan) or not all(keeps(p, b, plan) for b in p.bounds):
            continue
        late = sum(s.probability * float(np.sum(np.multiply(*moments(p, s, plan)[::2]))) for s in p.scenarios)
        yield from ((plan, {**found, "latency": late}) for found in amounts(p, plan) if within(p, found))


def sized(make: Callable[[int], PlacementProblem], seed: int) -> PlacementProblem:
    """The problem of a seed, with a rate."""
    p = make(seed)
    return replace(drawing(p, seed), rate_per_s=p.rate_per_s or 1.5, objective="cost")


def agrees_on_objectives(p: PlacementProblem) -> tuple[bool, bool]:
    """Whether the problem has a plan, and whether another objective takes another one."""
    plans, taken = list(every_plan(p)), []
    for objective in OBJECTIVES:
        result = solve(replace(p, objective=objective), with_latency=False)
        least = min((found[objective] for _, found in plans), default=None)
        assert (result.status == "infeasible") is (least is None), objective
        if least is not None:
            assert result.objective == pytest.approx(least, rel=1e-6, abs=1e-9), objective
            assert result.bound == pytest.approx(least, rel=2e-6, abs=1e-9), objective
            taken.append(result.placements)
    return bool(taken), any(each != taken[0] for each in taken[1:])


def largest_rate(p: PlacementProblem) -> float | None:
    """The largest rate that any plan serves, plan by plan in closed form; None where none serves any."""
    served = [
        rate
        for choice in itertools.product(*([o for o in p.options if o.piece == q.id] for q in p.pieces))
        if placeable(p, plan := {o.piece: o for o in choice}) and all(keeps(p, b, plan) for b in p.bounds)
        for rate in rates(p, plan)
    ]
    return max((rate for rate in served if rate > 0), default=None)


def rates(p: PlacementProblem, plan: Plan) -> Iterator[float]:
    """The largest rate of a plan with every number of replicas: cost and power are linear in the rate."""
    counted = [g for g in p.pools if g.capacity and any(o.pool == g.id for o in plan.values())]
    limits = dict(p.limits)
    for numbers in itertools.product(*(range(1, len(g.capacity) + 1) for g in counted)):
        most = [
            g.capacity[n - 1] / sum(o.load for o in plan.values() if o.pool == g.id)
            for g, n in zip(counted, numbers, strict=True)
        ]
        usd, watts, per_request, fits = 0.0, 0.0, 3600 * calls(p, plan), True
        for d in p.devices:
            used = sum(n * g.devices_per_replica for g, n in zip(counted, numbers, strict=True) if g.device == d.name)
            taken = math.ceil(max(used, d.min_count) / d.chassis) * d.chassis
            fits = fits and taken <= d.max_count
            usd += max(0, taken - d.owned) * sum(x for _, x in d.usd_per_hour) + taken * d.idle_usd_per_hour
            watts += taken * d.idle_w
            here = {g.id for g in p.pools if g.device == d.name}
            per_request += 3600 * d.usd_per_joule * sum(o.energy_j_per_request for o in plan.values() if o.pool in here)
        joules = sum(o.energy_j_per_request for o in plan.values())
        if fits:
            most.append((limits.get("usd_per_hour", math.inf) - usd) / max(per_request, 1e-12))
            most.append((limits.get("power_w", math.inf) - watts) / max(joules, 1e-12))
            yield min(most)


def agrees_on_throughput(p: PlacementProblem) -> bool:
    """Whether some rate has a plan."""
    expected = largest_rate(p)
    found = most_requests(lambda rate: replace(p, rate_per_s=rate))
    if expected is None or expected < 1e-5:
        assert found.infeasible
        return False
    if expected > 1e9:  # hosted, and so cheap that no limit matters
        return True
    assert found.rate == pytest.approx(expected, rel=2e-6)
    assert found.bound == pytest.approx(expected, rel=2e-6)
    return True


def on_each(seeds: range, check: Callable[[int], T]) -> list[T]:
    found = []
    for seed in seeds:
        try:
            found.append(check(seed))
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
    return found


@pytest.mark.parametrize(
    ("seeds", "differing"), [(range(1000, 1030), 3), pytest.param(range(1030, 1280), 30, marks=pytest.mark.slow)]
)
def test_objectives_are_those_of_the_best_of_all_plans(
    seeds: range, differing: int, random_problem: Callable[[int], PlacementProblem]
) -> None:
    found = on_each(seeds, lambda seed: agrees_on_objectives(sized(random_problem, seed)))
    assert sum(differ for _, differ in found) >= differing


@pytest.mark.parametrize(
    ("seeds", "serving"), [(range(20), 3), pytest.param(range(20, 220), 60, marks=pytest.mark.slow)]
)
def test_throughput_is_that_of_the_best_of_all_plans(
    seeds: range, serving: int, random_problem: Callable[[int], PlacementProblem]
) -> None:
    problems = [p for seed in seeds if is_bounded(p := sized(random_problem, seed))]
    found = on_each(range(len(problems)), lambda i: agrees_on_throughput(problems[i]))
    assert sum(map(bool, found)) >= serving


def test_limits_on_energy_and_carbon_bound_the_plan(random_problem: Callable[[int], PlacementProblem]) -> None:
    changed = 0
    for seed in range(60):
        p = sized(random_problem, seed)
        free, least = solve(p, with_latency=False), solve(replace(p, objective="energy"), with_latency=False)
        if free.objective is None or free.placements == least.placements:
            continue
        assert least.objective is not None
        tight = replace(p, limits=(*p.limits, ("energy_j_per_request", least.objective * 1.0001)))
        expected = min(found["cost"] for _, found in every_plan(tight))
        assert solve(tight, with_latency=False).objective == pytest.approx(expected, rel=1e-6)
        changed += expected > free.objective * (1 + 1e-6)
    assert changed >= 2
