"""Addresses for the holds of both levels, and holds that begin early or end late to give the DMA room."""

from __future__ import annotations

from dataclasses import replace

from ..addresses import lay_out
from .level import Level
from .traffic import MIDDLE, SCRATCHPAD, Hold, Traffic


def place_holds(
    traffic: Traffic, levels: tuple[Level, ...], lead: int = 0, time_limit_s: float | None = None
) -> dict[int, int] | None:
    """The offset of each hold by its index, or None if a level has no layout that was found.

    With a `lead`, as many holds of the scratchpad as fit reserve their room that many steps before they are filled, or
    one step after they are left: only so can a transfer run beside the operators."""
    problem = traffic.problem
    found: dict[int, int] = {}
    sizes = {SCRATCHPAD: problem.size_bytes}
    if len(levels) > 1:
        sizes[MIDDLE] = levels[0].size_bytes or 0
    reserved = widened(traffic, lead) if lead else traffic.holds
    for level, size in sizes.items():
        members = [i for i, hold in enumerate(traffic.holds) if hold.level == level]
        buffers = [(reserved[i].first, reserved[i].last + 1, problem.sizes[reserved[i].tensor]) for i in members]
        layout = lay_out(buffers, size, alignment=problem.alignment_bytes, time_limit_s=time_limit_s)
        if layout.offsets is None:
            return None
        found.update(zip(members, layout.offsets, strict=True))
    return found


def widened(traffic: Traffic, lead: int) -> tuple[Hold, ...]:
    """The holds, those of the scratchpad wider where its room allows: what is filled up to `lead` steps earlier, what
    is copied out one step later, in the order of the steps."""
    problem, holds = traffic.problem, list(traffic.holds)
    load = [0] * len(traffic.order)
    for hold in holds:
        if hold.level == SCRATCHPAD:
            for step in range(hold.first, hold.last + 1):
                load[step] += problem.sizes[hold.tensor]
    filled = {x.targets[0] for x in traffic.transfers if x.kind in ("load", "reload")}
    left = {x.source for x in traffic.transfers if x.source is not None and (not x.targets or x.kind == "copy")}
    ends = {(h.tensor, h.last) for h in holds if h.level == SCRATCHPAD}
    for i in sorted(filled | left, key=lambda i: holds[i].first):
        hold = holds[i]
        if hold.level != SCRATCHPAD:
            continue
        first, last, size = hold.first, hold.last, problem.sizes[hold.tensor]
        while i in filled and first > 0 and hold.first - first < lead and load[first - 1] + size <= problem.size_bytes:
            if (hold.tensor, first - 1) in ends:
                break
            first -= 1
            load[first] += size
        if i in left and last + 1 < len(load) and load[last + 1] + size <= problem.size_bytes:
            last += 1
            load[last] += size
        holds[i] = replace(hold, first=first, last=last)
    return tuple(holds)
