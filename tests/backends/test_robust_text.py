"""What a plan over ranges says of them, in words."""

from __future__ import annotations

from typing import Any

import pytest

from dovetail.backends.robust_text import over_ranges

Json = dict[str, Any]


def plan(nominal: float, nominal_best: float, holds: bool) -> Json:
    """A plan over a range of rates that comes to 9 USD/h at worst."""
    own = {"holds": holds} | ({} if holds else {"broken": ["rate"], "at": {"workload.rate": 3.0}})
    robust = {
        "unit": "USD/h",
        "worst": 9.0,
        "nominal": nominal,
        "nominal_best": nominal_best,
        "price_of_robustness": max(0.0, nominal - nominal_best),
        "replicas_following": None,
        "corners_checked": 2,
        "all_corners": True,
        "nominal_plan": own,
    }
    rate = {"path": "workload.rate", "low": 1.0, "high": 3.0, "nominal": 2.0, "unit": "req/s", "worst": "high"}
    return {"robust": robust, "ranges": [rate]}


def test_what_it_costs_to_hold_everywhere() -> None:
    _, price, other = over_ranges(plan(8.0, 6.0, holds=False))
    assert price.endswith("where the best plan comes to 6.00 USD/h: to hold everywhere costs 2.00 USD/h (33 %) there")
    breaks = "does not hold: it breaks the rate of requests (rate) where workload.rate is 3 req/s"
    assert other == f"the best plan for the middle {breaks}"


@pytest.mark.parametrize("nominal", [6.0, 6.000001])
def test_another_plan_of_equal_cost_is_not_called_the_best(nominal: float) -> None:
    _, price, other = over_ranges(plan(nominal, 6.0, holds=False))
    assert price.endswith(
        "6.00 USD/h in the middle of the ranges, where no plan is better: to hold everywhere costs nothing"
    )
    assert other.startswith("a plan that comes to as much in the middle does not hold")


def test_a_plan_for_the_middle_that_holds() -> None:
    *_, other = over_ranges(plan(6.0, 6.0, holds=True))
    assert other == "the best plan for the middle holds over the ranges too"
