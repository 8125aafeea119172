"""Availability, repeats and outages held against hand figures and against a simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dovetail.costmodel.interruptions import NEVER, Interruptions, interruptions_of, outage
from dovetail.ir.distribution import Distribution
from dovetail.ir.fleet import DeviceSpec, PriceSpec

SPOT = DeviceSpec("s", price=PriceSpec(rent_usd_per_hour=1.0, interruptions_per_hour=0.5), recovery_s=100.0)


def test_a_replica_of_more_devices_is_interrupted_more_often() -> None:
    """Two devices at 0.5 an hour: once an hour; 100 s + 44 s of down time: 3600 / 3744 up."""
    found = interruptions_of(SPOT, None, weight_bytes=8.5e9, devices=2)
    assert found.per_s * 3600 == pytest.approx(1.0)
    assert found.down_s == pytest.approx(100 + 17e9 / 1.7e9 + 34)
    assert found.availability == pytest.approx(3600 / 3744)


def test_what_is_not_taken_back_is_always_up() -> None:
    assert interruptions_of(DeviceSpec("d", price=PriceSpec(rent_usd_per_hour=1.0)), None) == NEVER
    assert NEVER.availability == 1
    assert NEVER.repeated_s(3.0, 5.0) == 3.0
    assert NEVER.lost(3.0, 5.0) == Distribution.point(0.0)


def test_repeats_are_as_simulated() -> None:
    """Tries of 10 s against Poisson interruptions, every failed try counted whole."""
    rng, found = np.random.default_rng(1), Interruptions(0.03, 60.0)
    failures = np.zeros(200_000)
    trying = np.full(failures.shape, True)
    while trying.any():
        trying &= rng.exponential(1 / found.per_s, failures.shape) < 10.0
        failures += trying
    lost = found.lost(10.0, 12.0)
    assert lost.mean == pytest.approx(12 * failures.mean(), rel=0.02)
    assert lost.variance == pytest.approx(144 * failures.var(), rel=0.05)
    assert found.repeated_s(10.0, 12.0) == pytest.approx(10 + lost.mean)
    for tries in (0, 1, 2, 3):
        assert lost.cdf(12.0 * tries) == pytest.approx(np.mean(failures <= tries), abs=0.003)
        assert lost.cdf(12.0 * tries - 0.01) == pytest.approx(np.mean(failures < tries), abs=0.003)
    assert lost.sample(rng, 100_000).mean() == pytest.approx(lost.mean, rel=0.03)


@pytest.mark.parametrize("q", [0.0, 0.5, 0.7, 0.75, 0.9, 0.999])
def test_the_quantile_of_repeats_is_where_its_distribution_function_gets_there(q: float) -> None:
    law = Distribution.repeats(0.3, 2.0)
    at = law.quantile(q)
    assert law.cdf(at) >= q - 1e-12
    assert at == 0 or law.cdf(at - 2.0) < q
    assert law.scaled(3.0).quantile(q) == pytest.approx(3 * at)


@pytest.mark.parametrize(("probability", "value"), [(1.0, 2.0), (-0.1, 2.0), (0.5, math.inf)])
def test_repeats_that_never_end_are_refused(probability: float, value: float) -> None:
    with pytest.raises(ValueError, match="repeats"):
        Distribution.repeats(probability, value)


def test_an_outage_of_one_replica_strikes_all_that_queue_for_it() -> None:
    """Up 90 % of the time, half busy: a share 0.1 / (1 - 0.5) waits, 300 s on average."""
    assert outage(1, 1, 0.5, 0.9, 300.0).params == pytest.approx((0.2, 300.0))


def test_one_replica_to_spare_makes_outages_rare() -> None:
    """Two replicas, one is enough: both down in 0.01, at a utilisation of 0.25."""
    assert outage(2, 1, 0.5, 0.9, 300.0).params[0] == pytest.approx(0.01 / 0.75)
    assert outage(2, 1, 1.5, 0.9, 300.0).params[0] == pytest.approx(0.19 / 0.25)


def test_there_is_no_outage_without_load_or_interruptions() -> None:
    assert outage(3, 8, 0.0, 0.9, 300.0) == outage(3, 8, 5.0, 1.0, 300.0) == Distribution.point(0.0)


def test_the_wait_for_a_single_server_is_about_what_a_simulated_one_makes_wait() -> None:
    """A server that fails on average every 1,000 s for 100 s, fed with Poisson arrivals at half its rate."""
    rng, found = np.random.default_rng(2), Interruptions(1e-3, 100.0)
    arrivals = np.cumsum(rng.exponential(2.0, 400_000))
    fails = np.cumsum(rng.exponential(1000.0, 2_000) + 100.0)
    free, late, which = 0.0, 0, 0
    for at in arrivals:
        start = max(at, free)
        while which < len(fails) and fails[which] <= start + 1.0:
            start = max(start, fails[which] + rng.exponential(100.0))
            which += 1
        free = start + 1.0
        late += start - at > 50.0
    law = outage(1, 1, 0.5 / found.availability, found.availability, found.down_s)
    assert 1 - law.cdf(50.0) == pytest.approx(late / len(arrivals), rel=0.1)
