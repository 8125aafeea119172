"""Pools that go down when idle, against a simulation of each visit."""

from __future__ import annotations

import heapq
import math

import numpy as np
import pytest

from dovetail.costmodel.idle import billed, start_s, start_wait
from dovetail.costmodel.interruptions import RECOVERY_S
from dovetail.costmodel.queueing import wait
from dovetail.ir.fleet import DeviceSpec

VISITS = 120_000


def simulated(
    servers: int, arrivals_per_s: float, service_s: float, keep_alive_s: float, start_s: float, seed: int
) -> tuple[np.ndarray, float]:
    """Wait of each visit [s], and the share of the time that the pool is not down; one event after another."""
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.exponential(1 / arrivals_per_s, VISITS))
    services = rng.exponential(service_s, VISITS)
    free = [0.0] * servers  # when each slot is free again
    waits, down_s, ready, empty_at = np.empty(VISITS), 0.0, 0.0, -math.inf
    for k, (now, takes) in enumerate(zip(times, services, strict=True)):
        if now > empty_at + keep_alive_s:
            down_s += now - max(0.0, empty_at + keep_alive_s)
            ready = now + start_s
        begin = max(now, ready, heapq.heappop(free))
        heapq.heappush(free, begin + takes)
        empty_at = max(empty_at, begin + takes)
        waits[k] = begin - now
    return waits, 1 - down_s / times[-1]


CASES = {
    "seldom": (1, 0.005, 4.0, 60.0, 40.0),
    "half busy": (1, 0.1, 5.0, 10.0, 30.0),
    "no keep-alive": (1, 0.02, 10.0, 0.0, 90.0),
    "eight slots": (8, 0.05, 12.0, 30.0, 60.0),
    "many gather": (4, 0.2, 8.0, 5.0, 120.0),
}


@pytest.mark.parametrize("case", CASES)
def test_the_share_that_is_paid_for_is_that_of_a_simulation(case: str) -> None:
    servers, arrivals, service, keep_alive, start = CASES[case]
    _, up = simulated(*CASES[case], seed=1)
    assert billed(servers, arrivals * service, service, keep_alive, start) == pytest.approx(up, rel=0.02)


@pytest.mark.parametrize("case", CASES)
def test_no_visit_waits_longer_than_the_law_says(case: str) -> None:
    servers, arrivals, service, keep_alive, start = CASES[case]
    waits, _ = simulated(*CASES[case], seed=2)
    rng = np.random.default_rng(3)
    law = wait(servers, arrivals * service, service).sample(rng, 400_000)
    law = law + start_wait(arrivals, keep_alive, start).sample(rng, 400_000)
    for at in (0.01, 0.1 * start, 0.5 * start, 0.9 * start, start, 1.5 * start):
        seen, said = np.mean(waits > at), np.mean(law > at)
        noise = 5 * math.sqrt(said * (1 - said) / VISITS * (1 + 2 * arrivals * start)) + 2e-3
        assert seen <= said + noise
        if servers == 1:
            assert seen == pytest.approx(said, abs=noise)


def test_a_pool_that_is_never_idle_is_paid_for_all_the_time() -> None:
    assert billed(4, 1.0, 1.0, 60.0, 30.0) == pytest.approx(1.0)
    assert start_wait(1.0, 60.0, 30.0).mean == pytest.approx(0.0, abs=1e-20)


def test_a_pool_that_thousands_ask_while_it_is_kept_is_never_down() -> None:
    assert billed(3, 1.5, 0.3, 3600.0, 40.0) == 1.0
    assert start_wait(5.0, 3600.0, 40.0).mean == 0.0


def test_a_pool_that_is_hardly_asked_is_hardly_paid_for() -> None:
    assert billed(4, 1e-6, 1.0, 60.0, 30.0) == pytest.approx(1e-6 * (30 + 60 + 1), rel=1e-3)
    cold = start_wait(1e-6, 60.0, 30.0)
    assert (cold.quantile(0.5), cold.mean) == (30.0, pytest.approx(30.0, rel=1e-3))


def test_a_start_takes_what_the_fleet_says() -> None:
    assert start_s(DeviceSpec("d", cold_start_s=7.0), None, 1e9, 2) == 7.0
    assert start_s(DeviceSpec("d"), None, 0.0, 1) == RECOVERY_S
    assert start_s(DeviceSpec("d", recovery_s=10.0), None, 17e9, 2) == pytest.approx(10 + 20 + 34)


def test_a_pool_that_never_empties_is_paid_for_all_the_time() -> None:
    assert billed(4, 2.0, 1.0, 3600.0, 60.0) == 1.0
    assert billed(2048, 1800.0, 10.0, 0.001, 1.0) == 1.0
