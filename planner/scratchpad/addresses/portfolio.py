"""The portfolio: each group of buffers by first fit, then by search, and every answer checked before it leaves."""

from __future__ import annotations

import time
from collections.abc import Sequence

from .cpsat import solve_cpsat
from .first_fit import first_fit
from .rectangles import INFEASIBLE, Buffer, Layout, Rectangles, components
from .verify import clashes


def lay_out(
    buffers: Sequence[Buffer], capacity: int, *, alignment: int = 1, time_limit_s: float | None = None
) -> Layout:
    """Offsets for buffers (lower, upper, size), multiples of `alignment`, none above `capacity`; without a time limit
    the answer is never `unknown`. Sizes are rounded up to the alignment.

    Raises RuntimeError if the independent check finds an overlap: a fault of this package, never of its input.
    """
    deadline = None if time_limit_s is None else time.monotonic() + time_limit_s
    rounded = [(lower, upper, -(-size // alignment) * alignment) for lower, upper, size in buffers]
    groups = components(rounded, capacity - capacity % alignment)
    if any(size > capacity for _, _, size in rounded) or any(max(g.loads) > g.capacity for g in groups):
        return INFEASIBLE
    offsets = [0] * len(rounded)
    worst: Layout | None = None
    for group in groups:
        layout = _search(group, deadline)
        if layout.offsets is None:
            if layout.status == "infeasible":
                return layout
            worst = layout
            continue
        for member, offset in zip(group.members, layout.offsets, strict=True):
            offsets[member] = offset * group.unit
    if worst is not None:
        return worst
    if wrong := clashes(buffers, offsets, capacity, alignment):
        raise RuntimeError(f"a wrong layout: {wrong[0]}")
    return Layout("found", tuple(offsets))


def _search(group: Rectangles, deadline: float | None) -> Layout:
    offsets = first_fit(group)
    if offsets is not None:
        return Layout("found", offsets)
    return solve_cpsat(group, None if deadline is None else deadline - time.monotonic())
