"""
Stages of a pipeline: a network's ops in order, cut into stretches, each on a device of its own.

Exact, by dynamic programming over places in the order and devices used so far. Equations are numbered as in
`docs/math/partition.md`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, product

import numpy as np

from .check import Broken


@dataclass(frozen=True)
class Item:
    """What is never cut: an op or a piece."""

    seconds: tuple[float, ...]
    """[s] on each kind of device"""
    weight_bytes: float = 0.0
    activation_bytes: float = 0.0
    """[bytes] held while it runs"""


@dataclass(frozen=True)
class Kind:
    """Devices that are alike."""

    name: str
    count: int
    memory_bytes: float


@dataclass(frozen=True)
class StagesProblem:
    """Items in order, devices, and what crosses between neighbours."""

    items: tuple[Item, ...]
    kinds: tuple[Kind, ...]
    crossing_bytes: tuple[float, ...]
    """[bytes] at each place between two items (one less than items): all that is made before and used after"""
    bandwidth_bytes_per_s: float
    latency_s: float

    @cached_property
    def sums(self) -> tuple[tuple[float, ...], ...]:
        """[s] of the items before each place, by kind."""
        return tuple(
            tuple(accumulate((item.seconds[k] for item in self.items), initial=0.0)) for k in range(len(self.kinds))
        )

    def stage_s(self, first: int, end: int, kind: int) -> float:
        """
        [s] of items `first` to `end` (exclusive) on a device of a kind, and of receiving what crosses. Equation (7).

        The stage's period: a pipeline gives one result for each period of its slowest stage.
        """
        return self.sums[kind][end] - self.sums[kind][first] + self.received_s(first)

    def received_s(self, first: int) -> float:
        """[s] until all is there that a stage from `first` on uses."""
        return self.latency_s + self.crossing_bytes[first - 1] / self.bandwidth_bytes_per_s if first else 0.0

    def stage_bytes(self, first: int, end: int) -> float:
        """[bytes] of a stage's weights and its largest activations. Equation (8)."""
        inside = self.items[first:end]
        return sum(i.weight_bytes for i in inside) + max((i.activation_bytes for i in inside), default=0.0)


@dataclass(frozen=True)
class Stage:
    """Items `first` to `end` (exclusive) on a device of a kind."""

    first: int
    end: int
    kind: int


@dataclass(frozen=True)
class Stages:
    """A pipeline; without stages where none fits."""

    stages: tuple[Stage, ...]
    period_s: float


def solve_stages(p: StagesProblem) -> Stages:
    """The stages that fit with the least period, of those the fewest; none where none fit. Equation (9)."""
    n = len(p.items)
    unused = (0,) * len(p.kinds)
    best = {used: np.full(n + 1, np.inf) for used in product(*(range(kind.count + 1) for kind in p.kinds))}
    back = {used: np.zeros((2, n + 1), dtype=np.int64) for used in best}
    best[unused][0] = 0.0
    sums = np.array(p.sums)
    weights = np.concatenate(([0.0], np.cumsum([item.weight_bytes for item in p.items])))
    activations = np.array([item.activation_bytes for item in p.items])
    for first in range(n):
        held = weights[first + 1 :] - weights[first] + np.maximum.accumulate(activations[first:])
        for kind, device in enumerate(p.kinds):
            fits = int(np.searchsorted(held, device.memory_bytes, side="right"))
            ends = slice(first + 1, first + 1 + fits)
            stage_s = sums[kind, ends] - sums[kind, first] + p.received_s(first)
            for used, periods in best.items():
                if used[kind] == device.count or periods[first] == np.inf:
                    continue
                after = tuple(u + (k == kind) for k, u in enumerate(used))
                value = np.maximum(stage_s, periods[first])
                better = value < best[after][ends]
                best[after][ends][better] = value[better]
                back[after][:, ends][:, better] = [[first], [kind]]
    used = min(best, key=lambda u: (best[u][n], sum(u), u))
    if best[used][n] == np.inf:
        return Stages((), float("inf"))
    period, place, found = float(best[used][n]), n, list[Stage]()
    while place:
        first, kind = map(int, back[used][:, place])
        found.append(Stage(first, place, kind))
        place, used = first, tuple(u - (k == kind) for k, u in enumerate(used))
    return Stages(tuple(reversed(found)), period)


def check_stages(p: StagesProblem, stages: Sequence[Stage], period_s: float) -> None:
    """Broken unless the stages are all items in order, on devices there are, within memory, with that period."""
    edges = [0, *(s.end for s in stages)]
    if [s.first for s in stages] != edges[:-1] or edges[-1] != len(p.items) or any(s.first >= s.end for s in stages):
        raise Broken("the stages are not all items in order")
    for k, kind in enumerate(p.kinds):
        if sum(s.kind == k for s in stages) > kind.count:
            raise Broken(f"there are only {kind.count} of `{kind.name}`")
    for s in stages:
        if p.stage_bytes(s.first, s.end) > p.kinds[s.kind].memory_bytes:
            raise Broken(f"items {s.first} to {s.end} do not fit `{p.kinds[s.kind].name}`")
    slowest = max(p.stage_s(s.first, s.end, s.kind) for s in stages)
    if abs(slowest - period_s) > 1e-9 * slowest:
        raise Broken(f"the slowest stage takes {slowest:.9g} s, not {period_s:.9g} s")
