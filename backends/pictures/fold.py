"""Layers that repeat, drawn once: runs of boxes that are equal and joined alike, however many times over.

A run starts at box `s` and repeats `period` boxes `times` over. In every repetition the boxes have equal keys, arrows
inside join the same places, and arrows from before come either from the same box outside or from the same place of the
repetition before (the first may take those from anywhere: it follows what comes before the layers).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from .picture import Arrow, Box, Group

LONGEST_PERIOD = 1000
"""Boxes of the largest layer that is looked for."""


@dataclass(frozen=True)
class _Run:
    start: int
    period: int
    times: int

    @property
    def end(self) -> int:
        return self.start + self.period * self.times

    @property
    def saved(self) -> int:
        """Boxes that need not be drawn."""
        return self.period * (self.times - 1)


@dataclass
class _Folding:
    """Boxes in order, what each one follows, and for each the box that is drawn for it."""

    boxes: Sequence[Box]
    keys: np.ndarray
    before: np.ndarray
    """Positions of the sources of a box's arrows, -1 where it has fewer than others, shape (boxes, most arrows)."""
    drawn: list[int] = field(default_factory=list)
    carried: set[tuple[int, int]] = field(default_factory=set)
    """Arrows from one repetition to the next."""


def fold(boxes: Sequence[Box], arrows: Sequence[Arrow]) -> tuple[tuple[Box | Group, ...], tuple[Arrow, ...]]:
    """Items and arrows with repeated stretches of `boxes` as groups; every arrow leads from a box to a later one."""
    at = {box.id: number for number, box in enumerate(boxes)}
    ends = [(at[arrow.source], at[arrow.target]) for arrow in arrows]
    folding = _Folding(boxes, _keys(boxes), _before(len(boxes), ends), list(range(len(boxes))))
    items = _fold(folding, 0, len(boxes))
    kept: dict[Arrow, None] = {}
    for arrow, (source, target) in zip(arrows, ends, strict=True):
        if (source, target) not in folding.carried:
            new = replace(arrow, source=boxes[folding.drawn[source]].id, target=boxes[folding.drawn[target]].id)
            kept[new] = None
    return items, tuple(kept)


def _keys(boxes: Sequence[Box]) -> np.ndarray:
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(box.key or box.label, len(numbers)) for box in boxes], dtype=np.int64)


def _before(count: int, ends: list[tuple[int, int]]) -> np.ndarray:
    sources: list[list[int]] = [[] for _ in range(count)]
    for source, target in ends:
        sources[target].append(source)
    table = np.full((count, max(map(len, sources), default=0) or 1), -1, dtype=np.int64)
    for target, found in enumerate(sources):
        table[target, : len(found)] = found
    return table


def _fold(folding: _Folding, low: int, high: int) -> tuple[Box | Group, ...]:
    """The items of the boxes from `low` to `high`, the run that saves most folded first."""
    items: list[Box | Group] = []
    left: list[tuple[int, int] | _Run] = [(low, high)]
    while left:
        part = left.pop()
        if isinstance(part, _Run):
            items.append(_group(folding, part))
            continue
        run = _best_run(folding, *part)
        if run is None:
            items.extend(folding.boxes[part[0] : part[1]])
        else:
            left += [(run.end, part[1]), run, (part[0], run.start)]
    return tuple(items)


def _group(folding: _Folding, run: _Run) -> Group:
    """One repetition of `run`, with what repeats inside of it folded as well."""
    label = f"\u00d7 {run.times}{'' if _note(folding, run) else ' side by side'}"
    body = _fold(folding, run.start, run.start + run.period)
    for number in range(run.start + run.period, run.end):
        folding.drawn[number] = folding.drawn[run.start + (number - run.start) % run.period]
    return Group(f"repeat-{run.start}-{run.period}", label, _details(folding, run, body), "repeat")


