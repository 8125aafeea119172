"""Certainty equivalents and the rows that they stand in, (72)."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from dovetail.ir.distribution import Distribution
from dovetail.planner.placement.problem import PlacementProblem
from dovetail.planner.placement.search.clock import NO_LIMIT, Clock
from dovetail.planner.placement.search.rounds import Known, Search
from dovetail.planner.placement.search.solve import solve
from dovetail.planner.placement.search.tightened import has_percentiles, tightened
from dovetail.planner.placement.times.tilted import certain

LAWS = (
    Distribution.exponential(2.0),
    Distribution.wait(0.3, 2.0).shifted(0.5),
    Distribution.lognormal_mean_p95(1.0, 2.5),
    Distribution.repeats(0.4, 1.5),
    Distribution("samples", (0.5, 1.0, 4.0)),
    Distribution("quantiles", (0.0, 0.2, 0.5, 1.0, 1.0, 3.0)),
)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.kind)
@pytest.mark.parametrize("tilt", [0.05, 0.5, 5.0])
def test_certainty_equivalent_is_that_of_many_draws_and_never_above(law: Distribution, tilt: float) -> None:
    drawn = law.sample(np.random.default_rng(1), 400_000)
    expected = np.exp(-tilt * drawn)
    exact = -math.log(float(np.mean(expected))) / tilt
    noise = float(np.std(expected) / np.mean(expected)) / math.sqrt(len(drawn)) / tilt
    assert exact - 4 * noise - 0.01 / tilt <= certain(law, tilt) <= exact + 4 * noise
    assert law.minimum <= certain(law, tilt) <= law.mean


@pytest.mark.parametrize("law", [*LAWS, Distribution.wait(1.0, 2.0)], ids=lambda law: law.kind)
@pytest.mark.parametrize("tilt", [1e6, 1e24])
def test_where_nothing_may_be_late_a_time_counts_as_its_least_value(law: Distribution, tilt: float) -> None:
    """Ways that hardly vary have tilts as large."""
    assert law.minimum <= certain(law, tilt) <= law.minimum + 100 / tilt + 0.01


def test_constant_is_itself() -> None:
    assert certain(Distribution.point(3.0), 0.1) == 3.0


def test_rows_lose_no_plan_that_keeps_its_bounds(random_problem: Callable[[int], PlacementProblem]) -> None:
    """The optimum with the rows from the beginning is that of the search, which adds them when a plan is late."""
    compared = tightest = 0
    for p in filter(has_percentiles, map(random_problem, range(500, 700))):
        result = solve(p)
        search = Search(p, "highs", NO_LIMIT, known=Known(is_tight=True))
        search.run()
        assert search.infeasible == (result.status == "infeasible")
        if result.objective is not None:
            assert search.value == pytest.approx(result.objective, rel=1e-6)
            compared += 1
            found = tightened(p, "highs", Clock(None))
            assert found.plan is None or found.value >= result.objective * (1 - 1e-9)
            tightest += found.plan is not None
    assert compared >= 30
    assert tightest >= 25
