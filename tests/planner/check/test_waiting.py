"""Erlang's formula and the waits that follow, against numbers worked by hand."""

from __future__ import annotations

import math

import pytest

from dovetail.planner.check.waiting import Wait, erlang_c, wait_of


@pytest.mark.parametrize(
    ("servers", "offered", "expected"),
    [
        (1, 0.4, 0.4),  # M/M/1: rho
        (2, 1.0, 1 / 3),  # B = (1/2) / (1 + 1 + 1/2) = 0.2; 0.2 / (1 - 0.5 x 0.8)
        (3, 2.0, 4 / 9),  # B = (8/6) / (1 + 2 + 2 + 8/6) = 4/19; (4/19) / (1 - 2/3 x 15/19)
        (3, 3.0, 1.0),
        (3, 0.0, 0.0),
    ],
)
def test_erlang_c(servers: int, offered: float, expected: float) -> None:
    assert erlang_c(servers, offered) == pytest.approx(expected)


def test_wait_of_two_servers() -> None:
    """One arrival a second, 1 s of service: a third wait, and those 1 / (2 - 1) s."""
    wait = wait_of(2, 1.0, 1.0)
    assert (wait.probability, wait.mean_s) == pytest.approx((1 / 3, 1.0))


def test_wait_grows_with_the_variance_of_arrivals() -> None:
    """(3 + 1) / 2 = 2 times as long."""
    wait = wait_of(1, 2.0, 0.2, math.sqrt(3))
    assert (wait.probability, wait.mean_s) == pytest.approx((0.4, 2 / 3))


def test_wait_without_load_and_with_too_much() -> None:
    assert wait_of(4, 0.0, 1.0) == Wait(0.0, 0.0)
    assert wait_of(4, 5.0, 1.0) == Wait(1.0, math.inf)


def test_erlang_c_of_very_many_servers() -> None:
    """Where n is far above the load nobody waits; at n = a + 2 sqrt(a) it is the Halfin-Whitt 0.0269 or so."""
    assert erlang_c(10**12, 1.0) < 1e-29
    # Halfin and Whitt (1981): 1 / (1 + b Phi(b) / phi(b)) with b = 2
    assert erlang_c(10**8 + 2 * 10**4, 1e8) == pytest.approx(1 / (1 + 2 * 0.97725 / 0.053991), rel=1e-3)
