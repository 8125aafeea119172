"""Prefetch into the middle level: what comes from the outermost one waits there while the scratchpad is full."""

from __future__ import annotations

from dataclasses import replace

from .traffic import MIDDLE, Hold, Traffic, Transfer


def staged(traffic: Traffic, middle_bytes: int, lead: int) -> Traffic:
    """The traffic with each transfer from the outermost level in two, where the middle level has room: into that up to
    `lead` boundaries early, and on into the scratchpad when it is wanted. No border is crossed more often."""
    sizes, holds = traffic.problem.sizes, list(traffic.holds)
    load = [0] * (len(traffic.order) + 1)
    for hold in holds:
        if hold.level == MIDDLE:
            for boundary in range(hold.first, hold.last + 1):
                load[boundary] += sizes[hold.tensor]
    stored = {x.tensor: x.boundary for x in traffic.transfers if not x.targets}
    left = {(h.tensor, boundary) for h in holds if h.level == MIDDLE for boundary in range(h.first, h.last + 1)}
    transfers: list[Transfer] = []
    for x in traffic.transfers:
        size, near = sizes[x.tensor], x.targets[:1]
        first, waits = x.boundary, len(x.targets) == 1
        earliest = max(first - lead, 0 if x.kind == "load" else stored.get(x.tensor, 0))
        if x.source is None and size and (not waits or load[first] + size <= middle_bytes):
            while first > earliest and load[first - 1] + size <= middle_bytes and (x.tensor, first - 1) not in left:
                first -= 1
        if x.source is not None or first == x.boundary:
            transfers.append(x)
            continue
        for boundary in range(first, x.boundary + waits):
            load[boundary] += size
        if waits:
            hold = len(holds)
            holds.append(Hold(MIDDLE, x.tensor, first, x.boundary))
        else:
            hold = x.targets[1]
            holds[hold] = replace(holds[hold], first=first)
        transfers += [
            Transfer(x.tensor, "stage", first, None, (hold,)),
            Transfer(x.tensor, x.kind, x.boundary, hold, near),
        ]
    return replace(traffic, holds=tuple(holds), transfers=tuple(transfers))
