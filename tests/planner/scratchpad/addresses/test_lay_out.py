"""Layouts against brute force on tiny instances, and by the properties that hold of every answer on larger ones."""

from __future__ import annotations

from itertools import permutations

from hypothesis import given, settings
from hypothesis import strategies as st

from dovetail.planner.scratchpad.addresses import allocate, lay_out, lay_out_stays, place
from dovetail.planner.scratchpad.addresses.verify import clashes
from dovetail.planner.scratchpad.problem import Operator, ScratchpadProblem, Tensor
from dovetail.planner.scratchpad.residency import residency_of

BUFFER = st.tuples(st.integers(0, 6), st.integers(1, 4), st.integers(1, 5)).map(lambda b: (b[0], b[0] + b[1], b[2]))


def overlap(a: tuple[int, int, int], b: tuple[int, int, int]) -> bool:
    return a[0] < b[1] and b[0] < a[1]


def has_layout(buffers: list[tuple[int, int, int]], capacity: int) -> bool:
    """By every order in which buffers can be put on top of what they overlap: one of them gives the lowest layout."""
    for order in permutations(range(len(buffers))):
        top: dict[int, int] = {}
        for b in order:
            floor = max((top[o] for o in top if overlap(buffers[b], buffers[o])), default=0)
            top[b] = floor + buffers[b][2]
        if max(top.values(), default=0) <= capacity:
            return True
    return False


@settings(max_examples=60, deadline=None)
@given(st.lists(BUFFER, max_size=6), st.integers(5, 14))
def test_agrees_with_brute_force(buffers: list[tuple[int, int, int]], capacity: int) -> None:
    layout = lay_out(buffers, capacity)
    assert (layout.status == "found") == has_layout(buffers, capacity)
    assert layout.status != "unknown"
    if layout.offsets is not None:
        check_pairs(buffers, list(layout.offsets), capacity)


def check_pairs(buffers: list[tuple[int, int, int]], offsets: list[int], capacity: int) -> None:
    for i, (a, x) in enumerate(zip(buffers, offsets, strict=True)):
        assert x >= 0
        assert x + a[2] <= capacity
        for b, y in zip(buffers[:i], offsets[:i], strict=True):
            assert not overlap(a, b) or x + a[2] <= y or y + b[2] <= x


@given(st.lists(BUFFER, max_size=8), st.lists(st.integers(0, 8), min_size=8, max_size=8), st.integers(5, 14))
def test_clashes_are_what_pairs_show(buffers: list[tuple[int, int, int]], at: list[int], capacity: int) -> None:
    offsets = at[: len(buffers)]
    try:
        check_pairs(buffers, offsets, capacity)
        right = True
    except AssertionError:
        right = False
    assert (not clashes(buffers, offsets, capacity)) == right


def test_clashes_of_alignment_and_number() -> None:
    assert clashes([(0, 1, 4)], [2], 8, 4) == ["buffer 0 at 2 is not aligned to 4"]
    assert clashes([(0, 1, 4)], [], 8) == ["0 offsets for 1 buffers"]


def test_too_much_at_once_is_proved() -> None:
    assert lay_out([(0, 2, 5), (1, 3, 5)], 9, time_limit_s=0).status == "infeasible"
    assert allocate([(0, 2, 5), (1, 3, 5)], 9) is None


def test_alignment_rounds_sizes_and_capacity() -> None:
    buffers = [(0, 2, 5), (0, 2, 3)]
    layout = lay_out(buffers, 12, alignment=4)
    assert layout.offsets is not None
    assert not clashes(buffers, layout.offsets, 12, 4)
    assert lay_out(buffers, 11, alignment=4).status == "infeasible"


def test_nothing_and_empty_buffers() -> None:
    assert lay_out([], 0).offsets == ()
    assert lay_out([(0, 5, 0), (3, 3, 7), (1, 2, 7)], 7).offsets == (0, 0, 0)
    assert lay_out([(3, 3, 8)], 7).status == "infeasible"


def test_stays_of_one_tensor_may_lie_apart() -> None:
    tensors = (Tensor("a", 3, "input"), Tensor("b", 5), Tensor("c", 5), Tensor("d", 6, "output"))
    operators = (Operator("f", (0,), (1,)), Operator("g", (1,), (2,)), Operator("h", (2, 0), (3,)))
    problem = ScratchpadProblem("three", tensors, operators, 16, 2)
    residency = residency_of(problem, (0, 1, 2), [[False], [True], [True], []])
    offsets = place(residency)
    assert offsets is not None
    stays = [(s.start, s.end + 1, tensors[s.tensor].bytes) for s in residency.stays]
    assert not clashes(stays, [offsets[i] for i in range(len(stays))], 16, 2)
    assert lay_out_stays(residency_of(problem.with_size(14), (0, 1, 2), [[True], [True], [True], []])).status == (
        "infeasible"
    )
