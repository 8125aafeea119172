"""Replicas that may fail, in small random problems: what trying every plan finds, and that they change it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from test_brute_force import agrees, best

from dovetail.planner.placement.problem import PlacementProblem


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
