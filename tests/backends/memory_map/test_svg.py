"""The memory map: every buffer once where the plan has it, nothing over anything else, readable when large."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from itertools import combinations, pairwise
from typing import Any
from xml.etree import ElementTree

import pytest

from dovetail.backends.memory_map.svg import memory_svg

Json = dict[str, Any]
SVG = "{http://www.w3.org/2000/svg}"
Rectangle = tuple[str, float, int, float, int]
"""tensor, first step, offset, end of the last step, end"""


def rectangles(text: str) -> list[Rectangle]:
    """What stands in the group of buffers, in its own units."""
    [group] = [g for g in ElementTree.fromstring(text).iter(f"{SVG}g") if g.get("class") == "buffers"]
    found = []
    for rect in group:
        x, y, width, height = (float(rect.attrib[key]) for key in ("x", "y", "width", "height"))
        title = rect.findtext(f"{SVG}title")
        assert title is not None
        found.append((title.rsplit(":", 1)[0].split(": ")[0], x, int(y), x + width, int(y + height)))
    return found


def drawn_as(buffer: Json) -> Rectangle:
    start, offset = buffer["start"], buffer["offset"]
    return buffer["tensor"], start, offset, buffer["end"] + 1, offset + buffer["bytes"]


def overlapping(found: list[Rectangle]) -> list[tuple[str, str]]:
    return [
        (a[0], b[0]) for a, b in combinations(found, 2) if a[1] < b[3] and b[1] < a[3] and a[2] < b[4] and b[2] < a[4]
    ]


@pytest.mark.parametrize("seed", range(6))
def test_rectangles_are_the_buffers(planned: Callable[..., Json], seed: int) -> None:
    plan = planned(seed)
    found = rectangles(memory_svg(plan, "net"))
    assert Counter(found) == Counter(map(drawn_as, plan["buffers"]))
    assert overlapping(found) == []


def test_a_shared_step_is_halved(planned: Callable[..., Json]) -> None:
    plan = next(p for p in (planned(seed, in_place=True) for seed in range(10)) if p["shares"])
    found = rectangles(memory_svg(plan, "net"))
    assert overlapping(found) == []
    assert overlapping(list(map(drawn_as, plan["buffers"])))
    late = {output for output, _ in plan["shares"]}
    early = {given for _, given in plan["shares"]}
    assert len(found) == len(plan["buffers"])
    for tensor, start, _, end, _ in found:
        assert start % 1 == 0 or (start % 1 == 0.5 and tensor in late)
        assert end % 1 == 0 or (end % 1 == 0.5 and tensor in early)


def test_pixels_are_those_of_the_scale(tiny: Json) -> None:
    """The edges, in pixels, lie where the transformation puts the rectangles."""
    text = memory_svg(tiny, "net")
    matrix = re.search(r"matrix\((\S+) 0 0 (\S+) (\S+) (\S+)\)", text)
    assert matrix
    across, up, left, bottom = map(float, matrix.groups())
    edges = re.findall(r"M(\S+) (\S+)h(\S+)v(\S+)h\S+z", re.search(r'class="edge" d="([^"]*)"', text)[1])  # type: ignore[index]
    assert len(edges) == len(tiny["buffers"])
    for edge, (_, start, low, end, high) in zip(edges, rectangles(text), strict=True):
        wanted = (left + start * across, bottom + high * up, (end - start) * across, (low - high) * up)
        assert tuple(map(float, edge)) == pytest.approx(wanted, abs=0.006)


def test_colours_and_marks(tiny: Json) -> None:
    tree = ElementTree.fromstring(memory_svg(tiny, "net"))
    [group] = [g for g in tree.iter(f"{SVG}g") if g.get("class") == "buffers"]
    assert Counter(rect.get("class") for rect in group) == {"leave": 2, "back": 2, "stay": 5}
    [names] = [g for g in tree.iter(f"{SVG}g") if g.get("class") == "names"]
    marks = {path.get("class"): path.attrib["d"].count("z") for path in names.iter(f"{SVG}path")}
    assert marks == {"out": 1, "copy": 1, "in": 2}
    assert "written; back at 3 (use)" in memory_svg(tiny, "net")


def test_tiles_have_their_colour_and_their_bytes(tiny: Json) -> None:
    tiny["tiles"] = [{"operator": "make_c", "workspace": "d", "moved": {"a": 3000, "c": 1000}}]
    text = memory_svg(tiny, "net")
    tile = next(rect for rect in ElementTree.fromstring(text).iter(f"{SVG}rect") if rect.get("class") == "tile")
    assert (tile.findtext(f"{SVG}title") or "").splitlines()[-1] == "4,000 bytes move in tiles"
    assert "tiles of an operator" in text
    assert "tiles of an operator" not in memory_svg(tiny | {"tiles": []}, "net")


def test_capacity_far_above_does_not_flatten_the_map(tiny: Json) -> None:
    roomy = tiny | {"size_bytes": 1 << 30}
    text = memory_svg(roomy, "net")
    assert "capacity 1,048,576 KiB, far above what is used" in text
    assert re.search(r"matrix\(.*\)", text)[0] == re.search(r"matrix\(.*\)", memory_svg(tiny, "net"))[0]  # type: ignore[index]


def test_tiny_golden(tiny: Json, golden: Callable[[str, str], None]) -> None:
    golden("memory_map/tiny.svg", memory_svg(tiny, "tiny"))


@pytest.mark.parametrize(("count", "most_bytes"), [(500, 250_000), (2000, 1_000_000)])
def test_size_and_names_of_large_plans(large: Callable[[int], Json], count: int, most_bytes: int) -> None:
    plan = large(count)
    text = memory_svg(plan, "large")
    assert len(text.encode()) < most_bytes
    assert len(rectangles(text)) == count
    tree = ElementTree.fromstring(text)
    steps = next(g for g in tree.iter(f"{SVG}g") if g.get("class") == "steps")
    places = [float(re.search(r"translate\((\S+) ", t.attrib["transform"])[1]) for t in steps]  # type: ignore[index]
    assert min(b - a for a, b in pairwise(places)) >= 13
    assert float(tree.attrib["width"]) <= 33_000
    assert text == memory_svg(plan, "large")


def test_most_names_are_legible_at_500_buffers(large: Callable[[int], Json]) -> None:
    names = [
        g for g in ElementTree.fromstring(memory_svg(large(500), "n")).iter(f"{SVG}g") if g.get("class") == "names"
    ]
    assert len(list(names[0].iter(f"{SVG}text"))) >= 400


@pytest.mark.parametrize("name", ['<script>"&', "]]>", "a\0b\x1b\ud800", "tab\tline\nend", "é中"])
def test_names_are_escaped(tiny: Json, name: str) -> None:
    tiny["buffers"][0]["tensor"] = tiny["order"][0] = tiny["moves"][0]["tensor"] = name
    text = memory_svg(tiny, name)
    tree = ElementTree.fromstring(text.encode())
    assert {element.tag.removeprefix(SVG) for element in tree.iter()} <= {
        "svg",
        "g",
        "rect",
        "path",
        "text",
        "title",
        "style",
    }
    assert "href" not in text
    assert "url(" not in text


def test_an_empty_plan_is_a_picture(tiny: Json) -> None:
    empty = tiny | {"order": [], "buffers": [], "moves": [], "size_bytes": 0, "noncompulsory_bytes": 0}
    assert rectangles(memory_svg(empty, "none")) == []
    assert "no plan: infeasible" in memory_svg(empty | {"status": "infeasible"}, "none")
