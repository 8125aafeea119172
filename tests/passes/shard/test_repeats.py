"""Repeats are found, and places of one class are alike."""

from __future__ import annotations

import random

import pytest

from dovetail.passes.shard.repeats import repeated


def test_layers_between_what_stands_alone() -> None:
    assert repeated([5, 1, 2, 1, 2, 1, 2]) == [0, 1, 2, 1, 2, 1, 2]
    assert repeated([7, 1, 2, 3, 1, 2, 3, 8]) == [0, 1, 2, 3, 1, 2, 3, 4]
    assert repeated([]) == []
    assert repeated([4]) == [0]


def test_two_stacks_are_found_one_after_the_other() -> None:
    found = repeated([1, 2] * 5 + [9] + [3, 4, 5] * 4)
    assert len(set(found)) == 2 + 1 + 3
    assert found[:2] * 5 == found[:10]
    assert found[11:14] * 4 == found[11:]


@pytest.mark.parametrize("seed", range(50))
def test_classes_hold_equal_tokens(seed: int) -> None:
    rng = random.Random(seed)
    tokens = [rng.randrange(3) for _ in range(rng.randint(1, 40))]
    classes = repeated(tokens)
    assert len({(c, t) for c, t in zip(classes, tokens, strict=True)}) == len(set(classes))
    assert max(classes) + 1 == len(set(classes))


def test_a_hundred_thousand_places() -> None:
    layer = list(range(50))
    assert len(set(repeated([99, *layer * 2000, 98]))) == 52
