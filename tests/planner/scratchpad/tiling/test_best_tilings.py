"""The best tiling is the best of all orders and sizes, and no tiling beats the bound."""

from __future__ import annotations

from itertools import combinations, permutations, product
from typing import Any

import pytest

from dovetail.planner.scratchpad.tiling import Nest, bound_bytes, least_bytes, tile
from dovetail.planner.scratchpad.tiling.bounds import inner_bound_bytes
from dovetail.planner.scratchpad.tiling.search import balanced
from dovetail.planner.scratchpad.tiling.shapes import (
    Slide,
    attention,
    convolution,
    elementwise,
    matmul,
    pool,
    reduction,
    rows,
)

SMALL = {
    "matmul": matmul("a", "b", "c", 4, 3, 5),
    "matmul of two batches": matmul("a", "b", "c", 3, 2, 3, batch=2),
    "matmul, shared weights": matmul("a", "b", "c", 2, 3, 2, batch=2, shared=True),
    "wide partial sums": matmul("a", "b", "c", 3, 3, 4, partial=4),
    "wide and short": matmul("a", "b", "c", 6, 6, 1),
    "convolution": convolution("x", "w", "y", 1, 2, 2, Slide(3, 3, 1, 1, 1), Slide(1, 1)),
    "strided convolution": convolution("x", "w", "y", 1, 2, 2, Slide(5, 2, 2), Slide(1, 1)),
    "strided projection": convolution("x", "w", "y", 1, 2, 3, Slide(5, 1, 2), Slide(1, 1)),
    "bias": convolution("x", "w", "y", 1, 2, 2, Slide(3, 1), Slide(1, 1), bias="z"),
    "depthwise": convolution("x", "w", "y", 1, 2, 2, Slide(5, 3, 1, 1, 1), Slide(2, 2), groups=2),
    "pool": pool("x", "y", 1, 1, Slide(5, 3, 2, 1, 1), Slide(4, 2, 2)),
    "attention": attention("q", "k", "v", "o", 1, 4, 3, 2),
    "grouped attention": attention("q", "k", "v", "o", 2, 2, 3, 1, kv_heads=1, partial=2),
    "softmax": rows(["x"], ["y"], 4, 3),
    "add": elementwise(["x", "y"], ["z"], 6),
    "sum": reduction("x", "y", (4, 3, 2), (0, 2)),
}
Case = tuple[int, int]


def every_tiling(nest: Nest, machine: Any, sizes: Any) -> dict[int, int]:
    """By bytes held: the least bytes moved, over all sets of whole tensors, orders and sizes, as the machine counts."""
    found: dict[int, int] = {}
    able = [o for o in nest.tensors if o.role == "input" or o.held_bytes == o.element_bytes]
    loops = [loop for loop, extent in nest.loops if extent > 1 and loop not in nest.whole]
    alone = {loop: extent for loop, extent in nest.loops if loop not in loops}
    for whole in (w for count in range(len(able) + 1) for w in combinations(able, count)):
        inner = nest.without(o.tensor for o in whole)
        room = sum(nest.whole_bytes(o) for o in whole)
        for chosen in product(*(sizes(nest.extent[loop]) for loop in loops)):
            tiles = dict(zip(loops, chosen, strict=True))
            cut = [loop for loop in loops if tiles[loop] < nest.extent[loop]]
            for order in permutations(cut):
                run = machine(inner, order, tiles | alone).run()
                held, moved = room + run.peak, room + sum(run.moved.values())
                found[held] = min(moved, found.get(held, moved))
    return found


@pytest.mark.parametrize("name", SMALL)
def test_no_tiling_is_better_and_none_beats_the_bound(name: str, machine: Any) -> None:
    nest = SMALL[name]
    found = every_tiling(nest, machine, balanced)
    assert min(found) == least_bytes(nest)
    best: int | None = None
    for free in range(min(found), max(found) + 1):
        best = min(found[free], best or found[free]) if free in found else best
        one = tile(nest, free)
        assert one is not None
        assert best is not None
        assert one.traffic_bytes == best
        assert one.resident_bytes <= free
        assert max(bound_bytes(nest, free), inner_bound_bytes(nest, free)) <= best
    assert tile(nest, min(found) - 1) is None


@pytest.mark.parametrize("name", ["matmul", "wide partial sums", "attention"])
def test_uneven_sizes_gain_nothing(name: str, machine: Any) -> None:
    nest = SMALL[name]
    even = every_tiling(nest, machine, balanced)
    for held, moved in every_tiling(nest, machine, lambda extent: range(1, extent + 1)).items():
        assert min(m for h, m in even.items() if h <= held) <= moved


def test_the_bound_is_that_of_the_paper() -> None:
    """2 mnk / sqrt(S) - 2 S words, and never less than the operands once."""
    nest = matmul("a", "b", "c", 300, 200, 500)
    assert bound_bytes(nest, 400) == 2 * 300 * 200 * 500 // 20 - 800
    assert bound_bytes(nest, 10**6) == 300 * 200 + 300 * 500 + 200 * 500


def test_a_bound_with_the_outputs_added_would_be_wrong() -> None:
    """Adding mn to the bound, as for sums that start outside, is beaten where k is small."""
    one = tile(matmul("a", "b", "c", 16, 1000, 4), 84)
    assert one is not None
    assert one.traffic_bytes == 64 + 4000 + 16000
    assert one.traffic_bytes < 2 * 16 * 1000 * 4 / 84**0.5 + 16 * 1000


def test_a_square_matmul_comes_near_its_bound() -> None:
    one = tile(matmul("a", "b", "c", 1024, 1024, 1024), 2**14)
    assert one is not None
    assert one.traffic_bytes < 1.15 * one.bound_bytes


def test_attention_is_of_the_order_of_its_bound() -> None:
    """Four times the room, a quarter of the traffic, as N^2 d^2 / M says."""
    nest = attention("q", "k", "v", "o", 1, 4096, 4096, 64)
    small, large = tile(nest, 2**14), tile(nest, 2**16)
    assert small is not None
    assert large is not None
    assert 3 < small.traffic_bytes / large.traffic_bytes < 5
    assert bound_bytes(nest, 2**14) / bound_bytes(nest, 2**15) * 2 > 3
    assert small.traffic_bytes < 20 * small.bound_bytes


def test_rows_of_a_window_that_moves_on_are_read_once() -> None:
    """A 3 x 3 convolution needs a few rows, not the image."""
    nest = convolution("x", "w", "y", 1, 4, 4, Slide(64, 3, 1, 1, 1), Slide(64, 3, 1, 1, 1))
    one = tile(nest, 2000)
    assert one is not None
    assert one.traffic_bytes == one.bound_bytes == 2 * 4 * 64 * 64 + 4 * 4 * 9


def test_the_sizes_tried_are_those_of_all_numbers_of_chunks() -> None:
    for extent in range(1, 500):
        assert balanced(extent) == sorted({-(-extent // j) for j in range(1, extent + 1)})
