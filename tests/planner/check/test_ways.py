"""Ways through a workflow, their probabilities and visits, against numbers worked by hand."""

from __future__ import annotations

import pytest

from dovetail.planner.check.ways import (
    Hop,
    TooManyWays,
    visit_probabilities,
    visits_per_request,
    ways_through,
)


def hops(*edges: tuple[str, str] | tuple[str, str, float] | tuple[str, str, float | None, int]) -> list[Hop]:
    """Edges as (source, target, probability, max_visits), the last two optional; each has its own number."""
    found = []
    for number, edge in enumerate(edges):
        source, target, probability, most = (*edge, None, None)[:4]
        found.append(Hop(number, source, target, probability, most, False, 0.0))  # type: ignore[arg-type]
    return found


def test_loop_with_three_visits_at_most() -> None:
    """think leads to search with 0.4, three times at most: 1, 0.4, 0.16, 0.064 of requests think again."""
    edges = hops(("hear", "think"), ("think", "search", 0.4, 3), ("search", "think"), ("think", "say"))
    ways = ways_through(["hear", "think", "search", "say"], edges)
    assert sorted(way.probability for way in ways) == pytest.approx([0.064, 0.096, 0.24, 0.6])
    assert visit_probabilities(ways)["think"] == pytest.approx([1, 0.4, 0.16, 0.064])
    assert visits_per_request(ways) == pytest.approx({"hear": 1, "think": 1.624, "search": 0.624, "say": 1})


def test_mass_of_a_used_up_edge_goes_to_the_others_in_proportion() -> None:
    edges = hops(("s", "a"), ("a", "b", 0.5, 1), ("a", "c", 0.2), ("a", "d", 0.3), ("b", "a"))
    ways = ways_through(["s", "a", "b", "c", "d"], edges)
    assert visits_per_request(ways) == pytest.approx({"s": 1, "a": 1.5, "b": 0.5, "c": 0.4, "d": 0.6})


def test_unmarked_edges_are_taken_together_and_joined() -> None:
    ways = ways_through(["a", "b", "c", "d"], hops(("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")))
    assert len(ways) == 1
    assert [visit.node for visit in ways[0].visits] == ["a", "b", "c", "d"]
    assert [position for position, _ in ways[0].visits[3].after] == [1, 2]
    assert ways[0].ends == (3,)


def test_unmarked_edges_take_the_rest_of_the_mass() -> None:
    ways = ways_through(["a", "b", "c", "d"], hops(("a", "b", 0.25), ("a", "c"), ("a", "d")))
    assert {tuple(v.node for v in way.visits): way.probability for way in ways} == {
        ("a", "b"): 0.25,
        ("a", "c", "d"): 0.75,
    }


def test_join_waits_only_for_what_may_still_come() -> None:
    """b may be skipped: d starts after c alone, or after b and c."""
    ways = ways_through(["a", "b", "c", "d"], hops(("a", "b", 0.5), ("a", "c", 0.5), ("b", "c"), ("c", "d")))
    assert sorted(tuple(v.node for v in way.visits) for way in ways) == [("a", "b", "c", "d"), ("a", "c", "d")]


def test_too_many_ways_are_refused() -> None:
    """Thirteen forks one after the other make 8,192 ways."""
    edges = []
    for k in range(13):
        fork, join = f"n{k}", f"n{k + 1}"
        edges += [(fork, f"a{k}", 0.5), (fork, f"b{k}", 0.5), (f"a{k}", join), (f"b{k}", join)]
    nodes = sorted({end for edge in edges for end in edge[:2]})
    with pytest.raises(TooManyWays, match="more than 4096 ways"):
        ways_through(nodes, hops(*edges))
