"""Operators and transfers as tasks: how long each takes, what it waits for, and which borders it keeps busy.

Addresses are fixed, so room is a matter of precedence alone: what fills a place waits until everybody who used what lay
there before is done. Times are whole ticks, durations rounded up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .level import Level, transfer_s
from .traffic import SCRATCHPAD, Traffic, Transfer

TICKS = 10**10
"""at least, for the sum of all durations"""


@dataclass(frozen=True)
class Tasks:
    """The operators by step, then the transfers of `traffic`, in its order."""

    traffic: Traffic
    ticks: tuple[int, ...]
    """how long each takes"""
    tick_s: float
    before: tuple[tuple[int, ...], ...]
    """the tasks that each waits for"""
    borders: tuple[tuple[int, ...], ...]
    """that each keeps busy: a channel of each; 0 is the scratchpad's"""
    channels: tuple[int, ...]
    """of each border"""

    @property
    def steps(self) -> int:
        """How many of them are operators."""
        return len(self.traffic.order)


def tasks_of(traffic: Traffic, offsets: dict[int, int], levels: Sequence[Level], operator_s: Sequence[float]) -> Tasks:
    """The tasks of a plan with the addresses `offsets`; `operator_s` is by operator."""
    n = len(traffic.order)
    seconds = [operator_s[op] for op in traffic.order]
    borders: list[tuple[int, ...]] = [()] * n
    for x in traffic.transfers:
        nearer, farther = route(traffic, x, len(levels))
        seconds.append(transfer_s(levels, nearer, farther, traffic.problem.tensors[x.tensor].bytes))
        borders.append(tuple(range(nearer, farther)))
    total = sum(seconds)
    tick_s = 10.0 ** (math.floor(math.log10(total / TICKS))) if total > 0 else 1.0
    ticks = tuple(math.ceil(s / tick_s * (1 - 1e-12)) for s in seconds)
    before = tuple(tuple(sorted(each)) for each in _precedence(traffic, offsets))
    return Tasks(traffic, ticks, tick_s, before, tuple(borders), tuple(level.channels for level in levels))


def route(traffic: Traffic, transfer: Transfer, outermost: int) -> tuple[int, int]:
    """The nearer and the farther of the two levels between which a transfer goes."""
    ends = [traffic.holds[i].level for i in transfer.targets] or [outermost]
    source = outermost if transfer.source is None else traffic.holds[transfer.source].level
    return min(source, *ends), max(source, *ends)


def _precedence(traffic: Traffic, offsets: dict[int, int]) -> list[set[int]]:
    n, holds = len(traffic.order), traffic.holds
    before: list[set[int]] = [{step - 1} if step else set() for step in range(n)]
    before += [set() for _ in traffic.transfers]
    filler = {i: hold.first for i, hold in enumerate(holds)}
    stored: dict[int, int] = {}
    for task, x in enumerate(traffic.transfers, n):
        filler.update(dict.fromkeys(x.targets, task))
        if not x.targets:
            stored[x.tensor] = task
    users = [{filler[i]} | ({hold.last} if hold.level == SCRATCHPAD else set()) for i, hold in enumerate(holds)]
    for task, x in enumerate(traffic.transfers, n):
        if x.source is not None:
            before[task].add(filler[x.source])
            users[x.source].add(task)
        elif x.tensor in stored:
            before[task].add(stored[x.tensor])
    for i, hold in enumerate(holds):
        if hold.level == SCRATCHPAD and filler[i] >= n:
            before[hold.first].add(filler[i])
    for earlier, later in _neighbours(traffic, offsets):
        before[filler[later]] |= users[earlier] - {filler[later]}
    return before


def _neighbours(traffic: Traffic, offsets: dict[int, int]) -> list[tuple[int, int]]:
    """Pairs of holds of which the later takes over bytes that the earlier was the last to hold."""
    found: list[tuple[int, int]] = []
    last: dict[int, list[tuple[int, int, int]]] = {}
    """by level: bytes from, bytes to, who held them last"""
    for i in sorted(range(len(traffic.holds)), key=lambda i: traffic.holds[i].first):
        hold = traffic.holds[i]
        low, high = offsets[i], offsets[i] + traffic.problem.sizes[hold.tensor]
        if low == high:
            continue
        kept = [(low, high, i)]
        for start, end, owner in last.get(hold.level, []):
            if end <= low or high <= start:
                kept.append((start, end, owner))
                continue
            found.append((owner, i))
            kept += [(a, b, owner) for a, b in ((start, low), (high, end)) if a < b]
        last[hold.level] = kept
    return found


def lower_bound(tasks: Tasks) -> int:
    """Ticks that no schedule of these tasks beats: all operators, each border's transfers, the longest path."""
    finish = [0] * len(tasks.ticks)
    for task in in_order(tasks):
        finish[task] = max((finish[p] for p in tasks.before[task]), default=0) + tasks.ticks[task]
    busy = [0] * len(tasks.channels)
    for task, crossed in enumerate(tasks.borders):
        for border in crossed:
            busy[border] += tasks.ticks[task]
    loads = [-(-b // c) for b, c in zip(busy, tasks.channels, strict=True)]
    return max([0, *finish, *loads])


def in_order(tasks: Tasks, urgency: Sequence[float] | None = None) -> list[int]:
    """All tasks, each after what it waits for; among those that can be next, the one with the least `urgency`."""
    import heapq

    waits = [len(before) for before in tasks.before]
    then: list[list[int]] = [[] for _ in waits]
    for task, before in enumerate(tasks.before):
        for each in before:
            then[each].append(task)
    key = urgency or [0.0] * len(waits)
    ready = [(key[task], task) for task, count in enumerate(waits) if not count]
    heapq.heapify(ready)
    found: list[int] = []
    while ready:
        _, task = heapq.heappop(ready)
        found.append(task)
        for each in then[task]:
            waits[each] -= 1
            if not waits[each]:
                heapq.heappush(ready, (key[each], each))
    if len(found) < len(waits):
        raise RuntimeError("tasks wait for each other: a fault of the planner, never of its input")
    return found
