"""Distributions: moments, quantiles and samples of each kind agree with each other and with hand-worked figures."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.ir.distribution import LARGEST_P95_OVER_MEAN, Distribution

EXAMPLES = [
    Distribution.point(0.3),
    Distribution.lognormal_mean_p95(0.3, 0.9),
    Distribution.lognormal_p50_p95(2.0, 3.0),
    Distribution.exponential(1.5),
    Distribution.wait(0.3, 2.0),
    Distribution("quantiles", (0.1, 1.0, 0.5, 2.0, 0.95, 6.0)),
    Distribution("quantiles", (0.5, 2.0)),
    Distribution("samples", (3.0, 1.0, 2.0, 2.0)),
    Distribution.exponential(1.5).shifted(0.5),
]
IDS = [f"{d.kind}-{n}" for n, d in enumerate(EXAMPLES)]
POSITIVE = st.floats(min_value=1e-3, max_value=1e3)


def test_lognormal_of_mean_and_p95_by_hand() -> None:
    """sigma = 1.644854 - sqrt(2.705543 - 2 ln 3) = 0.931889; mu = ln 0.3 - 0.931889^2 / 2 = -1.638181."""
    mu, sigma = Distribution.lognormal_mean_p95(0.3, 0.9).params
    assert sigma == pytest.approx(0.931889, abs=1e-6)
    assert mu == pytest.approx(-1.638181, abs=1e-6)


@given(POSITIVE, st.floats(min_value=1.0, max_value=3.86))
def test_lognormal_has_the_mean_and_p95_that_were_asked_for(mean: float, ratio: float) -> None:
    made = Distribution.lognormal_mean_p95(mean, mean * ratio)
    assert made.mean == pytest.approx(mean)
    assert made.quantile(0.95) == pytest.approx(mean * ratio)


def test_the_largest_p95_over_mean() -> None:
    assert round(LARGEST_P95_OVER_MEAN, 3) == 3.868
    assert Distribution.lognormal_mean_p95(1.0, 3.868).quantile(0.95) == pytest.approx(3.868)
    for p95 in (0.99, 3.87):
        with pytest.raises(ValueError, match="no lognormal"):
            Distribution.lognormal_mean_p95(1.0, p95)


def test_lognormal_of_median_and_p95() -> None:
    made = Distribution.lognormal_p50_p95(2.0, 3.0)
    assert made.quantile(0.5) == pytest.approx(2.0)
    assert made.quantile(0.95) == pytest.approx(3.0)


def test_moments_by_hand() -> None:
    assert Distribution.exponential(2.0).variance == 4.0
    # 0.3 Exp(2): mean 0.6, E[X^2] = 0.3 x 8 = 2.4, variance 2.4 - 0.36
    assert Distribution.wait(0.3, 2.0).mean == pytest.approx(0.6)
    assert Distribution.wait(0.3, 2.0).variance == pytest.approx(2.04)
    # uniform on 0..2
    uniform = Distribution("quantiles", (0.0, 0.0, 1.0, 2.0))
    assert (uniform.mean, uniform.variance) == pytest.approx((1.0, 1 / 3))
    assert Distribution("samples", (1.0, 2.0, 3.0)).variance == pytest.approx(2 / 3)


@pytest.mark.parametrize("law", EXAMPLES, ids=IDS)
def test_moments_agree_with_samples(law: Distribution) -> None:
    """Within five standard errors (and a wide margin for the variance of heavy tails)."""
    drawn = law.sample(np.random.default_rng(7), 200_000)
    assert drawn.mean() == pytest.approx(law.mean, abs=5 * math.sqrt(law.variance / drawn.size) + 1e-12)
    assert drawn.var() == pytest.approx(law.variance, rel=0.1, abs=1e-12)
    assert drawn.min() >= law.minimum - 1e-12


@pytest.mark.parametrize("law", EXAMPLES, ids=IDS)
def test_cdf_agrees_with_samples(law: Distribution) -> None:
    drawn = law.sample(np.random.default_rng(11), 100_000)
    for t in np.quantile(drawn, [0.1, 0.5, 0.9]):
        assert law.cdf(float(t) + 1e-9) == pytest.approx(np.mean(drawn <= t + 1e-9), abs=0.01)


@pytest.mark.parametrize("law", EXAMPLES, ids=IDS)
@given(q=st.floats(min_value=0.001, max_value=0.999))
def test_a_quantile_is_the_least_value_that_is_reached_so_often(law: Distribution, q: float) -> None:
    t = law.quantile(q)
    assert law.cdf(t + 1e-9) >= q - 1e-9
    if t > law.minimum:
        assert law.cdf(t - 1e-6 * max(1.0, t)) <= q + 1e-9


@pytest.mark.parametrize("law", EXAMPLES, ids=IDS)
@given(factor=st.floats(min_value=0.01, max_value=100), by=st.floats(min_value=0, max_value=10))
def test_scaling_and_shifting(law: Distribution, factor: float, by: float) -> None:
    moved = law.scaled(factor).shifted(by)
    assert moved.mean == pytest.approx(factor * law.mean + by)
    assert moved.variance == pytest.approx(factor**2 * law.variance, rel=1e-9, abs=1e-12)
    assert moved.quantile(0.9) == pytest.approx(factor * law.quantile(0.9) + by)


def test_nothing_is_left_when_scaled_by_zero() -> None:
    assert Distribution.exponential(2.0).scaled(0.0) == Distribution.point(0.0)


def test_ends_of_quantiles() -> None:
    law = Distribution("quantiles", (0.1, 1.0, 0.5, 2.0, 0.95, 6.0))
    assert law.quantile(0.5) == 2.0
    assert law.quantile(0.0) == law.minimum == pytest.approx(0.75)  # 1 - 0.1 x (2 - 1) / 0.4
    assert law.quantile(1.0) == pytest.approx(6.0 + 0.05 * 4.0 / 0.45)
    assert Distribution.exponential(1.0).quantile(1.0) == math.inf
    with pytest.raises(ValueError, match="outside"):
        law.quantile(1.1)


def test_extrapolated_quantiles_are_never_negative() -> None:
    """From (0.5, 1) to (0.9, 9) the line would start at -9; the mass below 0 is put at 0."""
    law = Distribution("quantiles", (0.5, 1.0, 0.9, 9.0))
    assert law.minimum == 0.0
    assert law.quantile(0.2) == 0.0
    assert law.quantile(0.5) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("kind", "params", "fault"),
    [
        ("gamma", (1.0,), "the kinds are"),
        ("point", (1.0, 2.0), "2 parameters"),
        ("samples", (), "0 parameters"),
        ("exponential", (-1.0,), "negative"),
        ("lognormal", (0.0, -0.1), "negative"),
        ("point", (math.nan,), "not finite"),
        ("wait", (1.2, 1.0), "over 1"),
        ("quantiles", (0.5, 1.0, 0.5, 2.0), "do not rise"),
        ("quantiles", (0.5, 2.0, 0.9, 1.0), "fall"),
        ("quantiles", (0.5,), "pairs"),
    ],
)
def test_what_is_no_distribution(kind: str, params: tuple[float, ...], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        Distribution(kind, params)


def test_a_shift_may_not_make_it_negative() -> None:
    with pytest.raises(ValueError, match="negative"):
        Distribution.point(1.0).shifted(-2.0)
    assert Distribution.point(3.0).shifted(-2.0).mean == 1.0
