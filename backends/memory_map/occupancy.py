"""Who lies in the scratchpad when, and which buffers leave to come back: read from the document of a scratchpad plan.

A plan is what `dovetail scratchpad --json` prints; steps and bytes are those of its buffers and moves.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

Plan = Mapping[str, Any]
Buffer = Mapping[str, Any]

FORBIDDEN = dict.fromkeys(
    (*range(0x20), *range(0x7F, 0xA0), *range(0xD800, 0xE000), 0x2028, 0x2029, 0xFFFE, 0xFFFF),
    "\N{REPLACEMENT CHARACTER}",
)
"""Controls, breaks of lines and halves of characters: XML forbids most of them, and none of them can be shown."""


@dataclass(frozen=True)
class Departure:
    """A tensor that leaves the scratchpad after the step `left` and is back at the step `back`."""

    tensor: str
    bytes: int
    left: int
    back: int
    is_written: bool
    """whether its bytes go out when it leaves; otherwise there is a copy outside already"""

    @property
    def moved_bytes(self) -> int:
        """Its way back, and its way out where it is written."""
        return self.bytes * (2 if self.is_written else 1)


def shown(name: str) -> str:
    """`name` as it can stand in any text."""
    return name.translate(FORBIDDEN)


def buffers_of(plan: Plan) -> dict[str, list[Buffer]]:
    """The buffers of each tensor, by step."""
    found: dict[str, list[Buffer]] = defaultdict(list)
    for buffer in sorted(plan["buffers"], key=lambda b: (b["start"], b["end"])):
        found[buffer["tensor"]].append(buffer)
    return found


def taken_over(plan: Plan) -> dict[str, str]:
    """The input whose buffer each output in place takes over."""
    return dict(plan.get("shares", ()))


def load_bytes(plan: Plan) -> list[int]:
    """Bytes in buffers at each step; what an output takes over counts once, as bytes of the input."""
    change = [0] * (len(plan["order"]) + 1)
    buffers, takes = buffers_of(plan), taken_over(plan)
    for tensor, held in buffers.items():
        given = takes.get(tensor)
        ends = {b["end"] for b in buffers.get(given, ())} if given is not None else set()
        for buffer in held:
            change[buffer["start"] + (buffer["start"] in ends)] += buffer["bytes"]
            change[buffer["end"] + 1] -= buffer["bytes"]
    return list(accumulate(change))[:-1]


def departures(plan: Plan) -> list[Departure]:
    """All that leave and come back, by the step at which they leave."""
    spills = defaultdict[str, list[int]](list)
    for move in plan["moves"]:
        if move["kind"] == "spill":
            spills[move["tensor"]].append(move["step"])
    found = []
    for tensor, held in buffers_of(plan).items():
        for here, there in pairwise(held):
            is_written = any(here["start"] <= step <= here["end"] for step in spills[tensor])
            found.append(Departure(tensor, here["bytes"], here["end"], there["start"], is_written))
    return sorted(found, key=lambda d: (d.left, d.tensor))


def residents(plan: Plan, steps: Collection[int]) -> dict[int, list[Buffer]]:
    """The buffers at each of `steps`, the largest first."""
    starting = defaultdict[int, list[Buffer]](list)
    for buffer in plan["buffers"]:
        starting[buffer["start"]].append(buffer)
    found: dict[int, list[Buffer]] = {}
    live: list[Buffer] = []
    for step in range(max(steps, default=-1) + 1):
        live = [b for b in live if b["end"] >= step] + starting[step]
        if step in steps:
            found[step] = sorted(live, key=lambda b: (-b["bytes"], b["tensor"]))
    return found
