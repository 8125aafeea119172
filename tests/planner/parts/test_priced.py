"""The longest ways through a graph, and the price of a second at which plans are in time."""

from __future__ import annotations

import pytest

from dovetail.planner.parts.prices.critical import critical
from dovetail.planner.parts.prices.priced import LEAP, between
from dovetail.planner.placement.problem import Scenario, Step
from dovetail.planner.placement.times.sections import cut


def step(name: str, *after: str, visit: int = 1) -> Step:
    return Step(f"{name}@{visit}", (f"{name}.run",), visit, tuple((before, False) for before in after))


def test_requests_wait_for_the_longer_branch_and_each_visit_of_a_loop() -> None:
    fork = (step("a"), step("b", "a@1"), step("c", "a@1"), step("d", "b@1", "c@1"))
    again = (*fork, step("a", "d@1", visit=2), step("d", "a@2", visit=2))
    ways = cut([Scenario(0.75, fork, ("d@1",)), Scenario(0.25, again, ("d@2",))], "end_to_end")
    found = critical(ways, {"a": 1.0, "b": 5.0, "c": 2.0, "d": 3.0})
    assert found.seconds == pytest.approx(0.75 * 9 + 0.25 * 13)
    assert found.visits == pytest.approx({"a": 1.25, "b": 1.0, "d": 1.25})


def test_next_price_is_between_what_is_too_low_and_what_is_enough() -> None:
    assert between(3.0, 2.0, float("inf")) == 2.0 * LEAP
    assert between(1e9, 2.0, float("inf")) == 2.0 * LEAP**3
    for price in (1e-9, 1.5, 1e9):
        assert 1.0 < between(price, 1.0, 2.0) < 2.0
    assert 0.0 < between(0.0, 0.0, 1.0) < 1.0
