"""The exact program against every choice of setups, where switching and reuse of caches change the answer."""

from __future__ import annotations

import pytest

from dovetail.planner.batches.bound import lower_bound_s
from dovetail.planner.batches.phases import solve_phases
from dovetail.planner.batches.search import improve

from .random_batches import best_by_trying, random_batch, without_reuse

SIZES = [(seed, 1, 3) for seed in range(40)] + [(seed, 2, 2) for seed in range(40, 46)]
"""(seed, workers, phases)"""


@pytest.fixture(scope="module")
def answers() -> list[tuple[float, float, float, float]]:
    """[s] of each batch: the exact program, every choice tried, a single phase, no reuse."""
    found = []
    for seed, workers, phases in SIZES:
        p = random_batch(seed, workers)
        exact, single, plain = solve_phases(p, phases), solve_phases(p, 1), solve_phases(without_reuse(p), phases)
        assert exact is not None
        assert plain is not None
        tried = best_by_trying(p, phases)
        found.append((exact.flow_s, tried, single.flow_s if single else float("inf"), plain.flow_s))
    return found


def test_the_program_finds_what_trying_finds(answers: list[tuple[float, float, float, float]]) -> None:
    for (seed, _, _), (exact, tried, _, _) in zip(SIZES, answers, strict=True):
        assert exact == pytest.approx(tried, rel=1e-5), seed


def test_switching_changes_many_answers(answers: list[tuple[float, float, float, float]]) -> None:
    assert sum(exact < single * (1 - 1e-4) for exact, _, single, _ in answers) >= 30


def test_reuse_changes_many_answers(answers: list[tuple[float, float, float, float]]) -> None:
    assert sum(exact < plain * (1 - 1e-4) for exact, _, _, plain in answers) >= 30


def test_nothing_is_under_the_bound(answers: list[tuple[float, float, float, float]]) -> None:
    for (seed, workers, _), (exact, _, _, _) in zip(SIZES, answers, strict=True):
        assert lower_bound_s(random_batch(seed, workers)) <= exact * (1 + 1e-6), seed


def test_local_search_is_between_the_exact_answer_and_its_start(
    answers: list[tuple[float, float, float, float]],
) -> None:
    gains = 0
    for (seed, workers, phases), (exact, _, _, _) in zip(SIZES, answers, strict=True):
        p = random_batch(seed, workers)
        start = solve_phases(p, 1)
        found = start and improve(p, start, phases)
        if start is not None and found is not None:
            assert exact * (1 - 1e-5) <= found.flow_s < start.flow_s
            gains += 1
    assert gains >= 5
