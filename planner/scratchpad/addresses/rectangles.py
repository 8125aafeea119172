"""Rectangles to be stacked: stretches of time by sizes, on a short common grid, and what comes of the search.

A buffer (lower, upper, size) is alive in lower <= t < upper. Offsets o_b are sought with

    (40)  0 <= o_b,  o_b + size_b <= capacity
    (41)  o_a + size_a <= o_b  or  o_b + size_b <= o_a      for all a, b alive at once

Only the order of the times matters, so time is counted in sections: the stretches between neighbouring ends. A layout
in which nothing can sink puts every offset at a sum of sizes; with u the greatest common divisor of the sizes it is a
multiple of u, so sizes are counted in units of u and the capacity is rounded down to them. Nothing is lost by either.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Buffer = tuple[int, int, int]
"""lower, upper (not included), size"""


@dataclass(frozen=True)
class Layout:
    """What a search for offsets found; `infeasible` is proved, `unknown` is a search that ended before its answer."""

    status: Literal["found", "infeasible", "unknown"]
    offsets: tuple[int, ...] | None = None
    """by buffer, in the order given; None unless found"""


INFEASIBLE = Layout("infeasible")
UNKNOWN = Layout("unknown")


@dataclass(frozen=True)
class Rectangles:
    """Buffers that hang together in time, none empty: `first[b] <= section < last[b]`, sizes in units."""

    first: tuple[int, ...]
    last: tuple[int, ...]
    sizes: tuple[int, ...]
    capacity: int
    unit: int
    """bytes of one unit"""
    members: tuple[int, ...]
    """indices of the buffers in the list that they were taken from"""

    def __len__(self) -> int:
        return len(self.sizes)

    @property
    def loads(self) -> list[int]:
        """Units alive in each section."""
        change = [0] * (max(self.last) + 1)
        for first, last, size in zip(self.first, self.last, self.sizes, strict=True):
            change[first] += size
            change[last] -= size
        loads, total = [], 0
        for step in change[:-1]:
            total += step
            loads.append(total)
        return loads


def components(buffers: Sequence[Buffer], capacity: int) -> list[Rectangles]:
    """Groups of buffers that share no time with each other, each on its own grid; empty buffers are left out."""
    groups: list[list[int]] = []
    reach = 0
    for index in sorted((i for i, b in enumerate(buffers) if b[0] < b[1] and b[2] > 0), key=lambda i: buffers[i][0]):
        lower, upper, _ = buffers[index]
        if not groups or lower >= reach:
            groups.append([])
            reach = upper
        groups[-1].append(index)
        reach = max(reach, upper)
    return [_on_grid(buffers, group, capacity) for group in groups]


def _on_grid(buffers: Sequence[Buffer], group: list[int], capacity: int) -> Rectangles:
    times = sorted({time for index in group for time in buffers[index][:2]})
    section = {time: i for i, time in enumerate(times)}
    unit = math.gcd(*(buffers[index][2] for index in group))
    return Rectangles(
        first=tuple(section[buffers[index][0]] for index in group),
        last=tuple(section[buffers[index][1]] for index in group),
        sizes=tuple(buffers[index][2] // unit for index in group),
        capacity=capacity // unit,
        unit=unit,
        members=tuple(group),
    )
