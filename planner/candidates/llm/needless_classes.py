"""Ways to run a language model for some of its calls, sized by a class of waiting: which another makes needless.

The proof is (60) of `docs/math/placement.md`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Row = NDArray[np.float64]


def undominated_classes(
    figures: Row, loads: Row, degrees: Sequence[int], capacities: Sequence[tuple[float, ...]], has_room: Sequence[bool]
) -> list[int]:
    """(60) Places of the ways, all of one role and the same tenants, for which there is no other.

    `figures` has a row for each way of what may not be more (waiting, times, device time), `loads` the load of each
    piece on one replica [s/request], `degrees` the devices of a replica, `capacities` the loads that 1, 2, ...
    replicas carry, and `has_room` whether the memory holds all tenants.
    """
    rivals: list[int] = []
    stay: list[int] = []
    for i in sorted(range(len(figures)), key=lambda i: (*figures[i], i)):
        maybe = np.flatnonzero(np.all(figures[rivals] <= figures[i], axis=1)) if rivals else ()
        if not any(
            _takes_no_more(degrees[g], capacities[g], loads[g], degrees[i], capacities[i], loads[i])
            for g in (rivals[k] for k in maybe)
        ):
            stay.append(i)
            if has_room[i] and grows_together(capacities[i]):
                rivals.append(i)
    return stay


def grows_together(capacity: Sequence[float]) -> bool:
    """Whether m + n replicas carry at least what m and n carry apart, for all m + n that the capacity has."""
    a = np.array(capacity)
    return all(bool(np.all(a[m:] >= a[m - 1] + a[: len(a) - m])) for m in range(1, len(a)))


def _takes_no_more(
    degree: int, capacity: tuple[float, ...], load: Row, other: int, carried: tuple[float, ...], other_load: Row
) -> bool:
    """Whether no set of pieces takes more devices in the first way than in the other, of `other` devices a replica.

    The first carries c times what the other does, c being the largest ratio of their loads; its last capacity is for
    all pieces, so that no more is asked of it.
    """
    if np.any((other_load <= 0) & (load > 0)):
        return False
    ratio = max((a / b for a, b in zip(load, other_load, strict=True) if b > 0), default=0.0)
    mine, asked = np.array(capacity), np.minimum(ratio * np.array(carried), capacity[-1])
    replicas = np.searchsorted(mine, asked) + 1
    return bool(np.all(degree * replicas <= other * np.arange(1, len(carried) + 1)))
