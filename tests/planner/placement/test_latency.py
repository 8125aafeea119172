"""Laws of whole requests where the parts of one visit depend on each other."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from dovetail.ir.distribution import Distribution
from dovetail.planner.placement.problem import (
    Bound,
    DeviceType,
    Option,
    Piece,
    PlacementProblem,
    Pool,
    Scenario,
    Step,
    VisitTime,
)
from dovetail.planner.placement.times.latency import Latencies
from dovetail.planner.placement.times.laws import Grid
from dovetail.planner.placement.times.summary import summarise

SLOW_OR_FAST = Distribution("samples", (0.1, 0.4))
PLAN = {"a.run": "g", "b.run": "g", "c.run": "g"}


def mixed(first: Distribution) -> PlacementProblem:
    """a streams into b, and c waits for its end; b and c take 50 and 60 ms."""
    times = {"a": VisitTime(first, SLOW_OR_FAST), "b": constant(0.05), "c": constant(0.06)}
    steps = (
        Step("a@1", ("a.run",), 1, ()),
        Step("b@1", ("b.run",), 1, (("a@1", True),)),
        Step("c@1", ("c.run",), 1, (("a@1", False),)),
    )
    return PlacementProblem(
        pieces=tuple(Piece(f"{n}.run", n, "run", 1.0) for n in times),
        pools=(Pool("g", "d", "d"),),
        options=tuple(Option(f"{n}.run", "g", (t,), load=0.0) for n, t in times.items()),
        devices=(DeviceType("d", 0, 1),),
        transfers=(),
        scenarios=(Scenario(1.0, steps, ("b@1", "c@1")),),
        bounds=(),
        rate_per_s=None,
    )


def constant(seconds: float) -> VisitTime:
    return VisitTime(Distribution.point(seconds), Distribution.point(seconds))


def test_first_output_of_the_same_law_as_the_end_is_the_end() -> None:
    """max(X + 0.05, X + 0.06) is X + 0.06, half the time 0.16 and half 0.46."""
    p = mixed(SLOW_OR_FAST)
    summary = summarise(p, PLAN)
    assert summary.end_to_end["mean"] == pytest.approx(0.31, rel=1e-6)
    assert summary.end_to_end["p50"] == pytest.approx(0.16, abs=1e-3)


def test_first_output_of_another_law_is_independent_of_the_end() -> None:
    """F is 0.1 or 0.39: b ends at 0.15 or 0.44 and never before a, c at 0.16 or 0.46; at 0.16 by half of half."""
    p = mixed(Distribution("samples", (0.1, 0.39)))
    grid = Latencies(p, Grid(1e-4, 8192))
    ((_, law),) = grid.laws("end_to_end", *grid.of_plan(PLAN))
    assert grid.grid.at_most(law, 0.161) == pytest.approx(0.25, abs=1e-9)
    assert grid.grid.at_most(law, 0.441) == pytest.approx(0.5, abs=1e-9)


def test_constant_caps_the_earliest_of_several_first_outputs() -> None:
    """Of several sinks one answers at 50 ms for sure: no percentile of the first output is above that."""
    p = mixed(SLOW_OR_FAST)
    scenario = p.scenarios[0]
    alone = Step("b@1", ("b.run",), 1, ())
    steps = (scenario.steps[0], alone, scenario.steps[2])
    p = PlacementProblem(**{**vars(p), "scenarios": (Scenario(1.0, steps, ("b@1", "c@1")),)})
    summary = summarise(p, PLAN)
    assert summary.first_output["p99"] == pytest.approx(0.05, abs=1e-9)
    assert summary.first_output["mean"] == pytest.approx(0.05, abs=1e-9)


def test_usual_times_are_told_beside_a_rare_outage_of_hours() -> None:
    """Nine of ten requests wait for nothing and take 0.16 or 0.46 s, the others wait 10,000 s on average."""
    p = mixed(SLOW_OR_FAST)
    a, *others = p.options
    outage = VisitTime(SLOW_OR_FAST, SLOW_OR_FAST, Distribution.wait(0.1, 10_000.0))
    percentile = Bound("end_to_end", "end_to_end", 50_000.0, percentile=0.4)
    p = replace(p, options=(replace(a, visits=(outage,)), *others), bounds=(percentile,))
    summary = summarise(p, PLAN)
    assert summary.end_to_end["p50"] == pytest.approx(0.46, abs=5e-3)
    assert summary.bounds["end_to_end"] == pytest.approx(0.16, abs=5e-3)
    assert summary.end_to_end["p95"] == pytest.approx(10_000 * math.log(2), rel=0.01)
    assert summary.end_to_end["p99"] == pytest.approx(10_000 * math.log(10), rel=0.01)
    assert summary.end_to_end["mean"] == pytest.approx(1000.31, rel=0.01)
