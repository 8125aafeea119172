"""M/M/n: Erlang's formulas against their sums, and the capacity against its definition."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dovetail.costmodel.queueing import capacity, erlang_b, erlang_c, wait


def erlang_c_by_its_sum(n: int, a: float) -> float:
    """(a^n / n! x n/(n-a)) / (sum over k < n of a^k / k!  +  the same), in logarithms."""
    terms = [math.exp(k * math.log(a) - math.lgamma(k + 1)) for k in range(n + 1)]
    waits = terms[n] * n / (n - a)
    return waits / (math.fsum(terms[:n]) + waits)


def test_erlang_b_by_hand() -> None:
    assert erlang_b(1, 1.0) == pytest.approx(1 / 2)
    assert erlang_b(2, 1.0) == pytest.approx(1 / 5)  # (1/2) / (1 + 1 + 1/2)
    assert erlang_b(3, 0.0) == 0


def test_ten_erlangs_on_fourteen_servers() -> None:
    # The usual worked example of call centres: 17.4 % wait, and 88.8 % are served within 20 s of calls of 180 s.
    assert erlang_c(14, 10) == pytest.approx(0.174, abs=5e-4)
    assert wait(14, 10, 180).cdf(20) == pytest.approx(0.888, abs=1e-3)


@given(st.integers(1, 120), st.floats(0.001, 0.999))
def test_erlang_c_is_its_sum(servers: int, rho: float) -> None:
    assert erlang_c(servers, rho * servers) == pytest.approx(erlang_c_by_its_sum(servers, rho * servers), rel=1e-9)


def test_one_server_waits_with_probability_rho() -> None:
    assert erlang_c(1, 0.7) == pytest.approx(0.7)
    assert wait(1, 0.7, 2.0).mean == pytest.approx(0.7 * 2.0 / 0.3)


def test_a_pool_that_is_too_small_waits_for_ever() -> None:
    assert erlang_c(4, 4) == 1
    with pytest.raises(ValueError, match="4 erlangs on 4 servers"):
        wait(4, 4, 1.0)


@settings(max_examples=60)
@given(st.integers(1, 64), st.integers(1, 12), st.floats(0.01, 1.0), st.floats(0.1, 8.0))
def test_capacity_is_the_largest_load_whose_waits_hold(slots: int, replicas: int, p: float, mean: float) -> None:
    servers = slots * replicas

    def holds(load: float) -> bool:
        offered = load * slots
        return offered < servers and erlang_c(servers, offered) <= p and 1 / (servers - offered) <= mean

    found = capacity(slots, replicas, p, mean)
    if found == 0:
        assert 1 / servers >= mean
    else:
        assert holds(found * (1 - 1e-5))
        assert not holds(found * (1 + 1e-5) + 1e-7)


@given(st.integers(1, 32), st.integers(1, 8))
def test_capacity_grows_faster_than_the_replicas(slots: int, replicas: int) -> None:
    one, more = capacity(slots, replicas, 0.05, 0.5), capacity(slots, replicas + 1, 0.05, 0.5)
    assert one / replicas <= more / (replicas + 1) + 1e-6
    assert more < replicas + 1
