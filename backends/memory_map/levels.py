"""A plan over more than one level, read for pictures and tables: its document's holds, transfers and operators in time.

A plan is what `dovetail scratchpad --level .. --json` prints; times are in seconds.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

Plan = Mapping[str, Any]
Hold = Mapping[str, Any]
NEAREST = "scratchpad"


def limited_levels(plan: Plan) -> dict[str, int]:
    """The levels of limited size, nearest first, with their bytes."""
    inputs = plan["inputs"]
    return {NEAREST: inputs["size_bytes"]} | {x["name"]: x["size_bytes"] for x in inputs["levels"][:-1]}


def holds_of(plan: Plan, level: str) -> dict[str, list[Hold]]:
    """The holds of each tensor in a level, by time."""
    found: dict[str, list[Hold]] = defaultdict(list)
    for hold in sorted(plan["holds"], key=lambda h: (h["from_s"], h["to_s"])):
        if hold["level"] == level:
            found[hold["tensor"]].append(hold)
    return found


def lanes(transfers: Sequence[Mapping[str, Any]]) -> list[int]:
    """For each transfer the first lane that is free when it starts: none overlaps another of its lane."""
    ends: list[float] = []
    found = [0] * len(transfers)
    for i in sorted(range(len(transfers)), key=lambda i: (transfers[i]["start_s"], transfers[i]["end_s"])):
        start = transfers[i]["start_s"]
        slack = 1e-9 * (1 + transfers[i]["end_s"])
        lane = next((lane for lane, end in enumerate(ends) if end <= start + slack), len(ends))
        ends[lane : lane + 1] = [transfers[i]["end_s"]]
        found[i] = lane
    return found


@dataclass(frozen=True)
class Load:
    """Bytes that lie in a level over time."""

    times: tuple[float, ...]
    bytes: tuple[int, ...]
    """from each time on"""

    def most(self, start_s: float, end_s: float) -> tuple[float, int]:
        """The fullest moment between two times, the first of equals, and what lies there then."""
        first = max(0, bisect_right(self.times, start_s) - 1)
        last = max(first + 1, bisect_left(self.times, end_s))
        at = max(range(first, min(last, len(self.bytes))), key=lambda i: (self.bytes[i], -i))
        return max(start_s, self.times[at]), self.bytes[at]


def load_of(plan: Plan, level: str) -> Load:
    """What lies in a level."""
    change: dict[float, int] = defaultdict(int)
    for hold in plan["holds"]:
        if hold["level"] == level:
            change[hold["from_s"]] += hold["bytes"]
            change[hold["to_s"]] -= hold["bytes"]
    times, total, loads = [0.0], 0, [0]
    for moment in sorted(change):
        total += change[moment]
        if moment <= times[-1]:
            loads[-1] = total
        else:
            times.append(moment)
            loads.append(total)
    return Load(tuple(times), tuple(loads))


@dataclass(frozen=True)
class Absence:
    """A tensor that leaves the scratchpad and comes back."""

    tensor: str
    bytes: int
    left_s: float
    back_s: float
    went: tuple[str, ...]
    """levels that it was copied to when it left"""
    came_from: str


def absences(plan: Plan) -> list[Absence]:
    """All of them, by the time at which they begin."""
    moves: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for x in plan["transfers"]:
        moves[x["tensor"]].append(x)
    found = []
    for tensor, held in holds_of(plan, NEAREST).items():
        for here, there in pairwise(held):
            out = [
                x for x in moves[tensor] if x["source"] == NEAREST and here["from_s"] <= x["start_s"] <= here["to_s"]
            ]
            back = [
                x for x in moves[tensor] if NEAREST in x["targets"] and x["start_s"] >= there["from_s"] * (1 - 1e-9)
            ]
            went = tuple(target for x in out for target in x["targets"])
            source = min(back, key=lambda x: x["start_s"])["source"] if back else "?"
            found.append(Absence(tensor, here["bytes"], here["to_s"], there["from_s"], went, source))
    return sorted(found, key=lambda a: (a.left_s, a.tensor))


class Running:
    """Which operator runs when."""

    def __init__(self, plan: Plan) -> None:
        self.names = [run["operator"] for run in plan["operators"]]
        self.starts = [run["start_s"] for run in plan["operators"]]

    def at(self, moment: float) -> str:
        """The operator that runs at a time, or the last that began before."""
        return self.names[max(bisect_right(self.starts, moment * (1 + 1e-12)) - 1, 0)]
