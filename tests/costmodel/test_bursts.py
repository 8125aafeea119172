"""Memory of calls that burst: by hand, and against a simulation of calls in flight."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import poisson

from dovetail.costmodel.bursts import burst_bytes

GIB = 2.0**30


def test_by_hand() -> None:
    # 0.6 calls in flight, a fifth of each at its peak: Poisson of 0.12, P(N <= 1) = 0.9933, P(N <= 2) = 0.9997
    assert burst_bytes(0.2 * GIB, GIB, 0.6, 99) == GIB
    assert burst_bytes(0.2 * GIB, GIB, 0.6, 99.9) == 2 * GIB


def test_one_call_at_its_peak_always_fits() -> None:
    assert burst_bytes(1.0, GIB, 0.0) == GIB
    assert burst_bytes(0.0, 0.0, 5.0) == 0.0


@given(st.floats(0.01, 5000), st.sampled_from([50.0, 90.0, 99.0, 99.9, 99.99]))
def test_the_quantiles_are_those_of_the_poisson_law(in_flight: float, percentile: float) -> None:
    expected = max(1, poisson.ppf(percentile / 100, in_flight))
    assert burst_bytes(1.0, 1.0, in_flight, percentile) == pytest.approx(expected, abs=1 + 1e-4 * in_flight)


def test_against_calls_that_come_and_go() -> None:
    """20 calls/s of 1 s each; each starts with its peak, for a fifth of its time."""
    rng = np.random.default_rng(7)
    starts = np.cumsum(rng.exponential(1 / 20, 200_000))
    moments = rng.uniform(10, starts[-1] - 10, 20_000)
    at_peak = np.searchsorted(starts, moments) - np.searchsorted(starts, moments - 0.2)
    covered = float(np.mean(at_peak * GIB <= burst_bytes(0.2 * GIB, GIB, 20, 99)))
    assert 0.985 <= covered <= 0.999
