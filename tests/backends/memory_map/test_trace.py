"""The trace: the format's shape, one thing at a time on each track, the plan's bytes and times."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from dovetail.backends.memory_map.trace import Timing, trace_json

Json = dict[str, Any]
KEYS = {
    "M": {"name", "ph", "pid", "tid", "args"},
    "C": {"name", "ph", "ts", "pid", "args"},
    "X": {"name", "cat", "ph", "ts", "dur", "pid", "tid", "args"},
}


def events(plan: Json, timing: Timing | None = None) -> list[Json]:
    found = json.loads(trace_json(plan, timing))
    for event in found:
        assert set(event) == KEYS[event["ph"]]
        assert event.get("ts", 0) >= 0
        assert event.get("dur", 0) >= 0
    return found


def tracks(found: list[Json]) -> dict[int, list[Json]]:
    by_thread: dict[int, list[Json]] = defaultdict(list)
    for event in found:
        if event["ph"] == "X":
            by_thread[event["tid"]].append(event)
    return by_thread


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("timed", [False, True])
def test_nothing_overlaps_and_the_bytes_are_the_plans(planned: Callable[..., Json], seed: int, timed: bool) -> None:
    plan = planned(seed)
    timing = Timing({name: 1e-6 * i for i, name in enumerate(plan["order"])}, 3e8) if timed else None
    found = events(plan, timing)
    by_thread = tracks(found)
    everything = sorted((e for track in by_thread.values() for e in track), key=lambda e: (e["ts"], e["dur"]))
    for before, after in pairwise(everything):
        assert before["ts"] + before["dur"] <= after["ts"] + 1e-6
    assert [e["name"] for e in by_thread[1]] == plan["order"]
    assert sum(e["args"]["bytes"] for e in by_thread[2]) == plan["noncompulsory_bytes"]
    counted = [e["args"]["bytes"] for e in found if e["ph"] == "C"]
    held = [sum(b["bytes"] for b in plan["buffers"] if b["start"] <= s <= b["end"]) for s in range(len(plan["order"]))]
    assert counted == [*held, 0]


def test_in_place_counts_what_is_taken_over_once(planned: Callable[..., Json]) -> None:
    plan = next(p for p in (planned(seed, in_place=True) for seed in range(10)) if p["shares"])
    counted = [e["args"]["bytes"] for e in events(plan) if e["ph"] == "C"]
    assert max(counted) <= plan["size_bytes"]


def test_a_step_without_times_takes_a_millisecond(tiny: Json) -> None:
    found = {e["name"]: e for e in events(tiny) if e["ph"] == "X"}
    assert (found["make_b"]["ts"], found["make_b"]["dur"]) == (1250, 500)
    assert (found["spill a"]["ts"], found["spill a"]["dur"]) == (1750, 250)
    assert (found["reload x"]["ts"], found["reload x"]["dur"]) == (4000, 250)


def test_times_are_those_given(tiny: Json) -> None:
    found = {e["name"]: e for e in events(tiny, Timing(dict.fromkeys(tiny["order"], 1e-3), 4096e3)) if e["ph"] == "X"}
    assert (found["make_b"]["ts"], found["make_b"]["dur"]) == (1000, 1000)
    assert (found["spill a"]["ts"], found["spill a"]["dur"]) == (2000, 1000)
    assert found["make_c"]["ts"] == 3000
    assert (found["reload x"]["ts"], found["reload x"]["dur"]) == (6000, 500)


def test_tiles_stream_while_their_operator_runs(tiny: Json) -> None:
    tiny["tiles"] = [{"operator": "make_c", "workspace": "d", "moved": {"a": 3000, "c": 1000}}]
    [stream] = [e for e in events(tiny) if e.get("cat") == "stream"]
    assert (stream["ts"], stream["dur"], stream["args"]["bytes"]) == (2250, 500, 4000)
    slow = {e["name"]: e for e in events(tiny, Timing(dict.fromkeys(tiny["order"], 0.0), 1e6)) if e["ph"] == "X"}
    assert slow["tiles of make_c"]["dur"] == 4000
    assert slow["use"]["ts"] == slow["reload a"]["ts"] + slow["reload a"]["dur"]


@pytest.mark.parametrize(
    ("changed", "bytes_per_s", "message"),
    [
        ({"make_a": -1.0}, 1.0, "`make_a` has no time"),
        ({"last": float("inf")}, 1.0, "`last` has no time"),
        ({}, 0.0, "above 0"),
        ({}, float("inf"), "above 0"),
    ],
)
def test_times_that_are_none_are_refused(
    tiny: Json, changed: dict[str, float], bytes_per_s: float, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        trace_json(tiny, Timing(dict.fromkeys(tiny["order"], 1.0) | changed, bytes_per_s))


def test_an_operator_without_a_time_is_refused(tiny: Json) -> None:
    with pytest.raises(ValueError, match="`make_b` has no time"):
        trace_json(tiny, Timing({"make_a": 1.0}, 1.0))


def test_golden(tiny: Json, golden: Callable[[str, str], None]) -> None:
    golden("memory_map/tiny_trace.json", trace_json(tiny))
