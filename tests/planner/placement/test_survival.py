"""Replicas that may fail, in small random problems: what trying every plan finds, and that they change it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count

import pytest
from test_brute_force import agrees, best

from dovetail.planner.placement.model.survival import replicas_for, survivors
from dovetail.planner.placement.problem import PlacementProblem, Pool


def test_planner_and_brute_force_agree_on_replicas_to_spare(random_problem: Callable[[int], PlacementProblem]) -> None:
    changed = 0
    for seed in range(220):
        p = random_problem(seed)
        alone = best(p)
        if p.rate_per_s is None or alone is None:
            continue
        pools = tuple(replace(g, spare=1 + seed % 2) if g.capacity else g for g in p.pools)
        surviving = replace(p, pools=pools)
        agrees(surviving, "highs")
        changed += best(surviving) != pytest.approx(alone)
    assert changed >= 30


@pytest.mark.parametrize("batch", range(4))
def test_planner_and_brute_force_agree_on_zones_to_lose(
    batch: int, random_problem: Callable[[int], PlacementProblem]
) -> None:
    """Device `a` in three zones, `b` in two or in one that nothing there survives; now and then a replica fails too."""
    changed = 0
    for seed in range(batch, 480, 4):
        p = random_problem(seed)
        alone = best(p)
        if p.rate_per_s is None or alone is None:
            continue
        zones = {"a": 3, "b": 1 + seed // 4 % 2}
        pools = tuple(
            replace(g, zones=zones[g.device], lost_zones=1, spare=seed // 8 % 2) if g.capacity else g for g in p.pools
        )
        surviving = replace(p, pools=pools, devices=tuple(replace(d, max_count=12) for d in p.devices))
        agrees(surviving, "highs")
        changed += best(surviving) != pytest.approx(best(replace(surviving, pools=p.pools)))
    assert changed >= 8


@pytest.mark.parametrize("zones", range(1, 6))
@pytest.mark.parametrize("lost", range(4))
@pytest.mark.parametrize("spare", range(3))
def test_the_fewest_replicas_of_which_so_many_survive(zones: int, lost: int, spare: int) -> None:
    g = Pool("g", "a", "x", zones=zones, lost_zones=lost, spare=spare)
    for left in range(1, 12):
        n = replicas_for(g, left)
        if lost >= zones:
            assert n is None
            assert survivors(g, 1000) == 0
        else:
            assert n is not None
            assert n == next(n for n in count() if survivors(g, n) >= left)
            kept = sorted(len(range(zone, n, zones)) for zone in range(zones))[: zones - lost]
            assert sum(kept) - spare == left
