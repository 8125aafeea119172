"""Devices of which several parts want more together than there are: parts make do with what the others leave."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from ..placement.evaluate import Books
from ..placement.problem import DeviceType
from .alone.part import Part
from .alone.part_search import PartSearch

Planned = Callable[[Part], PartSearch]
"""Searches for a plan of a part, which may have none."""


def within_counts(parts: Sequence[PartSearch], devices: Sequence[DeviceType], planned: Planned) -> list[PartSearch]:
    """The parts with plans that the fleet has the devices for together, as far as that comes about part by part.

    The cheapest parts give way first: they are planned anew, with what the plans of all others leave.
    """
    found = list(parts)
    taken = [_taken(each) for each in found]
    counts = Counter({d.name: d.max_count for d in devices})
    for i in sorted(range(len(found)), key=lambda i: found[i].value):
        total = sum(taken, Counter[str]())
        if not any(taken[i][name] and total[name] > counts[name] for name in total):
            continue
        left = {name: max(0, counts[name] - total[name] + taken[i][name]) for name in counts}
        again = planned(_with_at_most(found[i].part, left))
        if again.plan:
            found[i], taken[i] = again, _taken(again)
    return found


def _taken(planned: PartSearch) -> Counter[str]:
    """Devices that the plan of a part takes, by name."""
    books = Books(planned.part.problem(planned.candidates))
    return Counter(books.sizes([books.options[piece, pool] for piece, pool in planned.plan.items()])[1])


def _with_at_most(part: Part, most: dict[str, int]) -> Part:
    devices = tuple(replace(d, max_count=min(d.max_count, most[d.name])) for d in part.bare.devices)
    return replace(part, bare=replace(part.bare, devices=devices))
