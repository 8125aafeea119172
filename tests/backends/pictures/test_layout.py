"""Places: nothing lies on anything else, groups hold what is theirs, and arrows lead downwards where they can."""

from __future__ import annotations

import random
from itertools import combinations

from dovetail.backends.pictures.layout import Layout, Place, lay_out
from dovetail.backends.pictures.picture import Arrow, Box, Group, Picture
from dovetail.backends.pictures.svg import svg


def apart(a: Place, b: Place) -> bool:
    wide = abs(a.x - b.x) >= (a.width + b.width) / 2 - 1e-6
    return wide or abs(a.y - b.y) >= (a.height + b.height) / 2 - 1e-6


def within(a: Place, b: Place) -> bool:
    wide = abs(a.x - b.x) <= (b.width - a.width) / 2 + 1e-6
    return wide and abs(a.y - b.y) <= (b.height - a.height) / 2 + 1e-6


def check(items: tuple[Box | Group, ...], around: Place, layout: Layout) -> None:
    places = [layout.places[item.id] for item in items]
    assert all(apart(a, b) for a, b in combinations(places, 2))
    assert all(within(place, around) for place in places)
    for item, place in zip(items, places, strict=True):
        if isinstance(item, Group):
            check(item.items, place, layout)


def random_picture(rng: random.Random, boxes: int) -> Picture:
    made: list[Box | Group] = [Box(f"b{n}", "x" * rng.randrange(1, 20), "y" * rng.randrange(9)) for n in range(boxes)]
    names = [item.id for item in made]
    for number in range(rng.randrange(4)):
        start = rng.randrange(len(made))
        end = min(len(made), start + rng.randrange(1, 6))
        made[start:end] = [Group(f"g{number}", f"group {number}", tuple(made[start:end]))]
    pairs = {(rng.choice(names), rng.choice(names)) for _ in range(boxes * 3 // 2)}
    return Picture("random", tuple(made), tuple(Arrow(*pair) for pair in sorted(pairs)))


def test_nothing_overlaps_and_groups_hold_their_own() -> None:
    rng = random.Random(2)
    for _ in range(60):
        picture = random_picture(rng, rng.randrange(1, 25))
        layout = lay_out(picture)
        whole = Place(layout.width, layout.height, layout.width / 2, layout.height / 2)
        check(picture.items, whole, layout)


def test_arrows_without_cycles_lead_downwards() -> None:
    rng = random.Random(4)
    names = [f"b{n}" for n in range(30)]
    pairs = {tuple(sorted(rng.sample(range(30), 2))) for _ in range(60)}
    arrows = tuple(Arrow(names[a], names[b]) for a, b in sorted(pairs))
    places = lay_out(Picture("dag", tuple(Box(name, name) for name in names), arrows)).places
    for arrow in arrows:
        source, target = places[arrow.source], places[arrow.target]
        assert source.y + source.height / 2 < target.y - target.height / 2


def test_arrows_past_a_layer_go_round_its_boxes() -> None:
    boxes = tuple(Box(name, name * 9) for name in "abc")
    layout = lay_out(Picture("p", boxes, (Arrow("a", "b"), Arrow("b", "c"), Arrow("a", "c"))))
    ((x, y),) = layout.bends["a", "c"]
    place = layout.places["b"]
    assert y == place.y
    assert abs(x - place.x) > place.width / 2


def test_equal_pictures_give_equal_bytes() -> None:
    first, second = (svg(random_picture(random.Random(9), 40)) for _ in range(2))
    assert first == second


def test_an_empty_picture_has_a_size() -> None:
    assert svg(Picture("nothing", (), ())).startswith('<svg xmlns="http://www.w3.org/2000/svg" width="32" height="32"')
