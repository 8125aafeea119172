"""The frontier of two objectives against all plans, one by one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from test_objectives import every_plan, largest_rate, on_each, sized

from dovetail.ir.distribution import Distribution
from dovetail.planner.placement.problem import PlacementProblem
from dovetail.planner.placement.search.clock import Clock
from dovetail.planner.placement.search.frontier import Frontier
from dovetail.planner.placement.search.frontier_rates import RateFrontier
from dovetail.planner.placement.search.rounds import Search
from dovetail.planner.placement.search.throughput import is_bounded

AXES = (("cost", "energy"), ("cost", "latency"), ("energy", "carbon"), ("latency", "carbon"))
CLOSE = 1e-3
"""Values this near each other count as equal: means stand on a grid."""
Values = tuple[float, float]


def certain(p: PlacementProblem) -> PlacementProblem:
    """The problem with every time at one value: means of maxima of random times are bounds and not exact."""
    options = tuple(
        replace(
            o,
            visits=tuple(
                replace(t, total=Distribution.point(t.total.mean), first=Distribution.point(t.first.mean))
                for t in o.visits
            ),
        )
        for o in p.options
    )
    return replace(p, options=options)


def not_dominated(values: set[Values]) -> list[Values]:
    kept: list[Values] = []
    for a, b in sorted(values):
        if not kept or b < kept[-1][1] * (1 - CLOSE):
            kept.append((a, b))
    return kept


def agrees(p: PlacementProblem, axes: tuple[str, str]) -> int:
    """Points of the frontier, which must be those that all plans leave."""
    expected = not_dominated({(found[axes[0]], found[axes[1]]) for _, found in every_plan(p)})
    frontier = Frontier(p, axes, Clock(None), most_points=1000)
    frontier.run()
    if not expected:
        assert frontier.infeasible
        return 0
    assert frontier.complete
    found = not_dominated({point.values for point in frontier.points})
    if frontier.axes != axes:
        found = not_dominated({(b, a) for a, b in found})
    assert len(found) == len(expected), (found, expected)
    for mine, theirs in zip(found, expected, strict=True):
        assert mine == pytest.approx(theirs, rel=CLOSE)
    return len(found)


@pytest.mark.parametrize(
    ("seeds", "several"), [(range(2000, 2030), 4), pytest.param(range(2030, 2430), 30, marks=pytest.mark.slow)]
)
def test_the_frontier_is_that_of_all_plans(
    seeds: range, several: int, random_problem: Callable[[int], PlacementProblem]
) -> None:
    def check(seed: int) -> int:
        return agrees(certain(sized(random_problem, seed)), AXES[seed % len(AXES)])

    found = on_each(seeds, check)
    assert sum(count >= 2 for count in found) >= several


def test_an_axis_that_is_none_is_refused(random_problem: Callable[[int], PlacementProblem]) -> None:
    for axes in (("cost", "cost"), ("cost", "throughput")):
        with pytest.raises(ValueError, match="no frontier of cost"):
            Frontier(random_problem(1), axes, Clock(None))


def test_no_time_gives_no_points_and_says_that_some_are_missing(
    random_problem: Callable[[int], PlacementProblem],
) -> None:
    frontier = Frontier(sized(random_problem, 2001), ("cost", "energy"), Clock(0.0))
    frontier.run()
    assert (frontier.points, frontier.complete, frontier.infeasible) == ([], False, False)


def without_calls(p: PlacementProblem) -> PlacementProblem:
    """The problem with devices as all that costs, so that a plan costs the same at any rate that it serves."""
    options = tuple(replace(o, usd_per_request=0.0) for o in p.options)
    transfers = tuple(replace(t, routes=tuple(replace(r, usd_per_request=0.0) for r in t.routes)) for t in p.transfers)
    devices = tuple(replace(d, usd_per_joule=0.0) for d in p.devices)
    return replace(p, options=options, transfers=transfers, devices=devices)


def rates_agree(p: PlacementProblem, other: str) -> bool:
    """Whether points of the frontier over rates, held against all plans, have other devices or placements."""
    frontier = RateFrontier(lambda rate: replace(p, rate_per_s=rate), other, Clock(None), most_points=4)
    frontier.run()
    if frontier.infeasible:
        assert (largest_rate(p) or 0.0) < 1e-5
    slack = 2 * CLOSE if other == "latency" else 3e-6
    for point in frontier.points:
        rate = point.served.rate
        assert rate is not None
        least = min(found[other] for _, found in every_plan(replace(p, rate_per_s=rate)))
        assert point.value == pytest.approx(least, rel=slack, abs=1e-9)
        more = replace(p, rate_per_s=max(rate * (1 + 2e-6), point.served.bound * (1 + 1e-9)))
        at_least = point.value if other == "cost" else point.value * (1 - slack)
        assert all(found[other] > at_least for _, found in every_plan(more))
    taken = [(p.result.devices, p.result.placements) for p in frontier.points]
    return any(each != taken[0] for each in taken[1:])


@pytest.mark.parametrize(
    ("seeds", "several"), [(range(2500, 2512), 4), pytest.param(range(2512, 2632), 30, marks=pytest.mark.slow)]
)
def test_the_frontier_over_rates_is_that_of_all_plans(
    seeds: range, several: int, random_problem: Callable[[int], PlacementProblem]
) -> None:
    def check(seed: int) -> bool:
        p = certain(sized(random_problem, seed))
        p = without_calls(p) if seed % 2 else p
        return is_bounded(p) and rates_agree(p, "latency" if seed % 3 == 0 else "cost")

    assert sum(on_each(seeds, check)) >= several


def test_what_falls_where_the_rate_grows_has_no_frontier_with_it(
    random_problem: Callable[[int], PlacementProblem],
) -> None:
    with pytest.raises(ValueError, match="no frontier of throughput and energy"):
        RateFrontier(lambda _: random_problem(1), "energy", Clock(None))


def test_points_without_a_proof_have_a_gap_and_leave_the_frontier_incomplete(
    random_problem: Callable[[int], PlacementProblem], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a search ends at its share of the time, its best plan is a point."""

    def unproved(self: Search) -> None:
        running(self)
        if self.best is not None:
            self.bound = self.value * 0.9

    running = Search.run
    monkeypatch.setattr(Search, "run", unproved)
    points = 0
    for seed in range(2001, 2009):
        frontier = Frontier(sized(random_problem, seed), ("cost", "energy"), Clock(60.0))
        frontier.run()
        assert not frontier.complete
        for point in frontier.points:
            assert point.result.status == "feasible"
            assert point.result.gap is not None
            assert 0 < point.result.gap <= 0.1 + 1e-9
            points += 1
    assert points > 1
