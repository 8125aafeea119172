"""Replicas that run already, in small random problems: what trying every plan finds, and that they change it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import pytest
from test_brute_force import best

from dovetail.planner.placement.evaluate import Books
from dovetail.planner.placement.model.migration import kinds_by_pool, moves
from dovetail.planner.placement.problem import Kind, PlacementProblem, Previous
from dovetail.planner.placement.search.solve import best_plan, solve

HOUR_S = 3600.0


def running(p: PlacementProblem, seed: int) -> Previous:
    """Some replicas of some kinds that the problem knows, and some of one that it does not."""
    r = random.Random(seed)
    kinds = list(dict.fromkeys(kind for by_piece in kinds_by_pool(p).values() for kind in by_piece.values()))
    gone = Kind("c", "", "run", 1)
    found = [(kind, r.randint(1, 2)) for kind in kinds if r.random() < 0.5] + [(gone, 1)]
    devices = {name: sum(n * k.devices for k, n in found if k.device == name) for name in ("a", "b", "c")}
    starts = tuple((kind, 1e9, r.choice([0.0, r.uniform(30, 6000), r.uniform(30, 6000)])) for kind in kinds)
    return Previous(
        tuple(found), tuple(devices.items()), starts, r.choice([0.0, 1e-3, 1e-2]), r.choice([600.0, HOUR_S])
    )


def of_devices(p: PlacementProblem) -> PlacementProblem:
    """The problem with nothing to pay for but devices, and no bounds, which leave little to choose."""
    routes = (tuple(replace(r, usd_per_request=0.0) for r in t.routes) for t in p.transfers)
    transfers = tuple(replace(t, routes=own) for t, own in zip(p.transfers, routes, strict=True))
    return replace(p, bounds=(), transfers=transfers, options=tuple(replace(o, usd_per_request=0.0) for o in p.options))


def test_planner_and_brute_force_agree_on_what_is_brought_up(random_problem: Callable[[int], PlacementProblem]) -> None:
    changed = 0
    for seed in range(520):
        p = of_devices(random_problem(seed))
        if p.rate_per_s is None or p.objective != "cost":
            continue
        moving = replace(p, previous=running(p, seed))
        expected, found = best(moving), best_plan(moving, None)
        assert (found.status == "infeasible") == (expected is None), seed
        if expected is not None:
            assert found.objective == pytest.approx(expected, rel=1e-6, abs=1e-12), seed
            changed += found.placements != best_plan(p, None).placements
    assert changed >= 30


def test_what_runs_goes_on(random_problem: Callable[[int], PlacementProblem]) -> None:
    """The plan that runs, planned for again, is kept and nothing is brought up."""
    kept = 0
    for seed in range(60):
        p = random_problem(seed)
        first = solve(p)
        if p.rate_per_s is None or p.objective != "cost" or first.status != "optimal":
            continue
        nothing = Previous((), (), running(p, seed).starts, 0.0, HOUR_S)
        taken = moves(p, nothing, first.placements, first.replicas)
        previous = replace(nothing, running=tuple(taken.now.items()), devices=tuple(first.devices.items()))
        again = solve(replace(p, previous=previous))
        assert again.objective == pytest.approx(first.objective)
        assert again.replicas == first.replicas
        assert Books(replace(p, previous=previous)).account(again.placements).migration_usd_per_hour == 0
        kept += 1
    assert kept >= 10
