"""Laws of visits: by hand, against the fundamental matrix, and against every way through random workflows."""

from __future__ import annotations

import random

import numpy as np
import pytest

from dovetail.costmodel.visits import END, Chain, TooManyStates
from dovetail.ir.flow import FlowEdge, check_flow
from dovetail.planner.check.ways import Hop, TooManyWays, visit_probabilities, ways_through

LOOP = (FlowEdge("s", "a"), FlowEdge("a", "b"), FlowEdge("b", "a", 0.4, 3), FlowEdge("b", "c"))


def test_a_bounded_loop_by_hand() -> None:
    """b goes back with 0.4 at most three times: P(N >= 2) = 0.4, >= 3 is 0.16, >= 4 is 0.064."""
    visits = Chain("sabc", LOOP).visits()
    assert visits["b"].reached == pytest.approx((1, 0.4, 0.16, 0.064))
    assert visits["b"].law == pytest.approx((0, 0.6, 0.24, 0.096, 0.064))
    assert visits["a"].mean == pytest.approx(1.624)
    assert visits["c"].law == pytest.approx((0, 1))


def test_an_exhausted_edge_leaves_its_mass_in_proportion() -> None:
    """After one return, 0.2 and 0.3 of what is left to c and d are 0.4 and 0.6."""
    back, on = FlowEdge("b", "a", 0.5, 1), (FlowEdge("b", "c", 0.2), FlowEdge("b", "d", 0.3))
    visits = Chain("sabcd", (FlowEdge("s", "a"), FlowEdge("a", "b"), back, *on)).visits()
    assert visits["c"].mean == pytest.approx(0.2 + 0.5 * 0.4)
    assert visits["d"].mean == pytest.approx(0.3 + 0.5 * 0.6)


def test_a_join_is_visited_once() -> None:
    edges = tuple(FlowEdge(a, b) for a, b in ("ab", "ac", "bd", "cd"))
    assert Chain("abcd", edges).visits()["d"].law == pytest.approx((0, 1))


def test_branches_in_a_row_are_no_ways() -> None:
    """Thirty branches have 2^30 ways, and 91 states of nodes with the one that absorbs."""
    edges = [e for k in range(30) for e in (FlowEdge(f"a{k}", f"b{k}", 0.3), FlowEdge(f"a{k}", f"c{k}"))]
    edges += [FlowEdge(f"{x}{k}", f"a{k + 1}") for k in range(30) for x in "bc"]
    nodes = dict.fromkeys(end for edge in edges for end in (edge.source, edge.target))
    chain = Chain(list(nodes), edges)
    assert len(chain.moves) == 92
    assert chain.visits()["a30"].mean == pytest.approx(1)
    assert chain.visits()["b29"].mean == pytest.approx(0.3)


def test_entries_are_the_fundamental_matrix() -> None:
    chain = Chain("sabc", LOOP)
    states = [state for state in chain.moves if state != END]
    q = np.zeros((len(states), len(states)))
    for i, state in enumerate(states):
        for p, later in chain.moves[state]:
            if later != END:
                q[i, states.index(later)] += p
    row = np.linalg.inv(np.eye(len(states)) - q)[states.index(chain.start)]
    entered = chain.entered()
    assert [entered[state] for state in states] == pytest.approx(row)
    assert entered[END] == pytest.approx(1)
    assert chain.visits()["b"].mean == pytest.approx(sum(entered[s] for s in states if chain.next_node(s) == "b"))


def test_chains_without_end_in_sight_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dovetail.costmodel.visits.MOST_STATES", 5)
    with pytest.raises(TooManyStates, match="more than 5 states"):
        Chain("sabc", LOOP)


@pytest.mark.parametrize("seed", range(60))
def test_every_way_of_a_random_workflow_says_the_same(seed: int) -> None:
    nodes, edges = random_workflow(random.Random(seed))
    hops = [Hop(e.index, e.source, e.target, e.probability, e.max_visits, False, 0.0) for e in edges]
    try:
        ways = ways_through(nodes, hops)
    except TooManyWays:
        pytest.skip("too many ways to enumerate")
    reached = visit_probabilities(ways)
    for node, visits in Chain(nodes, edges).visits().items():
        assert visits.reached == pytest.approx(reached.get(node, []), abs=1e-9)


def random_workflow(r: random.Random) -> tuple[list[str], list[FlowEdge]]:
    """Forks, branches, joins and loops that the rules of workflows allow."""
    while True:
        nodes = [f"n{i}" for i in range(r.randint(2, 7))]
        edges = [
            FlowEdge(a, b, r.choice([None, None, 0.2, 0.3]), r.choice([None, 1, 2]) if j > i else r.randint(1, 3))
            for i, a in enumerate(nodes)
            for j, b in enumerate(nodes)
            if r.random() < (0.45 if j > i else 0.1)
        ]
        edges = [FlowEdge(e.source, e.target, e.probability, e.max_visits, k) for k, e in enumerate(edges)]
        if edges and not list(check_flow(nodes, edges)):
            return nodes, edges
