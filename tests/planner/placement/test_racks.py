"""Power limits of racks in small random problems: what trying every plan finds, and that they change it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from test_brute_force import agrees, best

from dovetail.planner.placement.model.racks import Draw, no_less, share_over
from dovetail.planner.placement.problem import PlacementProblem, Rack
from dovetail.planner.placement.result import PlacementResult
from dovetail.planner.placement.search.solve import solve
from dovetail.planner.sensitivity.same_plan import held, outcome


def with_rack(p: PlacementProblem, power_w: float, exceed: float) -> PlacementProblem:
    """Both kinds of devices in one rack: 50 W idle and 250 W busy. Replicas carry loads up to 3, each third 200 W."""
    devices = tuple(replace(d, rack="r", idle_w=50.0, peak_w=250.0) for d in p.devices)
    sizes = {g.id: g.devices_per_replica for g in p.pools}
    options = tuple(replace(o, energy_j_per_request=o.load / 3 * 200 * sizes[o.pool]) for o in p.options)
    return replace(p, devices=devices, options=options, racks=(Rack("r", power_w, exceed),))


@pytest.mark.parametrize("exceed", [0.0, 0.05, 0.3])
def test_planner_and_brute_force_agree_on_racks(
    exceed: float, random_problem: Callable[[int], PlacementProblem]
) -> None:
    changed = 0
    for seed in range(150):
        p = random_problem(seed)
        free = best(p)
        if p.rate_per_s is None or free is None:
            continue
        racked = with_rack(p, 130.0 + 30.0 * (seed % 9), exceed)
        agrees(racked, "highs")
        changed += best(racked) != pytest.approx(best(replace(racked, racks=())))
    assert changed >= 12


def test_two_replicas_half_busy_are_both_busy_a_quarter_of_the_time() -> None:
    rack = Rack("r", 1000.0, 0.25)
    assert share_over(rack, 200.0, [Draw(2, 0.5, 600.0, 2)]) == pytest.approx(0.25)
    assert share_over(rack, 200.0, [Draw(2, 0.5, 400.0, 2)]) == 0


def test_many_pools_are_rounded_upwards_and_by_little() -> None:
    rng = np.random.default_rng(3)
    sizes, steps = rng.integers(5, 40, 6).tolist(), rng.uniform(300, 900, 6).tolist()
    draws = [Draw(n, 0.3, step, n) for n, step in zip(sizes, steps, strict=True)]
    drawn = sum(rng.binomial(each.replicas, each.busy, 400_000) * each.step_w for each in draws)
    limit = float(np.quantile(drawn, 0.98))
    assert share_over(Rack("r", limit, 0.02), 0.0, draws) == pytest.approx(0.02, abs=0.001)


def test_more_replicas_of_one_load_are_not_surely_hungrier() -> None:
    """One replica busy 0.9 of the time is over 0.5 more often than one of two that are busy 0.45."""
    assert not no_less(Draw(2, 0.45, 1.0, 2), Draw(1, 0.9, 1.0, 1))
    assert no_less(Draw(2, 0.9, 1.0, 2), Draw(1, 0.9, 1.0, 1))
    assert not no_less(Draw(1, 0.9, 2.0, 1), Draw(1, 0.9, 1.0, 2))


def share_drawn(p: PlacementProblem, result: PlacementResult, limit_w: float) -> float:
    """Of the time that the devices of a result draw more in `p`: every number of busy replicas in turn."""
    assert p.rate_per_s is not None
    pools = [g for g in p.pools if g.id in result.replicas]
    idle_w, over = 50.0 * sum(result.devices.values()), 0.0
    chosen = [o for o in p.options if result.placements[o.piece] == o.pool]
    joules = {g.id: sum(o.energy_j_per_request for o in chosen if o.pool == g.id) for g in pools}
    steps = {g.id: 200.0 * g.devices_per_replica for g in pools}
    busy = {g.id: min(1.0, p.rate_per_s * joules[g.id] / steps[g.id] / result.replicas[g.id]) for g in pools}
    for numbers in itertools.product(*(range(result.replicas[g.id] + 1) for g in pools)):
        drawn, chance = idle_w, 1.0
        for g, k in zip(pools, numbers, strict=True):
            n, q = result.replicas[g.id], busy[g.id]
            drawn += k * steps[g.id]
            chance *= math.comb(n, k) * q**k * (1 - q) ** (n - k)
        over += chance * (drawn > limit_w * (1 + 1e-9))
    return over


def test_a_plan_that_is_kept_is_held_against_the_racks_where_its_replicas_work_more(
    random_problem: Callable[[int], PlacementProblem],
) -> None:
    broken = 0
    for seed in range(60):
        p, limit_w = random_problem(seed), 180.0 + 40.0 * (seed % 9)
        result = solve(with_rack(p, limit_w, 0.3), with_latency=False)
        if p.rate_per_s is None or result.status != "optimal":
            continue
        racked = with_rack(p, limit_w, 0.3)
        more = replace(
            racked,
            options=tuple(replace(o, energy_j_per_request=4 * o.energy_j_per_request) for o in racked.options),
        )
        assert "racks[r]" not in outcome(racked, held(racked, result)).broken
        is_over = share_drawn(more, result, limit_w) > 0.3 + 1e-9
        assert ("racks[r]" in outcome(more, held(racked, result)).broken) is is_over, seed
        broken += is_over
    assert broken >= 3
