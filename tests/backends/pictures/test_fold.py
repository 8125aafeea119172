"""Folding loses nothing: what is drawn, written out again, is the picture that was folded."""

from __future__ import annotations

import random
from collections.abc import Sequence

from dovetail.backends.pictures.fold import fold
from dovetail.backends.pictures.picture import Arrow, Box, Group, boxes_of


def chain(text: str) -> tuple[list[Box], list[Arrow]]:
    """A box for each letter, each following the one before."""
    boxes = [Box(f"b{n}", letter) for n, letter in enumerate(text)]
    return boxes, [Arrow(f"b{n}", f"b{n + 1}") for n in range(len(text) - 1)]


def shown(items: Sequence[Box | Group]) -> str:
    """`(ab)3c` for a group of `a` and `b` three times over, and `c`."""
    parts = (i.label if isinstance(i, Box) else f"({shown(i.items)}){times(i)}" for i in items)
    return "".join(parts)


def times(group: Group) -> int:
    """How many times over a group stands."""
    return int(group.label.split()[1])


def written_out(items: Sequence[Box | Group]) -> str:
    return "".join(i.label if isinstance(i, Box) else written_out(i.items) * times(i) for i in items)


def test_runs_of_chains() -> None:
    for text, folded in {
        "abc": "abc",
        "aa": "aa",
        "aaa": "(a)3",
        "xababaabby": "x(ab)2aabby",
        "xabcabcabcy": "x(abc)3y",
        "aabaabaab": "(aab)3",
        "xaaabaaabaaaby": "x((a)3b)3y",
        "abababcdcdcdcd": "(ab)3(cd)4",
    }.items():
        items, _ = fold(*chain(text))
        assert shown(items) == folded
        assert written_out(items) == text


def test_a_layer_may_follow_the_same_box_as_all_others() -> None:
    boxes, arrows = chain("mxabababy")
    arrows += [Arrow("b0", f"b{n}") for n in (3, 5, 7)]
    items, kept = fold(boxes, arrows)
    assert shown(items) == "mx(ab)3y"
    assert Arrow("b0", "b3") in kept
    assert len(kept) == len(arrows) - 2 - 2 - 2  # two more copies of the arrow inside and of that from `m`; two carried


def test_boxes_that_are_joined_otherwise_are_no_repetition() -> None:
    boxes, arrows = chain("ababab")
    arrows.append(Arrow("b0", "b3"))
    items, kept = fold(boxes, arrows)
    assert shown(items) != "(ab)3"
    assert written_out(items) == "ababab"
    assert Arrow("b0", "b3") in kept or len(items) < 6


def test_details_that_differ_are_first_and_last() -> None:
    boxes, arrows = chain("ababab")
    boxes = [Box(box.id, box.label, f"{n}" if box.label == "a" else "same") for n, box in enumerate(boxes)]
    (group,), _ = fold(boxes, arrows)
    assert isinstance(group, Group)
    assert [box.detail for box in boxes_of(group.items)] == ["0 \u2026 4", "same"]


def test_boxes_of_another_key_are_not_merged() -> None:
    boxes, arrows = chain("ababab")
    boxes[2] = Box("b2", "a", key="another a")
    items, _ = fold(boxes, arrows)
    assert len(list(boxes_of(items))) == 6 or "another a" in {box.key for box in boxes_of(items)}


def expected_ends(items: Sequence[Box | Group], boxes: list[Box]) -> dict[str, str]:
    """Box -> the box drawn for it, worked out from the groups alone."""
    drawn: list[str] = []

    def walk(items: Sequence[Box | Group]) -> None:
        for item in items:
            if isinstance(item, Box):
                drawn.append(item.id)
            else:
                for _ in range(times(item)):
                    walk(item.items)

    walk(items)
    return dict(zip((box.id for box in boxes), drawn, strict=True))


def test_random_pictures_fold_without_loss() -> None:
    rng, folded = random.Random(11), 0
    for _ in range(300):
        text = ""
        for _ in range(rng.randrange(1, 4)):
            word = "".join(rng.choice("abc") for _ in range(rng.randrange(1, 5)))
            text += word * rng.choice([1, 1, 2, 3, 5]) + rng.choice(["", "x", "y"])
        boxes, arrows = chain(text)
        for _ in range(rng.choice([0, 0, 1, 3])):
            if len(boxes) > 2:
                source, target = sorted(rng.sample(range(len(boxes)), 2))
                arrows.append(Arrow(f"b{source}", f"b{target}"))
        arrows = list(dict.fromkeys(arrows))
        items, kept = fold(boxes, arrows)
        assert written_out(items) == text
        drawn = expected_ends(items, boxes)
        assert {drawn[box.id] for box in boxes} == {box.id for box in boxes_of(items)}
        ends = {(drawn[arrow.source], drawn[arrow.target]) for arrow in arrows}
        assert {(arrow.source, arrow.target) for arrow in kept} <= ends
        position = {box.id: n for n, box in enumerate(boxes)}
        assert all(position[a] >= position[b] for a, b in ends - {(k.source, k.target) for k in kept})
        folded += any(isinstance(item, Group) for item in items)
    assert folded > 100, folded


def test_thousands_of_runs_are_folded() -> None:
    boxes, arrows = chain("aaabbbcccddd" * 300 + "".join(letter * 3 for letter in "abcdefgh" * 200))
    items, _ = fold(boxes, arrows)
    assert written_out(items) == "".join(box.label for box in boxes)
    assert len(list(boxes_of(items))) < 50
