"""The simulation of requests, against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dovetail.ir.distribution import Distribution
from dovetail.planner.check.sampling import Drawn, Simulated, Times, simulate
from dovetail.planner.check.ways import Hop, Way, ways_through

Laws = dict[str, tuple[Distribution, Distribution]]
"""Node -> time to its first output, and from there to its end."""


def run(ways: list[Way], laws: Laws, hop_s: float = 0.0) -> Simulated:
    def draw(rng: np.random.Generator, node: str, nth: int, size: int) -> Drawn:
        first, rest = laws[node]
        start = first.sample(rng, size)
        return Drawn(start, start + rest.sample(rng, size))

    return simulate(ways, draw, lambda hop: hop_s)


def hop(number: int, source: str, target: str, probability: float | None = None, stream: bool = False) -> Hop:
    return Hop(number, source, target, probability, None, stream, 0.0)


def point(seconds: float) -> Distribution:
    return Distribution.point(seconds)


def test_sum_of_two_exponentials() -> None:
    """Erlang of order 2: mean 2, P(X > t) = (1 + t) exp(-t), which is 0.05 at t = 4.74386."""
    laws = {name: (Distribution.exponential(1.0), point(0.0)) for name in ("a", "b")}
    times = run(ways_through(["a", "b"], [hop(0, "a", "b")]), laws).end_to_end
    low, high = times.mean_interval()
    assert low < 2 < high
    assert high - low < 0.06
    low, high = times.quantile_interval(0.95)
    assert low < 4.74386 < high
    assert high - low < 0.25


def test_last_of_two_exponentials() -> None:
    """P(max <= t) = (1 - exp(-t))^2: the p-quantile is -ln(1 - sqrt(p)), the mean 1 + 1/2."""
    laws = {name: (Distribution.exponential(1.0), point(0.0)) for name in ("a", "b")}
    simulated = run(ways_through(["a", "b"], []), laws)
    low, high = simulated.end_to_end.mean_interval()
    assert low < 1.5 < high
    for p in (0.5, 0.99):
        low, high = simulated.end_to_end.quantile_interval(p)
        assert low < -math.log(1 - math.sqrt(p)) < high
    low, high = simulated.first_output.mean_interval()
    assert low < 0.5 < high


def test_mixture_of_ways() -> None:
    """1 s for three requests of four, 1 + 2 s for the fourth."""
    laws = {"a": (point(1.0), point(0.0)), "b": (point(0.0), point(0.0)), "c": (point(2.0), point(0.0))}
    ways = ways_through(["a", "b", "c"], [hop(0, "a", "b", 0.75), hop(1, "a", "c", 0.25)])
    times = run(ways, laws).end_to_end
    assert times.mean == pytest.approx(1.5)
    assert [times.quantile(p) for p in (0.5, 0.74, 0.76, 0.95)] == [1.0, 1.0, 3.0, 3.0]


def test_stream_starts_at_the_first_output_and_ends_no_sooner_than_its_source() -> None:
    laws = {"a": (point(1.0), point(4.0)), "b": (point(0.5), point(0.5))}
    simulated = run(ways_through(["a", "b"], [hop(0, "a", "b", stream=True)]), laws, hop_s=0.25)
    assert simulated.first_output.mean == pytest.approx(1.75)
    assert simulated.end_to_end.mean == pytest.approx(5.0)


def test_without_stream_the_transfer_follows_the_end() -> None:
    laws = {"a": (point(1.0), point(4.0)), "b": (point(0.5), point(0.5))}
    simulated = run(ways_through(["a", "b"], [hop(0, "a", "b")]), laws, hop_s=0.25)
    assert simulated.first_output.mean == pytest.approx(5.75)
    assert simulated.end_to_end.mean == pytest.approx(6.25)


def test_time_to_first_output_of_each_visit_is_its_own() -> None:
    laws = {"a": (point(1.0), point(4.0)), "b": (point(0.5), point(0.5))}
    waited = run(ways_through(["a", "b"], [hop(0, "a", "b")]), laws).waited
    assert {visit: times.mean for visit, times in waited.items()} == {("a", 1): 1.0, ("b", 1): 0.5}


def test_weighted_quantiles() -> None:
    times = Times(np.array([3.0, 1.0, 2.0]), np.array([0.25, 0.5, 0.25]))
    assert [times.quantile(p) for p in (0.0, 0.5, 0.51, 0.75, 1.0)] == [1.0, 1.0, 2.0, 2.0, 3.0]
    assert times.mean == pytest.approx(1.75)
