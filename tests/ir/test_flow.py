"""The rules of a graph's flow: each broken by the smallest graph that breaks it, and none by right ones."""

from __future__ import annotations

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.ir.flow import MOST_CYCLES, FlowEdge, FlowFault, check_flow


def faults(nodes: str, *edges: tuple[object, ...]) -> list[FlowFault]:
    """Faults of a graph with one-letter nodes; an edge is (ends, probability, max_visits)."""
    made = []
    for number, (ends, *rest) in enumerate(edges):
        probability, bound = (*rest, None, None)[:2]
        made.append(FlowEdge(str(ends)[0], str(ends)[1], probability, bound, number))  # type: ignore[arg-type]
    return list(check_flow(nodes, made))


def rules(found: list[FlowFault]) -> list[str]:
    return [fault.rule for fault in found]


@pytest.mark.parametrize(
    ("nodes", "edges"),
    [
        ("a", []),
        ("ab", [("ab",)]),
        ("abcd", [("ab",), ("ac",), ("bd",), ("cd",)]),
        ("abct", [("ab",), ("bc", 0.4, 3), ("cb",), ("bt",)]),
        ("abc", [("ab", 0.1), ("ac", 0.9)]),
        ("sab", [("sa",), ("aa", 0.5, 2), ("ab",)]),
        ("sabc", [("sa",), ("ab", 0.1), ("ac", 0.2), ("aa", 0.7, 4)]),
    ],
)
def test_right_graphs_have_no_fault(nodes: str, edges: list[tuple[object, ...]]) -> None:
    assert faults(nodes, *edges) == []


def test_c1_an_edge_to_nowhere() -> None:
    (fault,) = faults("ab", ("ab",), ("bx",))
    assert (fault.rule, fault.node, fault.edge) == ("C1", "x", 1)


def test_c1_an_edge_from_nowhere_to_nowhere_names_both() -> None:
    assert [fault.node for fault in faults("a", ("xy",))] == ["x", "y"]
    assert [fault.node for fault in faults("a", ("xx",))] == ["x"]


def test_c1_an_edge_that_stands_twice() -> None:
    assert rules(faults("ab", ("ab",), ("ab",))) == ["C1"]


def test_c2_too_much_and_too_little() -> None:
    assert rules(faults("abc", ("ab", 0.7), ("ac", 0.6))) == ["C2"]
    assert rules(faults("abc", ("ab", 0.3), ("ac", 0.6))) == ["C2"]
    assert faults("abc", ("ab", 0.3), ("ac",)) == []
    assert faults("abcd", ("ab", 0.1), ("ac", 0.2), ("ad", 0.7)) == []


def test_c3_a_cycle_without_a_bound_is_named_from_its_first_node() -> None:
    (fault,) = faults("sabct", ("sb",), ("bc",), ("ca",), ("ab",), ("ct",))
    assert fault.rule == "C3"
    assert "`a -> b -> c -> a`" in fault.message
    assert fault.edge == 2


def test_c3_each_disjoint_cycle_is_reported_once() -> None:
    edges = [("sa",), ("ab",), ("ba",), ("bc",), ("cd",), ("dc",), ("de",)]
    assert rules(faults("sabcde", *edges)) == ["C3", "C3"]


def test_c3_a_large_graph_of_cycles_is_answered_with_the_first_of_them() -> None:
    nodes = [f"n{i}" for i in range(2000)]
    edges = [FlowEdge(nodes[i], nodes[i ^ 1], index=i) for i in range(2000)]
    assert rules(list(check_flow(nodes, edges))).count("C3") == MOST_CYCLES


def test_c3_a_bound_anywhere_on_the_cycle_is_enough() -> None:
    assert faults("sabt", ("sa",), ("ab",), ("ba", None, 2), ("bt",)) == []


def test_c4_a_node_that_nothing_reaches() -> None:
    edges = [("ab",), ("cd",), ("dc", 0.5, 2), ("db",)]
    assert [fault.node for fault in faults("abcd", *edges)] == ["c", "d"]


def test_c4_a_node_beside_the_graph() -> None:
    assert [fault.node for fault in faults("abc", ("ab",))] == ["c"]


def test_c4_no_node_starts() -> None:
    assert rules(faults("abc", ("ab",), ("ba", 0.5, 2), ("bc",))) == ["C4"]


def test_c5_no_way_out() -> None:
    (fault,) = faults("sab", ("sa",), ("ab",), ("ba", None, 2))
    assert fault.rule == "C5"
    assert fault.node == "s"


NODES = "abcdef"
PAIRS = st.tuples(st.sampled_from(NODES), st.sampled_from(NODES), st.sampled_from([None, 2]))


@given(st.lists(PAIRS, max_size=12, unique_by=lambda edge: edge[:2]))
def test_cycles_reach_and_ends_agree_with_networkx(edges: list[tuple[str, str, int | None]]) -> None:
    found = list(check_flow(NODES, [FlowEdge(a, b, None, m, n) for n, (a, b, m) in enumerate(edges)]))
    graph, free = nx.DiGraph(), nx.DiGraph()
    graph.add_nodes_from(NODES)
    graph.add_edges_from((a, b) for a, b, _ in edges)
    free.add_edges_from((a, b) for a, b, bound in edges if bound is None)
    assert ("C3" in rules(found)) == (not nx.is_directed_acyclic_graph(free))
    starts = [n for n in NODES if graph.in_degree(n) == 0]
    reached = set(starts).union(*(nx.descendants(graph, s) for s in starts)) if starts else set(NODES[1:])
    unreached = {fault.node for fault in found if fault.rule == "C4" and "no edge" not in fault.message}
    assert unreached == set(NODES) - reached
    if "C3" not in rules(found):
        sinks = [n for n in NODES if graph.out_degree(n) == 0]
        ending = set(sinks).union(*(nx.ancestors(graph, s) for s in sinks))
        assert ("C5" in rules(found)) == (ending != set(NODES))
