"""What options and pools cost at least: no optimum is lost with those that are too dear, (70) and (71)."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from dovetail.planner.placement.problem import DeviceType, Option, Piece, PlacementProblem, Pool
from dovetail.planner.placement.search.cutoff import affordable
from dovetail.planner.placement.search.least_costs import LeastCosts
from dovetail.planner.placement.search.solve import solve

Make = Callable[[int], PlacementProblem]


def shared(capacity: tuple[float, ...], loads: tuple[float, ...]) -> PlacementProblem:
    """Pieces that may share a pool at 6 USD/h a replica, or be called for 1 USD/h each, at one request a second."""
    names = [f"p{i}" for i in range(len(loads))]
    own = [Option(name, "own", (), load) for name, load in zip(names, loads, strict=True)]
    called = [Option(name, "api", (), 0.0, usd_per_request=1 / 3600) for name in names]
    return PlacementProblem(
        pieces=tuple(Piece(name, name, "run", 1.0) for name in names),
        pools=(Pool("own", "d", "d", capacity=capacity), Pool("api", "a", "a")),
        options=(*own, *called),
        devices=(DeviceType("d", 0, 9, usd_per_hour=(("rent", 6.0),)), DeviceType("a", 0, 0)),
        transfers=(),
        scenarios=(),
        bounds=(),
        rate_per_s=1.0,
    )


def test_shared_replicas_are_paid_for_by_the_load_that_each_carries_at_best() -> None:
    """Two carry 1.5, or 0.75 each, which is more than the 0.5 of one: 6 / 0.75 USD/h for a load of one, 8 x 0.1."""
    least = LeastCosts(shared((0.5, 1.5), (0.1, 0.2)))
    assert least.single["p0"]["own"] == pytest.approx(0.8)
    assert least.single["p1"]["own"] == pytest.approx(1.6)
    assert least.nodes == {"p0": pytest.approx(0.8), "p1": pytest.approx(1.0)}


def test_pool_in_use_costs_a_replica_less_what_its_tenants_cost_elsewhere() -> None:
    """One replica at 6 takes p0 and p1 whole, which elsewhere cost 0.8 and 1 at least: 4.2 more than the 1.8 of both.

    Where one carries 0.2 alone, p0 and half of p1 are in it; two carry both, and cost 12.
    """
    least = LeastCosts(shared((0.5, 1.5), (0.1, 0.2)))
    assert least.excess_of_pool(least.pools["own"]) == pytest.approx(6 - 0.8 - 1.0)
    least = LeastCosts(shared((0.2, 1.5), (0.1, 0.2)))
    assert least.excess_of_pool(least.pools["own"]) == pytest.approx(6 - 0.8 - 0.5)
    p = shared((0.5, 1.5), (0.1, 0.2))
    assert {o.pool for o in affordable(p, 5.9)} == {"api"}
    assert {o.pool for o in affordable(p, 6.1)} == {"api", "own"}


def test_no_option_of_the_best_plan_is_too_dear_for_its_cost(random_problem: Make) -> None:
    left, whole = 0, 0
    for seed in range(400, 480):
        p = random_problem(seed)
        result = solve(replace(p, objective="cost"))
        if result.objective is None:
            continue
        kept = {(o.piece, o.pool) for o in affordable(p, result.objective * (1 + 1e-9) + 1e-12)}
        assert set(result.placements.items()) <= kept
        left, whole = left + len(kept), whole + len(p.options)
    assert 0 < left < 0.8 * whole


def test_no_option_of_the_best_plan_that_takes_one_of_some_is_too_dear_for_its_cost(random_problem: Make) -> None:
    """(74) Where the dearest pools by themselves have to be in use."""
    left, unasked = 0, 0
    for seed in range(500, 550):
        p = replace(random_problem(seed), objective="cost")
        least = LeastCosts(p)
        dear = sorted(p.pools, key=lambda g: -least.excess_of_pool(g))[: random.Random(seed).randint(1, 2)]
        on = frozenset((o.piece, o.pool) for o in p.options if o.pool in {g.id for g in dear})
        asked = replace(p, one_of=(on,))
        result = solve(asked)
        if result.objective is None:
            continue
        most = result.objective * (1 + 1e-9) + 1e-12
        kept = {(o.piece, o.pool) for o in affordable(asked, most)}
        assert set(result.placements.items()) <= kept, seed
        left, unasked = left + len(kept), unasked + len(affordable(p, most))
    assert 0 < left <= unasked


def test_beside_a_pool_that_has_to_be_in_use_less_is_affordable() -> None:
    """A replica of `far` costs 9 USD/h and carries one of both: beside it the other piece may cost 1 of 10, not 6."""
    p = shared((0.5, 1.5), (0.1, 0.2))
    far = [Option(f"p{i}", "far", (), 0.3) for i in range(2)]
    p = replace(p, pools=(*p.pools, Pool("far", "f", "f", capacity=(0.5,))), options=(*p.options, *far))
    p = replace(p, devices=(*p.devices, DeviceType("f", 0, 1, usd_per_hour=(("rent", 9.0),))))
    assert {o.pool for o in affordable(p, 10.5)} == {"own", "api", "far"}
    asked = replace(p, one_of=(frozenset((o.piece, o.pool) for o in far),))
    assert {o.pool for o in affordable(asked, 10.5)} == {"api", "far"}
