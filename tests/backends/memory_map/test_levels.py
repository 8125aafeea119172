"""What is written for plans over more than one level: a picture, a trace and a table that agree with the plan."""

from __future__ import annotations

import json
from collections import defaultdict
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import pytest

from dovetail.backends.memory_map.levels import NEAREST, absences, limited_levels, load_of
from dovetail.backends.memory_map.levels_svg import levels_svg
from dovetail.backends.memory_map.levels_table import levels_spills_text
from dovetail.backends.memory_map.levels_trace import levels_trace_json
from dovetail.planner.scratchpad.hierarchy import Level, operator_seconds, plan_hierarchy
from dovetail.planner.scratchpad.inputs import inputs_of
from dovetail.planner.scratchpad.problem import Operator, ScratchpadProblem, Tensor

Json = dict[str, Any]
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module", params=["two levels", "one level"])
def plan(request: pytest.FixtureRequest) -> Json:
    """`a` leaves while `b` and `c` are made, and comes back for the last operator."""
    sizes = {"x": 2, "a": 4, "b": 4, "c": 4, "y<&>": 2}
    kinds = {"x": "input", "y<&>": "output"}
    tensors = tuple(Tensor(name, 1024 * size, kinds.get(name, "intermediate")) for name, size in sizes.items())
    chain = [Operator(f"make_{i}", (i,), (i + 1,)) for i in range(3)]
    problem = ScratchpadProblem("net", tensors, (*chain, Operator("last", (1, 3), (4,))), 10 * 1024)
    levels: tuple[Level, ...] = (Level("sram", 4096, 4e9), Level("dram", None, 1e9))
    levels = levels if request.param == "two levels" else levels[1:]
    found = plan_hierarchy(problem, levels)
    seconds = operator_seconds(problem, levels)
    return found.to_json() | {"inputs": inputs_of(problem, False, levels=levels, operator_s=seconds)}


def test_the_picture_shows_every_hold_inside_its_panel(plan: Json) -> None:
    root = ElementTree.fromstring(levels_svg(plan, "net"))
    panels = {g.get("id"): g for g in root.iter(f"{SVG}g") if g.get("class") == "level"}
    assert list(panels) == list(limited_levels(plan))
    width, height = float(root.get("width", 0)), float(root.get("height", 0))
    for level, panel in panels.items():
        boxes = [tuple(float(r.get(k, 0)) for k in ("x", "y", "width", "height")) for r in panel.iter(f"{SVG}rect")]
        held = [hold for hold in plan["holds"] if hold["level"] == level]
        assert len(boxes) == len(held)
        for x, y, wide, high in boxes:
            assert 0 <= x <= x + wide <= width
            assert 0 <= y <= y + high <= height
        for i, a in enumerate(boxes):
            for b in boxes[:i]:
                across = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
                along = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
                assert min(across, along) <= 0.02


def test_the_trace_has_every_operator_and_every_border_that_is_crossed(plan: Json) -> None:
    events = json.loads(levels_trace_json(plan))
    tracks: dict[tuple[int, int], list[Json]] = defaultdict(list)
    for event in events:
        if event["ph"] == "X":
            tracks[event["pid"], event["tid"]].append(event)
    assert [event["name"] for event in tracks[1, 1]] == plan["order"]
    for track in tracks.values():
        track.sort(key=lambda event: event["ts"])
        for before, after in pairwise(track):
            assert before["ts"] + before["dur"] <= after["ts"] + 1e-6
    for process, border in enumerate(plan["borders"], 2):
        moved = sum(e["args"]["bytes"] for (pid, _), track in tracks.items() if pid == process for e in track)
        assert moved == border["compulsory_bytes"] + border["noncompulsory_bytes"]
    end = max(event["ts"] + event["dur"] for track in tracks.values() for event in track)
    assert end == pytest.approx(1e6 * plan["makespan_s"])


def test_contents_never_exceed_a_level(plan: Json) -> None:
    for level, size in limited_levels(plan).items():
        load = load_of(plan, level)
        assert max(load.bytes) <= size
        assert load.bytes[-1] == 0
        assert list(load.times) == sorted(set(load.times))


def test_the_table_says_where_a_tensor_went_and_who_took_its_room(plan: Json) -> None:
    (away,) = absences(plan)
    assert away.tensor == "a"
    assert away.came_from == plan["borders"][0]["level"] == away.went[0]
    row = levels_spills_text(plan).splitlines()[-1].split()
    assert row[2:5] == ["make_1", "a", "4,096"]
    assert row[-2:] == ["make_2", "2,048"]


def test_where_nothing_leaves_the_table_says_so(plan: Json) -> None:
    stays = [h for h in plan["holds"] if h["level"] == NEAREST and h["tensor"] != "a"]
    assert levels_spills_text({**plan, "holds": stays}) == "Nothing leaves the scratchpad before its last use.\n"
