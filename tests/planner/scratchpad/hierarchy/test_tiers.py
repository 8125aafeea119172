"""The choice of tiers against all choices, on tiny problems with their default order."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise, product

import pytest

from dovetail.planner.scratchpad.hierarchy.level import Level
from dovetail.planner.scratchpad.hierarchy.tiers import choose_tiers
from dovetail.planner.scratchpad.hierarchy.traffic import MIDDLE, SCRATCHPAD, traffic_of
from dovetail.planner.scratchpad.problem import ScratchpadProblem, Tensor

PLACES = ("near", "near and middle", "middle", "far")


def ways(tensor: Tensor, steps: list[int]) -> Iterator[tuple[tuple[str, ...], tuple[bool, ...]]]:
    """Where a tensor may spend each of its gaps, and whether what arrives before a gap leaves a copy in the middle."""
    gaps = len(steps) - 1
    for places in product(PLACES, repeat=gaps):
        if not tensor.bytes and set(places) - {"near"}:
            continue
        arrives = [tensor.is_loaded, *(place == "far" for place in places)][:gaps]
        may = [a and "middle" in place for a, place in zip(arrives, places, strict=True)]
        for left in product(*((False, True) if m else (False,) for m in may)):
            yield places, left


def crossings(tensor: Tensor, places: tuple[str, ...], left: tuple[bool, ...]) -> tuple[int, int]:
    """How often a tensor crosses the near and the far border, by walking through its gaps; loads and the store of an
    output are taken off."""
    near, far = 0, 0
    middle, stored = False, tensor.is_loaded
    for gap, place in enumerate(places):
        if left[gap]:
            middle = True
        elif "middle" in place and not middle:
            near, middle = near + 1, True
        if place == "far":
            if not stored:
                # the copy outside was made from the middle level if it ever was there, else from the scratchpad
                was_in_middle = any("middle" in before for before in places[:gap])
                near, far, stored = near + (not was_in_middle), far + 1, True
            near, far = near + 1, far + 1
        elif place == "middle":
            near += 1
        middle = "middle" in place
    if tensor.kind == "output":
        if not stored:
            near, far = near + (not any("middle" in place for place in places)), far + 1
        near, far = near - 1, far - 1
    return near, far


def least_cost(problem: ScratchpadProblem, middle_bytes: int, costs: tuple[float, float]) -> float:
    """By trying everything, tensor by tensor."""
    every = [ops for ops in problem.touches if ops]
    tensors = [t for t, ops in zip(problem.tensors, problem.touches, strict=True) if ops]
    sizes = [s for s, ops in zip(problem.sizes, problem.touches, strict=True) if ops]
    best = [float("inf")]

    def extend(at: int, cost: float, near: Counter[int], middle: Counter[int]) -> None:
        if cost >= best[0]:
            return
        if at == len(tensors):
            best[0] = cost
            return
        steps, size = sorted(every[at]), sizes[at]
        for places, left in ways(tensors[at], steps):
            a, b = Counter(near), Counter(middle)
            for (here, there), place, copied in zip(pairwise(steps), places, left, strict=True):
                if "near" in place:
                    a.update(dict.fromkeys(range(here + 1, there), size))
                if "middle" in place:
                    b.update(dict.fromkeys(range(here + 1, there + 1), size))
                    b[here] += size if copied else 0
            fits = all(a[v] + problem.need_bytes[v] <= problem.size_bytes for v in range(len(problem.operators)))
            if fits and all(load <= middle_bytes for load in b.values()):
                n, f = crossings(tensors[at], places, left)
                extend(at + 1, cost + tensors[at].bytes * (n * costs[0] + f * costs[1]), a, b)

    extend(0, 0.0, Counter(), Counter())
    return best[0]


def check_seed(problem: ScratchpadProblem, seed: int) -> float:
    draw = random.Random(seed)
    middle = draw.randint(0, 6)
    slower = draw.choice((1, 3, 10))
    levels = (Level("sram", middle, 10.0), Level("dram", None, 10.0 / slower))
    order = tuple(range(len(problem.operators)))
    tiers = choose_tiers(problem, order, levels)
    assert tiers is not None
    assert tiers.is_optimal
    traffic = traffic_of(problem, tiers)
    moved = [-problem.compulsory_bytes, -problem.compulsory_bytes]
    for x in traffic.transfers:
        ranks = {traffic.holds[i].level for i in (*x.targets, *([] if x.source is None else [x.source]))}
        if x.source is None or not x.targets:
            ranks.add(2)
        for border in range(min(ranks), max(ranks)):
            moved[border] += problem.tensors[x.tensor].bytes
    cost = moved[0] / slower + moved[1]
    assert cost == pytest.approx(least_cost(problem, middle, (1 / slower, 1.0)), abs=1e-6)
    for level, size in ((SCRATCHPAD, problem.size_bytes), (MIDDLE, middle)):
        for moment in range(len(order) + 1):
            held = (h for h in traffic.holds if h.level == level and h.first <= moment <= h.last)
            assert sum(problem.sizes[h.tensor] for h in held) <= size
    return cost


def test_tiers_are_the_best_of_all(drawn_problem) -> None:
    costs = [check_seed(drawn_problem(2 * seed), seed) for seed in range(25)]
    assert sum(cost > 0 for cost in costs) >= 8


@pytest.mark.fuzz
def test_tiers_are_the_best_of_all_fuzz(drawn_problem) -> None:
    for seed in range(25, 250):
        check_seed(drawn_problem(seed), seed)
