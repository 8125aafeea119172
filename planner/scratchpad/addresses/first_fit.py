"""First fit: buffers one after another, each at the lowest offset that is free, in several orders."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from .rectangles import Rectangles


def first_fit(rectangles: Rectangles, deadline: float = math.inf) -> tuple[int, ...] | None:
    """Offsets in units by the first of the orders that fits, or None if none does; no order is begun after `deadline`
    [time.monotonic()] but the first."""
    neighbours = _neighbours(rectangles)
    for key in _keys(rectangles):
        order = sorted(range(len(rectangles)), key=key)
        offsets = _stack(rectangles, neighbours, order)
        if offsets is not None:
            return offsets
        if time.monotonic() > deadline:
            break
    return None


def _keys(r: Rectangles) -> list[Callable[[int], tuple[int, ...]]]:
    """Widest first, largest first, largest area first, most crowded first, and by time."""
    loads = r.loads
    width = [last - first for first, last in zip(r.first, r.last, strict=True)]
    crowd = [max(loads[first:last]) for first, last in zip(r.first, r.last, strict=True)]
    area = [w * s for w, s in zip(width, r.sizes, strict=True)]
    return [
        lambda b: (-width[b], -r.sizes[b], r.first[b]),
        lambda b: (-r.sizes[b], -width[b], r.first[b]),
        lambda b: (-area[b], r.first[b]),
        lambda b: (-crowd[b], -width[b], -area[b]),
        lambda b: (-crowd[b], -r.sizes[b], r.first[b]),
        lambda b: (-crowd[b], -area[b], r.first[b]),
        lambda b: (r.first[b], -r.last[b], -r.sizes[b]),
        lambda b: (-r.last[b], r.first[b], -r.sizes[b]),
    ]


def _neighbours(r: Rectangles) -> list[list[int]]:
    """For each buffer, those alive at some time with it."""
    found: list[list[int]] = [[] for _ in range(len(r))]
    alive: list[int] = []
    for index in sorted(range(len(r)), key=lambda b: r.first[b]):
        alive = [other for other in alive if r.last[other] > r.first[index]]
        for other in alive:
            found[index].append(other)
            found[other].append(index)
        alive.append(index)
    return found


def _stack(r: Rectangles, neighbours: list[list[int]], order: list[int]) -> tuple[int, ...] | None:
    offsets, ends = [-1] * len(r), [0] * len(r)
    for index in order:
        offset = 0
        for start, end in sorted((offsets[b], ends[b]) for b in neighbours[index] if offsets[b] >= 0):
            if start >= offset + r.sizes[index]:
                break
            offset = max(offset, end)
        if offset + r.sizes[index] > r.capacity:
            return None
        offsets[index], ends[index] = offset, offset + r.sizes[index]
    return tuple(offsets)
