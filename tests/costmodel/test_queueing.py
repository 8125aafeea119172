"""M/M/n: Erlang's formulas against their sums, and the capacity against its definition."""

from __future__ import annotations

import heapq
import math
import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dovetail.costmodel.queueing import capacity, class_wait, erlang_b, erlang_c, tail_rate, wait, worst_class_wait


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


LOADS = ([0.5, 0.3], [0.1, 0.8], [0.7, 0.15], [0.2, 0.3, 0.35], [0.45, 0.05])
"""Of each class, the highest first, as shares of all servers."""


def classes(loads: list[float]) -> list[tuple[float, float]]:
    """Before and up to each class."""
    return list(pairwise([0.0, *(sum(loads[: k + 1]) for k in range(len(loads)))]))


def simulated(servers: int, loads: list[float], visits: int, seed: int) -> list[list[float]]:
    """Waits of each class where services take 1 on average and the highest class goes first: event by event."""
    r, now, number = random.Random(seed), 0.0, 0
    waits: list[list[float]] = [[] for _ in loads]
    ends: list[float] = []
    line: list[tuple[int, int, float]] = []
    total = sum(loads) * servers
    arrival = r.expovariate(total)
    while number < visits:
        if ends and ends[0] < arrival:
            now = heapq.heappop(ends)
        else:
            now, number = arrival, number + 1
            heapq.heappush(line, (r.choices(range(len(loads)), loads)[0], number, now))
            arrival = now + r.expovariate(total)
        while line and len(ends) < servers:
            own, _, came = heapq.heappop(line)
            waits[own].append(now - came)
            heapq.heappush(ends, now + r.expovariate(1.0))
    return waits


@pytest.mark.parametrize("loads", LOADS)
def test_no_class_waits_longer_than_its_law(loads: list[float]) -> None:
    servers = 3
    made = simulated(servers, loads, 60_000, 1)
    for (before, upto), waits in zip(classes(loads), made, strict=True):
        law = class_wait(servers, sum(loads) * servers, before * servers, upto * servers, 1.0)
        for t in (0.0, 0.2, 1.0, 3.0, 8.0):
            seen = sum(wait > t for wait in waits) / len(waits)
            # Waits of one busy time are alike: their number is far less than that of visits.
            error = 4 * math.sqrt(seen * (1 - seen) / len(waits) * 40) + 1e-3
            assert seen <= 1 - law.cdf(t) + error
            if not before:
                assert seen == pytest.approx(1 - law.cdf(t), abs=error)


@pytest.mark.parametrize("loads", LOADS)
def test_the_mean_of_a_law_is_never_below_cobhams(loads: list[float]) -> None:
    probability = erlang_c(3, 3 * sum(loads))
    for before, upto in classes(loads):
        cobham = probability / (3 * (1 - before) * (1 - upto))
        law = class_wait(3, 3 * sum(loads), 3 * before, 3 * upto, 1.0)
        assert law.mean >= cobham * (1 - 1e-9)
        if not before:
            assert law.mean == pytest.approx(cobham)


@given(st.floats(0, 0.98), st.floats(1e-6, 1.0), st.floats(0, 1.0))
def test_the_tail_of_a_class_is_the_first_singularity_of_its_transform(before: float, own: float, less: float) -> None:
    upto = before + own * (0.99 - before)
    rate, branch = tail_rate(before, upto), (1 - math.sqrt(before)) ** 2
    assert 0 < rate <= branch * (1 + 1e-9)

    def denominator(z: float) -> float:
        b = 1 + before + z
        busy = (b - math.sqrt(max(0.0, b * b - 4 * before))) / (2 * before) if before > 1e-9 else 1 / (1 + z)
        return 1 - upto + z + before * (1 - busy)

    assert denominator(-rate * (1 - 1e-6)) > -1e-9
    if rate < branch * (1 - 1e-6):
        assert denominator(-rate) == pytest.approx(0, abs=1e-5)
    assert tail_rate(before * less, upto) >= rate * (1 - 1e-9)
    assert tail_rate(before, before + (upto - before) * less) >= rate * (1 - 1e-9)


@given(st.integers(1, 40), st.floats(0.01, 0.99), st.floats(0, 1), st.floats(0, 1))
def test_a_law_for_any_classes_is_longer_than_that_of_each(servers: int, rho: float, before: float, own: float) -> None:
    load = rho * servers
    upto = before * load + own * (load - before * load)
    any_class = worst_class_wait(servers, load, erlang_c(servers, load), 1.0)
    assert class_wait(servers, load, before * load, upto, 1.0).mean <= any_class.mean * (1 + 1e-9)


def test_classes_of_a_pool_that_is_too_small_wait_for_ever() -> None:
    with pytest.raises(ValueError, match="4 erlangs on 4 servers"):
        class_wait(4, 4, 1, 2, 1.0)
