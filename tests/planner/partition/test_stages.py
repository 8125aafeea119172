"""Pipelines: the stages found against all ways to cut, memory, and devices of different speed."""

from __future__ import annotations

import random
from itertools import combinations, permutations

import pytest

from dovetail.planner.partition.check import Broken
from dovetail.planner.partition.stages import Item, Kind, Stage, StagesProblem, check_stages, solve_stages


def random_problem(seed: int) -> StagesProblem:
    rng = random.Random(seed)
    n, kinds = rng.randint(1, 7), rng.randint(1, 2)
    items = tuple(
        Item(tuple(rng.randint(1, 9) * (1 + k) / 2 for k in range(kinds)), rng.randint(0, 4), rng.randint(0, 3))
        for _ in range(n)
    )
    devices = tuple(Kind(f"d{k}", rng.randint(1, 2), rng.choice((6, 10, 100))) for k in range(kinds))
    return StagesProblem(items, devices, tuple(float(rng.randint(0, 6)) for _ in range(n - 1)), 2.0, 0.25)


def counted_out(p: StagesProblem) -> float:
    """The least period over all cuts and all devices for the stages."""
    n, best = len(p.items), float("inf")
    devices = [k for k, kind in enumerate(p.kinds) for _ in range(kind.count)]
    for number in range(1, min(n, len(devices)) + 1):
        for cuts in combinations(range(1, n), number - 1):
            edges = [0, *cuts, n]
            for chosen in set(permutations(devices, number)):
                parts = list(zip(edges, edges[1:], chosen, strict=False))
                if all(p.stage_bytes(a, b) <= p.kinds[k].memory_bytes for a, b, k in parts):
                    best = min(best, max(p.stage_s(a, b, k) for a, b, k in parts))
    return best


@pytest.mark.parametrize("seed", range(200))
def test_the_period_is_the_least_of_all(seed: int) -> None:
    p = random_problem(seed)
    found = solve_stages(p)
    assert found.period_s == pytest.approx(counted_out(p))
    if found.stages:
        check_stages(p, found.stages, found.period_s)


def test_some_problems_have_no_pipeline_and_some_use_several_kinds() -> None:
    found = [solve_stages(random_problem(seed)) for seed in range(200)]
    assert sum(not f.stages for f in found) >= 10
    assert sum(len({s.kind for s in f.stages}) > 1 for f in found) >= 30


def test_a_device_of_twice_the_speed_takes_twice_the_layers() -> None:
    items = tuple(Item((1.0, 2.0)) for _ in range(9))
    p = StagesProblem(items, (Kind("fast", 1, 1.0), Kind("slow", 1, 1.0)), (0.0,) * 8, 1.0, 0.0)
    found = solve_stages(p)
    assert found.period_s == 6
    assert {(s.end - s.first, s.kind) for s in found.stages} == {(6, 0), (3, 1)}


def test_a_cut_goes_where_little_crosses() -> None:
    items = tuple(Item((1.0,)) for _ in range(4))
    p = StagesProblem(items, (Kind("d", 2, 1.0),), (9.0, 9.0, 0.5), 1.0, 0.0)
    assert [s.end for s in solve_stages(p).stages] == [3, 4]


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ([Stage(0, 1, 0)], "not all items"),
        ([Stage(0, 1, 0), Stage(0, 2, 0)], "not all items"),
        ([Stage(0, 1, 0), Stage(1, 2, 0), Stage(2, 3, 0)], "only 2 of `d`"),
        ([Stage(0, 3, 0)], "do not fit"),
        ([Stage(0, 2, 0), Stage(2, 3, 0)], "takes 2 s, not 9 s"),
    ],
)
def test_what_is_no_pipeline_is_refused(stages, message: str) -> None:
    p = StagesProblem(tuple(Item((1.0,), 1.0) for _ in range(3)), (Kind("d", 2, 2.0),), (0.0, 0.0), 1.0, 0.0)
    with pytest.raises(Broken, match=message):
        check_stages(p, stages, 9.0)
