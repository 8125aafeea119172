"""The portfolio: each group of buffers by first fit, then by search, and every answer checked before it leaves."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

from .canonical import CanonicalSearch, prepare
from .cpsat import solve_cpsat
from .first_fit import first_fit
from .rectangles import INFEASIBLE, UNKNOWN, Buffer, Layout, Rectangles, components
from .verify import clashes

FIRST_TURN_S = 4.0


def lay_out(
    buffers: Sequence[Buffer], capacity: int, *, alignment: int = 1, time_limit_s: float | None = None
) -> Layout:
    """Offsets for buffers (lower, upper, size), multiples of `alignment`, none above `capacity`; without a time limit
    the answer is never `unknown`. Sizes are rounded up to the alignment. What compiling takes at first use does not
    count against the limit.

    Raises RuntimeError if the independent check finds an overlap: a fault of this package, never of its input.
    """
    deadline = math.inf if time_limit_s is None else time.monotonic() + time_limit_s
    rounded = [(lower, upper, -(-size // alignment) * alignment) for lower, upper, size in buffers]
    groups = components(rounded, capacity - capacity % alignment)
    if any(size > capacity for _, _, size in rounded) or any(max(g.loads) > g.capacity for g in groups):
        return INFEASIBLE
    found = [first_fit(group, deadline) for group in groups]
    if None in found:
        deadline += prepare()
    unknown = False
    for at, group in enumerate(groups):
        if found[at] is None:
            layout = _search(group, deadline)
            if layout.status == "infeasible":
                return layout
            found[at] = layout.offsets
            unknown |= layout.offsets is None
    if unknown:
        return UNKNOWN
    offsets = [0] * len(rounded)
    for group, placed in zip(groups, found, strict=True):
        for member, offset in zip(group.members, placed or (), strict=True):
            offsets[member] = offset * group.unit
    if wrong := clashes(buffers, offsets, capacity, alignment):
        raise RuntimeError(f"a wrong layout: {wrong[0]}")
    return Layout("found", tuple(offsets))


def _search(group: Rectangles, deadline: float) -> Layout:
    """The canonical search and constraint programming in turns that grow; each is complete by itself."""
    search, turn_s = CanonicalSearch(group), FIRST_TURN_S
    while (left_s := deadline - time.monotonic()) > 0:
        layout = search.run(min(turn_s, left_s))
        if layout.status != "unknown":
            return layout
        layout = solve_cpsat(group, min(turn_s, deadline - time.monotonic()))
        if layout.status != "unknown":
            return layout
        turn_s *= 2
    return UNKNOWN
