"""Pools that go down when idle in small random problems: what trying every plan finds, and that they change it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from test_brute_force import agrees, best

from dovetail.ir.distribution import Distribution
from dovetail.planner.placement.problem import PlacementProblem, VisitTime

SEEDS = range(600)


def with_idle(p: PlacementProblem, seed: int) -> PlacementProblem:
    """Every pool twice: as it is, and going down, with a start of 20 to 60 ms for one visit in three."""
    devices = tuple(replace(d, min_count=0, owned=0, chassis=1) for d in p.devices)
    late = Distribution("samples", (0.0, 0.0, (20 + seed % 40) / 1e3))
    down = [replace(g, id=f"{g.id}/idle", billed=0.3) for g in p.pools if g.capacity]
    options = [
        replace(o, pool=f"{o.pool}/idle", visits=tuple(replace(v, lost=(late,)) for v in o.visits))
        for o in p.options
        if f"{o.pool}/idle" in {g.id for g in down} and not o.excluded_by
    ]
    return replace(p, devices=devices, pools=(*p.pools, *down), options=(*p.options, *options))


def at_once(visits: tuple[VisitTime, ...]) -> tuple[VisitTime, ...]:
    """The same where pools start in no time."""
    return tuple(replace(visit, lost=()) for visit in visits)


@pytest.mark.parametrize("batch", range(4))
def test_planner_and_brute_force_agree_on_pools_that_go_down(
    batch: int, random_problem: Callable[[int], PlacementProblem]
) -> None:
    changed = kept_up = 0
    for seed in SEEDS[batch::4]:
        p = random_problem(seed)
        several_ends = any(len(s.sinks) > 1 for s in p.scenarios)
        if p.rate_per_s is None or p.objective != "cost" or several_ends or len(p.pieces) > 3:
            continue  # what the planner tells of means of the latest or the first of random times is a bound
        idle = with_idle(p, seed)
        if len(idle.pools) == len(p.pools):
            continue
        up = best(replace(p, devices=idle.devices))
        agrees(idle, "highs")
        changed += best(idle) != pytest.approx(up)
        prompt = replace(idle, options=tuple(replace(o, visits=at_once(o.visits)) for o in idle.options))
        kept_up += best(idle) != pytest.approx(best(prompt))
    assert changed >= 8
    assert kept_up >= 1  # the wait for a start breaks a bound
