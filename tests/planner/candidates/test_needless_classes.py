"""(60) by enumeration: whatever is in a way that was left out may move to one that stays, beside what is there."""

from __future__ import annotations

import itertools
import random

import numpy as np

from dovetail.costmodel.queueing import capacity
from dovetail.planner.candidates.llm.needless_classes import grows_together, undominated_classes
from dovetail.planner.candidates.sizing import WAIT_CLASSES

PIECES = 3
SETS = [set(s) for k in range(PIECES + 1) for s in itertools.combinations(range(PIECES), k)]


def devices(degree: int, carried: tuple[float, ...], load: list[float], pieces: set[int]) -> float:
    """The fewest devices that carry these pieces; none of them still take one replica."""
    if not pieces:
        return 0
    asked = sum(load[q] for q in pieces) * (1 - 1e-9)
    return degree * next(n for n, most in enumerate(carried, 1) if most >= asked)


def drawn(
    r: random.Random,
) -> tuple[list[list[float]], list[list[float]], list[int], list[tuple[float, ...]], list[bool]]:
    """Figures, loads, devices, capacities and room of a dozen ways that carry three pieces."""
    figures, loads, degrees, capacities, room = [], [], [], [], []
    for _ in range(12):
        each, slots = r.choice(WAIT_CLASSES), r.choice([1, 2, 8])
        load = [r.choice([0.2, 0.5, 1.0, 3.0]) * r.choice([0.5, 1]) for _ in range(PIECES)]
        found: list[float] = []
        while not found or found[-1] < sum(load):
            found.append(capacity(slots, len(found) + 1, each.probability, each.mean_in_services))
        figures.append([each.probability, r.choice([1.0, 1.0, 2.0])])
        loads.append(load)
        degrees.append(r.choice([1, 1, 2]))
        capacities.append(tuple(found))
        room.append(r.random() < 0.8)
    return figures, loads, degrees, capacities, room


def test_what_is_left_out_may_move_to_what_stays() -> None:
    gone = 0
    for seed in range(150):
        figures, loads, degrees, capacities, room = drawn(random.Random(seed))
        stay = undominated_classes(np.array(figures), np.array(loads), degrees, capacities, room)
        needs = [[devices(d, c, load, s) for s in SETS] for d, c, load in zip(degrees, capacities, loads, strict=True)]
        for h in set(range(12)) - set(stay):
            gone += 1
            assert any(
                room[g]
                and all(a <= b for a, b in zip(figures[g], figures[h], strict=True))
                and all(
                    needs[g][SETS.index(s | t)] <= needs[h][SETS.index(s)] + needs[g][SETS.index(t)]
                    for s in SETS
                    for t in SETS
                    if not s & t
                )
                for g in stay
            ), (seed, h)
    assert gone >= 300


def test_capacities_that_fall_behind_replace_nothing() -> None:
    assert grows_together((1.0, 2.0, 3.5))
    assert not grows_together((1.0, 2.5, 3.0))
    # Half the load on the same class, but two of its replicas carry less than two apart.
    figures, loads = np.array([[1.0], [1.0]]), np.array([[0.9, 0.9], [1.0, 1.0]])
    assert undominated_classes(figures, loads, [1, 1], [(1.0, 1.5, 3.0), (1.0, 2.0)], [True, True]) == [0, 1]
