"""Parts that want more of a device together than there are share what there is."""

from __future__ import annotations

from collections import Counter

from dovetail.planner.parts.alone.part import Part, parts_of
from dovetail.planner.parts.alone.part_search import PartSearch
from dovetail.planner.parts.scarce import within_counts
from dovetail.planner.placement.evaluate import Books
from dovetail.planner.placement.search.clock import NO_LIMIT
from dovetail.planner.posing.to_problem import frame

from .test_by_parts import posed

ENOUGH = 3


def planned(part: Part) -> PartSearch:
    each = PartSearch(part, "highs")
    while not each.plan and not each.is_over:
        each.step(NO_LIMIT, 1e-4)
    return each


def taken(parts: list[PartSearch]) -> Counter[str]:
    total: Counter[str] = Counter()
    for each in parts:
        books = Books(each.part.problem(each.candidates))
        total += Counter(books.account(each.plan).devices)
    return total


def test_parts_give_way_until_the_fleet_has_enough() -> None:
    mended = 0
    for seed in range(60):
        it = posed(seed)
        whole = frame(it.setting, it.works, "cost")
        counts = {d.name: d.max_count for d in whole.devices}
        parts = [planned(part) for part in parts_of(it.setting, whole)]
        if not all(each.plan for each in parts):
            continue
        before = taken(parts)
        if all(before[name] <= counts[name] for name in before):
            assert within_counts(parts, whole.devices, planned) == parts
            continue
        fitted = within_counts(parts, whole.devices, planned)
        after = taken(fitted)
        assert sum(each.value for each in fitted) >= sum(each.value for each in parts) * (1 - 1e-6)
        assert all(after[name] <= max(before[name], counts[name]) for name in after)
        mended += all(after[name] <= counts[name] for name in after)
        if mended == ENOUGH:
            break
    assert mended == ENOUGH
