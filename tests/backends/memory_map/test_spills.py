"""The table of spills: who leaves, for whom, and what the reason rests on."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from dovetail.backends.memory_map.spills import reasons, spill_lines, spills_text

Json = dict[str, Any]


def test_golden(tiny: Json, golden: Callable[[str, str], None]) -> None:
    golden("memory_map/tiny_spills.txt", spills_text(tiny))


@pytest.mark.parametrize("seed", range(6))
def test_all_traffic_is_explained(planned: Callable[..., Json], seed: int) -> None:
    """Departures move all bytes of the plan, and each reason's figures can be counted again."""
    plan = planned(seed)
    found = reasons(plan)
    assert sum(r.departure.moved_bytes for r in found) == plan["noncompulsory_bytes"]
    for reason in found:
        away = reason.departure
        if reason.tightest is None:
            assert away.back == away.left + 1
            continue
        assert away.left < reason.tightest < away.back
        held = [b for b in plan["buffers"] if b["start"] <= reason.tightest <= b["end"]]
        assert sorted(b["tensor"] for b in held) == sorted(b["tensor"] for b in reason.others)
        assert reason.lacking_bytes == sum(b["bytes"] for b in held) + away.bytes - plan["size_bytes"]
    assert all(a.departure.left <= b.departure.left for a, b in pairwise(found))


def test_room_by_bytes_is_no_reason(tiny: Json) -> None:
    tiny["buffers"][3]["offset"] = 9216
    split = spills_text(tiny | {"size_bytes": 12288}).splitlines()[-1]
    assert split.startswith("1 make_b      a       4,096  written       3 use      nowhere by bytes: no range")


def test_free_addresses_are_no_reason(tiny: Json) -> None:
    text = spills_text(tiny | {"size_bytes": 14336})
    assert "3 use      nowhere: enough is free from address 10,240" in text


def test_back_at_once(tiny: Json) -> None:
    tiny["buffers"][0]["end"] = 2
    tiny["moves"][0]["step"] = 2
    assert "nowhere: it is back at once, at another address" in spills_text(tiny)


def test_nothing_leaves(tiny: Json) -> None:
    kept = tiny | {"buffers": [b for b in tiny["buffers"] if b["tensor"] not in "ax"], "moves": []}
    assert "Nothing leaves the scratchpad before its last use." in spills_text(kept)
    assert spill_lines(kept, 3) == []


def test_moves_for_tiles_are_told_apart(tiny: Json) -> None:
    tiny["moves"] += [
        {"step": 1, "tensor": "b", "kind": "spill", "bytes": 4096},
        {"step": 2, "tensor": "c", "kind": "reload", "bytes": 2048},
    ]
    text = spills_text(tiny)
    assert "at 1 make_b: b is written, for tiles to read: 4,096 B" in text
    assert "at 2 make_c: c is loaded, after tiles wrote it: 2,048 B" in text


def test_the_short_table_has_those_that_move_most(tiny: Json) -> None:
    lines = spill_lines(tiny, 1)
    assert lines[1].split()[2] == "a"
    assert lines[-1] == "and 1 more"


def test_names_stay_on_their_line(tiny: Json) -> None:
    rows = len(spills_text(tiny).splitlines())
    for named in (*tiny["buffers"], *tiny["moves"]):
        named["tensor"] += "\n\u2028\x85"
    assert len(spills_text(tiny).splitlines()) == rows


def test_two_thousand_buffers(large: Callable[[int], Json]) -> None:
    plan = large(2000)
    assert len(spills_text(plan).splitlines()) == len(plan["moves"]) // 2 + 5
