"""Laws of times: exact where they should be, never understated elsewhere, near to what sampling gives."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import expon, gamma

from dovetail.ir.distribution import Distribution
from dovetail.planner.placement.problem import Option, Piece, PlacementProblem, Pool, Scenario, Step, VisitTime
from dovetail.planner.placement.times.latency import Latencies, ttft
from dovetail.planner.placement.times.laws import Grid, never_longer, quantile_of_mixture

LAWS = [
    Distribution.point(0.2),
    Distribution.exponential(0.3),
    Distribution.wait(0.4, 0.5),
    Distribution.lognormal_mean_p95(0.3, 0.6),
    Distribution("samples", (0.1, 0.2, 0.7)),
    Distribution("quantiles", (0.5, 0.2, 0.95, 0.8)),
    Distribution("quantiles", (0.0, 0.1, 1.0, 0.3)),
    Distribution.exponential(0.1).shifted(0.25),
]
DRAWS = 200_000


def standard_error(draws: np.ndarray, q: float) -> float:
    """How far a sampled quantile strays: the width of a band of 5 sigma in probability."""
    spread = 5 * math.sqrt(q * (1 - q) / len(draws))
    low, high = np.quantile(draws, [max(0.0, q - spread), min(1.0, q + spread)])
    return float(high - low)


@pytest.mark.parametrize("q", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("i", range(len(LAWS)))
def test_percentiles_of_sums_and_maxima_agree_with_sampling(i: int, q: float) -> None:
    a, b, c = LAWS[i], LAWS[(i + 1) % len(LAWS)], LAWS[(i + 3) % len(LAWS)]
    rng = np.random.default_rng(i)
    draws = np.maximum(a.sample(rng, DRAWS) + b.sample(rng, DRAWS), c.sample(rng, DRAWS))
    grid = Grid(12.0 / 8192, 8192)
    law = grid.maximum(grid.add(grid.law(a), grid.law(b)), grid.law(c))
    found = quantile_of_mixture([(1.0, law)], q, grid)
    strays = standard_error(draws, q)
    assert np.quantile(draws, q) - strays <= found <= np.quantile(draws, q) + strays + law.error_s


def test_the_sum_of_two_exponentials_is_an_erlang() -> None:
    grid = Grid(20.0 / 8192, 8192)
    law = grid.law(Distribution.exponential(1.0))
    both = grid.add(law, law)
    t = 4.7438645  # P(Erlang(2, 1) <= t) = 1 - exp(-t) (1 + t) = 0.95
    found = quantile_of_mixture([(1.0, both)], 0.95, grid)
    assert t - 1e-6 <= found <= t + both.error_s
    assert both.error_s <= 2 * 20.0 / 8192
    assert grid.mean_of(both) == pytest.approx(2.0)


@pytest.mark.parametrize("count", [1, 7, 64, 1000])
def test_many_short_times_in_a_row_are_hardly_rounded(count: int) -> None:
    """On one grid for all, as fine as their sum allows, a thousand would be found 60 % too late."""
    grid = Grid(1.25 * float(gamma.ppf(0.9, count)) / 1024, 1024)
    laws = [grid.law(Distribution.exponential(1.0))] * count
    while laws[1:]:
        laws = [*map(grid.add, laws[::2], laws[1::2]), *laws[len(laws) // 2 * 2 :]]
    (law,) = laws
    assert law.error_s <= 0.06 * count
    for q in (0.1, 0.5, 0.9):
        at = float(gamma.ppf(q, count))
        assert grid.at_most(law, at) <= q + 1e-9
        assert grid.at_best(law, at) >= q - 1e-9


def test_times_far_longer_than_others_meet_on_their_grid() -> None:
    grid = Grid(1e-3, 4096)
    short, long = grid.law(Distribution.exponential(1e-3)), grid.law(Distribution.exponential(0.3).shifted(0.5))
    assert short.halvings > long.halvings
    for law, exact in (
        (grid.add(short, long), lambda t: hypoexponential(t - 0.5, 1e-3, 0.3)),
        (grid.maximum(short, long), lambda t: expon.cdf(t, scale=1e-3) * expon.cdf(t, 0.5, 0.3)),
        (grid.minimum(short, long), lambda t: 1 - expon.sf(t, scale=1e-3) * expon.sf(t, 0.5, 0.3)),
        (grid.least((short, long)), lambda t: expon.cdf(t, scale=1e-3)),
        (
            grid.mixture((short, long), (0.3, 0.7)),
            lambda t: 0.3 * expon.cdf(t, scale=1e-3) + 0.7 * expon.cdf(t, 0.5, 0.3),
        ),
    ):
        for t in (1e-4, 1e-3, 0.01, 0.5, 0.55, 1.0, 2.0):
            assert grid.at_most(law, t) <= exact(t) + 1e-9
            assert grid.at_best(law, t) >= exact(t) - 1e-9


def hypoexponential(t: float, a: float, b: float) -> float:
    """P(A + B <= t) of two exponentials of means a and b."""
    return 1 - (b * math.exp(-t / b) - a * math.exp(-t / a)) / (b - a) if t > 0 else 0.0


def bridge() -> PlacementProblem:
    """A fork whose branches meet twice, which no series or parallel step reduces."""
    laws = {
        "a": Distribution.exponential(0.2),
        "b": Distribution.lognormal_mean_p95(0.3, 0.6),
        "c": Distribution("samples", (0.1, 0.5)),
        "d": Distribution.exponential(0.3),
        "e": Distribution.wait(0.5, 0.4),
    }
    none = Distribution.point(0.0)
    after = {"a": "", "b": "a", "c": "a", "d": "bc", "e": "c"}
    steps = tuple(Step(f"{n}@1", (n,), 1, tuple((f"{b}@1", False) for b in after[n])) for n in laws)
    return PlacementProblem(
        pieces=tuple(Piece(n, n, "run", 1.0) for n in laws),
        pools=(Pool("g", "x", "x"),),
        options=tuple(Option(n, "g", (VisitTime(none, d),), 0.0) for n, d in laws.items()),
        devices=(),
        transfers=(),
        scenarios=(Scenario(1.0, steps, ("d@1", "e@1")),),
        bounds=(),
        rate_per_s=None,
    )


@pytest.mark.parametrize("q", [0.5, 0.95])
def test_a_graph_that_does_not_reduce_is_never_understated(q: float) -> None:
    p = bridge()
    rng = np.random.default_rng(0)
    drawn = {o.piece: o.visits[0].total.sample(rng, DRAWS) for o in p.options}
    to_c = drawn["a"] + drawn["c"]
    draws = np.maximum(np.maximum(drawn["a"] + drawn["b"], to_c) + drawn["d"], to_c + drawn["e"])
    exact = Latencies(p, Grid(8.0 / 8192, 8192))
    laws = exact.laws("end_to_end", *exact.of_plan(dict.fromkeys("abcde", "g")))
    found = quantile_of_mixture(laws, q, exact.grid)
    strays = standard_error(draws, q)
    assert np.quantile(draws, q) - strays <= found <= np.quantile(draws, q) * 1.05 + strays


@pytest.mark.parametrize("first", LAWS)
def test_time_to_first_token_agrees_with_sampling(first: Distribution) -> None:
    wait = Distribution.wait(0.3, 0.2)
    o = Option("a", "g", (VisitTime(first, first, wait),), 0.0)
    rng = np.random.default_rng(1)
    draws = wait.sample(rng, DRAWS) + first.sample(rng, DRAWS)
    strays = standard_error(draws, 0.9)
    assert np.quantile(draws, 0.9) - strays <= ttft(o, 1, 0.9) <= np.quantile(draws, 0.9) * 1.002 + strays
    assert ttft(o, 1, None) == pytest.approx(first.mean + 0.06)


@pytest.mark.parametrize("a", LAWS)
@pytest.mark.parametrize("b", [*LAWS, *(d.scaled(1.5) for d in LAWS), *(d.shifted(0.1) for d in LAWS)])
def test_never_longer_is_true_only_of_stochastically_ordered_times(a: Distribution, b: Distribution) -> None:
    if never_longer(a, b):
        assert all(a.cdf(t) >= b.cdf(t) - 1e-12 for t in np.linspace(0, 5, 400))


def test_a_slower_copy_is_known_to_be_slower() -> None:
    proved = [never_longer(d, d.scaled(1.5)) for d in LAWS]
    assert proved.count(False) == 1  # quantiles that are extrapolated to 0 and 1 are left alone