def _note(folding: _Folding, run: _Run) -> bool:
    """Remember the arrows that lead from one repetition of `run` to the next; whether there is any."""
    known = len(folding.carried)
    for target in range(run.start + run.period, run.end):
        first = run.start + (target - run.start) // run.period * run.period
        folding.carried |= {(int(q), target) for q in folding.before[target] if run.start <= q < first}
    return len(folding.carried) > known


def _details(folding: _Folding, run: _Run, items: tuple[Box | Group, ...]) -> tuple[Box | Group, ...]:
    """`items` with details that hold for all repetitions: `first ... last` where they differ."""
    at = {folding.boxes[n].id: n for n in range(run.start, run.start + run.period)}
    new: list[Box | Group] = []
    for item in items:
        if isinstance(item, Group):
            new.append(replace(item, items=_details(folding, run, item.items)))
            continue
        same = {folding.boxes[at[item.id] + k * run.period].detail for k in range(run.times)}
        last = folding.boxes[at[item.id] + (run.times - 1) * run.period].detail
        first = item.detail.partition(" \u2026 ")[0]
        new.append(replace(item, detail=item.detail if same == {item.detail} else f"{first} \u2026 {last}"))
    return tuple(new)


def _best_run(folding: _Folding, low: int, high: int) -> _Run | None:
    """The run between `low` and `high` that saves most; the shorter period, then the earlier, where several do."""
    found: list[tuple[int, int, int, int]] = []
    for period in range(1, min(LONGEST_PERIOD, (high - low) // 2) + 1):
        for start, length in _stretches(_alike(folding, low, high, period)):
            if length >= period:
                found.append((-(length // period) * period, period, low + start, length + period))
    for _, period, start, length in sorted(found):
        run = _aligned(folding, low, start, period, start + length)
        if run is not None and run.saved > 1:
            return run
    return None


def _alike(folding: _Folding, low: int, high: int, period: int) -> np.ndarray:
    """For each box whether the one a period later is equal and follows what it follows, moved on or the same."""
    keys, before = folding.keys[low:high], folding.before[low:high]
    moved = before[period:] - before[:-period]
    return (keys[period:] == keys[:-period]) & np.all((moved == period) | (moved == 0), axis=1)


def _stretches(flags: np.ndarray) -> list[tuple[int, int]]:
    """(first, length) of each stretch of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], flags.astype(np.int8), [0]))))
    return [(int(a), int(b - a)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _aligned(folding: _Folding, low: int, start: int, period: int, end: int) -> _Run | None:
    """The run about `start` that has most repetitions, cut where the fewest values pass from one to the next.

    The first repetition follows other boxes than the others do, so the stretch of equal boxes starts inside it.
    """
    best: tuple[int, int, int] | None = None
    for first in range(max(low, start - period), min(start + period, end - 2 * period + 1)):
        times = _times(folding, first, period, (end - first) // period)
        if times >= 2:
            rank = (-times, _passed(folding, first, period), first)
            best = rank if best is None else min(best, rank)
    return None if best is None else _Run(best[2], period, -best[0])


def _times(folding: _Folding, start: int, period: int, most: int) -> int:
    """How many times over, at most `most`, the boxes from `start` repeat."""
    first = slice(start, start + period)
    keys, before = folding.keys, folding.before
    inside, second = before[first] >= start, before[start + period : start + 2 * period]
    for k in range(1, most):
        here, moved = slice(start + k * period, start + (k + 1) * period), k * period
        now = before[here]
        if not np.array_equal(keys[here], keys[first]):
            return k
        same, carried = now == before[first], (now >= here.start - period) & (now < here.start)
        steady = (now - second == moved - period) | ((now == second) & same)
        if not np.all(np.where(inside, now - before[first] == moved, (same | carried) & steady)):
            return k
    return most


def _passed(folding: _Folding, start: int, period: int) -> int:
    """How many values the second repetition takes from the first."""
    second = folding.before[start + period : start + 2 * period]
    return len(set(second[(second >= start) & (second < start + period)].tolist()))
