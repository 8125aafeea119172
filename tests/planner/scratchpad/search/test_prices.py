"""Prices bound every plan from every state, whatever they are; they get better; dropped edges lose no better plan."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from dovetail.planner.scratchpad.problem import ScratchpadProblem
from dovetail.planner.scratchpad.search import prepare
from dovetail.planner.scratchpad.search.exact import Search
from dovetail.planner.scratchpad.search.prices import Prices
from dovetail.planner.scratchpad.search.split import Piece, whole

Make = Callable[[int], ScratchpadProblem]
MEMORY = 200 << 20
ANY = 1 << 30


def run(search: Search, upper: int = ANY) -> int:
    while not search.is_done:
        search.run(upper, ANY, MEMORY)
    return search.bound


def optimum(piece: Piece) -> int:
    return run(Search(piece))


def priced(piece: Piece, steps: int, upper: int = ANY) -> tuple[Search, Prices]:
    search = Search(piece)
    assert search.look_ahead(1 << 16)
    prices = Prices(search.tables, search.table.done, search.table.slots)
    prices.settle(upper)
    for step in range(steps):
        prices.improve()
        if step % 5 == 4:
            prices.settle(upper)
    search.price(prices)
    return search, prices


@pytest.mark.parametrize("seed", range(40))
def test_prices_never_exceed_the_optimum_and_change_no_answer(seed: int, random_problem: Make) -> None:
    piece = whole(random_problem(seed))
    best = optimum(piece)
    for one in (piece, piece.reverse()):
        search, prices = priced(one, 20)
        assert prices.bound_bytes <= best
        assert run(search) == best


@pytest.mark.parametrize("seed", range(40))
def test_any_prices_are_a_bound(seed: int, random_problem: Make) -> None:
    piece = whole(random_problem(seed))
    search, prices = priced(piece, 0)
    r = np.random.default_rng(seed)
    prices.set_shares(r.random((2, len(prices.graph.live))))
    prices.settle(ANY)
    search.price(prices)
    best = optimum(piece)
    assert prices.value_bytes <= best + 1e-6
    assert run(search) == best


@pytest.mark.parametrize("seed", range(40))
def test_dropped_edges_lose_no_better_plan(seed: int, random_problem: Make) -> None:
    piece = whole(random_problem(seed))
    best = optimum(piece)
    for upper in (best, best + 1, best + 3):
        search, prices = priced(piece, 40, upper)
        assert prices.bound_bytes <= best
        assert run(search, upper) == best


def test_prices_prove_a_good_part(random_problem: Make) -> None:
    proved = total = 0
    for seed in range(40):
        piece = whole(random_problem(seed))
        total += optimum(piece)
        proved += priced(piece, 60)[1].bound_bytes
    assert proved > 0.6 * total


def test_what_was_prepared_is_not_prepared_again() -> None:
    prepare()
    assert prepare() < 0.01
