"""A way through the graph takes the sum of its sections, and sections end where all that follows waits for one step."""

from __future__ import annotations

import random

import pytest

from dovetail.ir.distribution import Distribution
from dovetail.planner.placement.problem import Scenario, Step
from dovetail.planner.placement.times.latency import Memo
from dovetail.planner.placement.times.laws import Grid, Law
from dovetail.planner.placement.times.sections import Cut, Section, cut, sections
from dovetail.planner.placement.times.ways import ways_laws

GRID = Memo(Grid(0.05, 2048))


def step(name: str, *after: str, streams: bool = False) -> Step:
    return Step(f"{name}@1", (f"{name}.run",), 1, tuple((f"{before}@1", streams) for before in after))


def drawn(seed: int) -> Scenario:
    """Forks that join, one behind the other, some of whose edges stream."""
    r = random.Random(seed)
    steps, end = [step("n0")], "n0"
    for _ in range(r.randint(1, 4)):
        branches = [f"n{len(steps) + k}" for k in range(r.randint(1, 3))]
        steps += [step(name, end, streams=r.random() < 0.2) for name in branches]
        end = f"n{len(steps)}"
        steps.append(step(end, *branches, streams=len(branches) == 1 and r.random() < 0.3))
    return Scenario(1.0, tuple(steps), (f"{end}@1",))


def law(piece: str, visit: int, part: str) -> Law:
    if part == "wait":
        return GRID.law(Distribution.wait(0.3, 0.2))
    mean = 0.2 + 0.1 * (int(piece[1:].partition(".")[0]) % 4)
    return GRID.law(Distribution("samples", (mean, 2 * mean)) if part == "total" else Distribution.point(mean / 4))


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("kind", ["end_to_end", "first_output"])
def test_sum_of_the_sections_is_the_law_of_the_whole(seed: int, kind: str) -> None:
    s = drawn(seed)
    whole = Cut((Section("", "", s.steps, s.sinks, kind),), (1.0,), ((1.0, (0,)),))
    ((_, one),) = ways_laws(whole, law, lambda a, b: 0.1, GRID)
    ((_, added),) = ways_laws(cut([s], kind), law, lambda a, b: 0.1, GRID)
    for t in (0.5, 1.0, 2.0, 4.0, 8.0):
        # Both are rounded upwards; what is conditioned upon less so in one section than in all.
        assert GRID.at_most(one, t) <= GRID.at_most(added, t + added.error_s) + 1e-9
        assert GRID.at_most(added, t) <= GRID.at_most(one, t + one.error_s) + 1e-9
    assert one.error_s > 1 or GRID.at_most(added, 2.0) == pytest.approx(GRID.at_most(one, 2.0), abs=0.02)


def test_section_ends_where_all_that_follows_waits_for_one_step() -> None:
    s = Scenario(1.0, (step("a"), step("b", "a"), step("c", "a"), step("d", "b", "c"), step("e", "d")), ("e@1",))
    assert [[each.id for each in section.steps] for section in sections(s)] == [["a@1"], ["b@1", "c@1", "d@1"], ["e@1"]]


@pytest.mark.parametrize(
    ("steps", "sinks", "count"),
    [
        pytest.param((step("a"), step("b", "a", streams=True)), ("b@1",), 1, id="streamed from"),
        pytest.param((step("a"), step("b"), step("c", "a", "b")), ("c@1",), 1, id="two starts"),
        pytest.param((step("a"), step("b", "a"), step("c", "b")), ("a@1", "c@1"), 1, id="an answer before the end"),
        pytest.param(
            (step("a"), step("b", "a"), step("c", "b"), step("d", "a", "c")), ("d@1",), 2, id="waited for twice"
        ),
    ],
)
def test_no_section_ends_while_anything_else_is_under_way(
    steps: tuple[Step, ...], sinks: tuple[str, ...], count: int
) -> None:
    assert len(sections(Scenario(1.0, steps, sinks))) == count


def test_ways_share_the_sections_that_they_have_in_common() -> None:
    one = Scenario(0.7, (step("a"), step("b", "a"), step("d", "b")), ("d@1",))
    other = Scenario(0.3, (step("a"), step("c", "a"), step("d", "c")), ("d@1",))
    found = cut([one, other], "end_to_end")
    assert found.shares == pytest.approx((1.0, 0.7, 0.7, 0.3, 0.3))
    assert found.ways == ((0.7, (0, 1, 2)), (0.3, (0, 3, 4)))
