"""Unrolling: branches and loops become scenarios whose probabilities and orders are worked by hand."""

import pytest

from dovetail.planner.placement.problem import Scenario
from dovetail.planner.placement.times.unroll import Edge, Flow, TooManyScenarios, node_of, unroll


def expected_visits(scenarios: tuple[Scenario, ...]) -> dict[str, float]:
    """Node -> visits per request on average."""
    visits: dict[str, float] = {}
    for scenario in scenarios:
        for step in scenario.steps:
            visits[node_of(step)] = visits.get(node_of(step), 0.0) + scenario.probability
    return visits


def flow(*edges: Edge) -> Flow:
    nodes = dict.fromkeys(n for e in edges for n in (e.source, e.target))
    return Flow({n: (f"{n}.run",) for n in nodes}, edges)


def ids(scenario):
    return [step.id for step in scenario.steps]


def test_loop_gives_a_truncated_geometric_number_of_visits():
    loop = flow(
        Edge("hear", "think"),
        Edge("think", "search", probability=0.4, max_visits=3),
        Edge("search", "think"),
        Edge("think", "say"),
    )
    scenarios = unroll(loop)
    assert [s.probability for s in scenarios] == pytest.approx([0.6, 0.24, 0.096, 0.064])
    assert ids(scenarios[1]) == ["hear@1", "think@1", "search@1", "think@2", "say@1"]
    assert expected_visits(scenarios)["think"] == pytest.approx(1 + 0.4 + 0.16 + 0.064)


def test_join_waits_for_both_branches():
    (diamond,) = unroll(flow(Edge("a", "b"), Edge("a", "c"), Edge("b", "d"), Edge("c", "d", stream=True)))
    assert ids(diamond)[-1] == "d@1"
    assert diamond.steps[-1].after == (("b@1", False), ("c@1", True))
    assert diamond.sinks == ("d@1",)


def test_long_branch_is_awaited_by_the_join():
    (scenario,) = unroll(flow(Edge("a", "d"), Edge("a", "b"), Edge("b", "c"), Edge("c", "d")))
    assert ids(scenario) == ["a@1", "b@1", "c@1", "d@1"]


def test_marked_edges_exclude_each_other():
    scenarios = unroll(flow(Edge("a", "b", probability=0.7), Edge("a", "c", probability=0.3)))
    assert {s.sinks: round(s.probability, 9) for s in scenarios} == {("b@1",): 0.7, ("c@1",): 0.3}


def test_exhausted_edge_leaves_its_mass_in_proportion():
    retry = flow(
        Edge("a", "a", probability=0.5, max_visits=1),
        Edge("a", "b", probability=0.4),
        Edge("a", "c", probability=0.1),
    )
    # "a" follows itself, so it is no source of its own accord: give it one.
    start = Flow({"s": ("s.run",), **retry.pieces}, (Edge("s", "a"), *retry.edges))
    by_path = {tuple(ids(s)): s.probability for s in unroll(start)}
    assert by_path[("s@1", "a@1", "a@2", "b@1")] == pytest.approx(0.5 * 0.8)


def test_probabilities_sum_to_one_and_growth_is_refused():
    wide = flow(*(Edge("s", f"n{i}") for i in range(14)))
    forks = [Edge(f"n{i}", f"m{i}{j}", probability=0.5) for i in range(14) for j in "ab"]
    pieces = {n: (n,) for n in {e.source for e in (*wide.edges, *forks)} | {e.target for e in forks}}
    with pytest.raises(TooManyScenarios):
        unroll(Flow(pieces, (*wide.edges, *forks)))


def loop(probability: float, max_visits: int) -> Flow:
    back = Edge("c", "b", probability=probability, max_visits=max_visits)
    return flow(Edge("a", "b"), Edge("b", "c"), back, Edge("c", "d"))


def test_ways_that_hardly_any_request_takes_are_left_out():
    """0.5^39 is above 1e-12 and 0.5^40 below, and a way's last choice halves it once more."""
    scenarios = unroll(loop(0.5, 1000))
    assert len(scenarios) == 39
    assert sum(s.probability for s in scenarios) == pytest.approx(1.0, abs=1e-15)
    assert expected_visits(scenarios)["b"] == pytest.approx(2.0, rel=1e-9)


def test_too_many_visits_are_refused():
    with pytest.raises(TooManyScenarios, match="visits"):
        unroll(loop(0.999, 4000))
