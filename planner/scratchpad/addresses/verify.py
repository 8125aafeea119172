"""A check of offsets that shares nothing with the searches: time is swept, and neighbours in address compared."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence


def clashes(
    buffers: Sequence[tuple[int, int, int]], offsets: Sequence[int], capacity: int, alignment: int = 1
) -> list[str]:
    """Every way in which `offsets` are wrong for buffers (lower, upper, size), in words; empty if (40) and (41) hold.

    Neighbours suffice: while no two that are alive overlap, they lie in order, and a newcomer that overlaps any of
    them overlaps the one below or the one above. The sweep goes on past a clash, so later ones may be missed.
    """
    wrong = [] if len(offsets) == len(buffers) else [f"{len(offsets)} offsets for {len(buffers)} buffers"]
    events: list[tuple[int, int, int]] = []
    for index, ((lower, upper, size), offset) in enumerate(zip(buffers, offsets, strict=False)):
        if offset < 0 or offset + size > capacity:
            wrong.append(f"buffer {index} at {offset} of size {size} leaves the {capacity}")
        if offset % alignment:
            wrong.append(f"buffer {index} at {offset} is not aligned to {alignment}")
        if lower < upper and size > 0:
            events += [(lower, 1, index), (upper, 0, index)]
    alive: list[tuple[int, int]] = []
    for _, begins, index in sorted(events):
        here = (offsets[index], index)
        if not begins:
            alive.remove(here)
            continue
        insort(alive, here)
        at = bisect_left(alive, here)
        for below, above in zip(alive[max(at - 1, 0) : at + 1], alive[max(at, 1) : at + 2], strict=False):
            if below[0] + buffers[below[1]][2] > above[0]:
                wrong.append(f"buffers {below[1]} and {above[1]} overlap")
    return wrong
