"""Fewer operators bound the whole, and their prices lose nothing when the whole takes them."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest

from dovetail.planner.scratchpad.problem import ScratchpadProblem
from dovetail.planner.scratchpad.search.ahead import ahead_of
from dovetail.planner.scratchpad.search.exact import Search
from dovetail.planner.scratchpad.search.ladder import Ladder
from dovetail.planner.scratchpad.search.pricing import Pricing
from dovetail.planner.scratchpad.search.relax import loosest_first, rest, streamed_bound
from dovetail.planner.scratchpad.search.split import Piece, whole
from dovetail.planner.scratchpad.search.stream import stream
from dovetail.planner.scratchpad.search.tables import words

Make = Callable[[int], ScratchpadProblem]
MEMORY = 200 << 20
ANY = 1 << 30
MOST = 1 << 16


def optimum(piece: Piece) -> int:
    search = Search(piece)
    while not search.is_done:
        search.run(ANY, ANY, MEMORY)
    return search.bound


@pytest.mark.parametrize("seed", range(40))
def test_fewer_operators_never_cost_more(seed: int, random_problem: Make) -> None:
    piece, r = whole(random_problem(seed)), random.Random(seed)
    best = optimum(piece)
    for one in (piece, piece.reverse()):
        for _ in range(4):
            kept = sorted(r.sample(range(len(one.operators)), r.randint(1, len(one.operators))))
            assert optimum(rest(one, kept)) <= best


@pytest.mark.parametrize("seed", range(20))
def test_all_operators_cost_the_same(seed: int, random_problem: Make) -> None:
    piece = whole(random_problem(seed))
    assert optimum(rest(piece, range(len(piece.operators)))) == optimum(piece)


def test_the_loosest_operator_comes_first(random_problem: Make) -> None:
    for seed in range(40):
        piece = whole(random_problem(seed))
        n = len(piece.operators)
        taken = loosest_first(piece)
        assert sorted(taken) == list(range(n))
        before = [set[int]() for _ in range(n)]
        for op, parents in enumerate(piece.predecessors):
            for p in parents:
                before[op] |= before[p] | {p}
        loose = [sum(u != v and u not in before[v] and v not in before[u] for u in range(n)) for v in range(n)]
        assert loose[taken[0]] == max(loose)


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("steps", [0, 20])
def test_each_rung_proves_what_the_last_did(seed: int, steps: int, random_problem: Make) -> None:
    piece = whole(random_problem(seed))
    best = optimum(piece)
    for one in (piece, piece.reverse()):
        search = Search(one)
        assert search.look_ahead(MOST)
        ladder, proved = Ladder(one, search.table, MOST, 3), 0.0
        while True:
            ladder.settle(ANY)
            assert ladder.prices.value_bytes >= proved - 1e-6
            for _ in range(steps):
                ladder.prices.improve()
            ladder.settle(ANY)
            proved = ladder.prices.value_bytes
            assert max(proved - 1e-6, ladder.bound_bytes) <= best
            if not ladder.climb():
                break
        assert ladder.is_whole
        search.price(ladder.prices)
        while not search.is_done:
            search.run(ANY, ANY, MEMORY)
        assert search.bound == best


def test_rungs_differ(random_problem: Make) -> None:
    rungs = []
    for seed in range(10):
        search = Search(whole(random_problem(seed)))
        assert search.look_ahead(MOST)
        ladder = Ladder(search.piece, search.table, MOST, 3)
        rungs.append(len(ladder.prices.graph.done) < search.table.rows)
    assert any(rungs)


@pytest.mark.parametrize("seed", range(20))
def test_pricing_without_a_table_of_the_whole_is_a_bound(seed: int, random_problem: Make) -> None:
    piece = whole(random_problem(seed))
    pricing = Pricing([Search(piece), Search(piece.reverse())])
    pricing.improve(ANY, float("inf"))
    assert not pricing.rises
    assert pricing.bound_bytes <= optimum(piece)


@pytest.mark.parametrize("seed", range(60))
@pytest.mark.parametrize("most", [8, 20, MOST])
def test_a_pass_over_the_downsets_is_a_bound(seed: int, most: int, random_problem: Make) -> None:
    piece = whole(random_problem(seed))
    best = optimum(piece)
    for one in (piece, piece.reverse()):
        assert streamed_bound(one, ANY, most) <= best
        for above in (0, 1, 3, 10):
            assert streamed_bound(one, best + above, most) <= best


@pytest.mark.parametrize("seed", range(20))
def test_budgets_above_the_least_lose_nothing(seed: int, random_problem: Make) -> None:
    piece = whole(random_problem(seed))
    first = stream(piece, ANY, None, MOST)
    assert first is not None
    again = stream(piece, ANY, first.least, MOST)
    assert again is not None
    assert again == first


@pytest.mark.parametrize("seed", range(20))
def test_a_pass_proves_no_less_than_the_table(seed: int, random_problem: Make) -> None:
    piece = whole(random_problem(seed))
    search = Search(piece)
    assert search.look_ahead(MOST)
    nothing = np.zeros(words(len(piece.tensors)), np.uint64)
    streamed = stream(piece, ANY, None, MOST)
    assert streamed is not None
    assert streamed.bound_bytes >= ahead_of(search.tables, search.table, 0, 0, nothing, nothing)


def test_a_pass_ends_where_there_are_too_many_downsets(random_problem: Make) -> None:
    assert stream(whole(random_problem(1)), ANY, None, 2) is None


def test_the_pass_over_fewer_operators_is_not_empty(random_problem: Make) -> None:
    assert any(streamed_bound(whole(random_problem(seed)), ANY, 20) > 0 for seed in range(20))
