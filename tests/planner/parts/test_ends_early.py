"""A large graph whose search is stopped has a plan all the same: of parts without one, a plan that needs no search."""

from __future__ import annotations

import signal

import pytest

from dovetail.planner.parts import large
from dovetail.planner.parts.solve import ByParts
from dovetail.planner.placement.problem import PlacementProblem
from dovetail.planner.placement.result import PlacementResult
from dovetail.planner.placement.search.clock import Clock
from dovetail.planner.placement.search.rounds import OPTIMAL_GAP
from dovetail.planner.placement.search.solve import best_plan
from dovetail.planner.placement.times.judge import Judge
from dovetail.planner.posing.pose import Posed
from dovetail.planner.posing.to_problem import frame

from .test_by_parts import posed


def stopped(it: Posed) -> tuple[PlacementProblem, PlacementResult] | None:
    """What a search has found that is stopped before its first part."""
    clock, told = Clock(None), list[str]()

    def stop(best: float | None, bound: float | None, of: str = "", /) -> None:
        told.append(of)
        if of.startswith("part 1 "):
            clock.stop()

    found = ByParts(it.setting, frame(it.setting, it.works, "cost"), OPTIMAL_GAP, "highs", clock, stop).solve()
    assert any(of.startswith("part 1 of ") for of in told)
    return found


def test_stopped_search_has_a_plan_that_keeps_all_bounds() -> None:
    ended = 0
    for seed in range(12):
        it = posed(seed)
        whole = best_plan(it.problem, 20.0)
        if whole.objective is None or (found := stopped(it)) is None:
            continue
        ended += 1
        problem, result = found
        assert result.objective is not None
        assert result.objective >= whole.objective * (1 - 2e-6), seed
        assert (result.bound or 0.0) <= whole.objective * (1 + 2e-6), seed
        assert Judge(problem, problem.options).broken(result.placements) is None
    assert ended > 3


def test_interrupt_stops_the_search_and_a_second_one_ends_it() -> None:
    it = next(it for it in map(posed, range(12)) if stopped(it) is not None)
    handler, again = signal.default_int_handler, 0
    before = signal.signal(signal.SIGINT, handler)  # ignored where the tests run in the background

    def interrupt(best: float | None, bound: float | None, of: str = "", /) -> None:
        if of.startswith("part 1 "):
            for _ in range(1 + again):
                signal.raise_signal(signal.SIGINT)

    try:
        found = large.by_parts(it, OPTIMAL_GAP, None, "highs", interrupt)
        assert found is not None
        assert found[1].objective is not None
        again = 1
        with pytest.raises(KeyboardInterrupt):
            large.by_parts(it, OPTIMAL_GAP, None, "highs", interrupt)
        assert signal.getsignal(signal.SIGINT) is handler
    finally:
        signal.signal(signal.SIGINT, before)
