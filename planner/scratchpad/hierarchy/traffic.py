"""What the choice of tiers makes of each tensor: its holds in each level, and the transfers between them, undated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..problem import ScratchpadProblem
from .tiers import Tiers

Kind = Literal["load", "reload", "copy", "store", "stage"]
SCRATCHPAD, MIDDLE = 0, 1


@dataclass(frozen=True)
class Hold:
    """A tensor in a level of limited size, without a break.

    In the scratchpad `first` and `last` are steps, of touches, both included. In the middle level they are boundaries
    (b: the moment before step b), both included."""

    level: int
    tensor: int
    first: int
    last: int


@dataclass(frozen=True)
class Transfer:
    """A tensor on its way between levels, at a boundary at the latest unless it is a store that nobody waits for."""

    tensor: int
    kind: Kind
    """`load` is the first of what comes from outside, `copy` goes from the scratchpad to the middle level, `store` to
    the outermost, `stage` from the outermost to the middle, ahead of a load or reload"""
    boundary: int
    source: int | None
    """index of the hold that it reads; None: the outermost level"""
    targets: tuple[int, ...]
    """indices of the holds that it fills; none: the outermost level"""


@dataclass(frozen=True)
class Traffic:
    """The holds of all tensors, and their transfers by boundary, those that make room before those that take it."""

    problem: ScratchpadProblem
    order: tuple[int, ...]
    holds: tuple[Hold, ...]
    transfers: tuple[Transfer, ...]


def traffic_of(problem: ScratchpadProblem, tiers: Tiers) -> Traffic:
    """The holds and transfers that the tiers stand for."""
    holds: list[Hold] = []
    transfers: list[Transfer] = []
    for tensor, steps in enumerate(tiers.steps):
        if steps:
            _Tensor(problem, tiers, tensor, holds, transfers).add()
    ranked = sorted(transfers, key=lambda x: (x.boundary, bool(x.targets) and x.kind != "copy", x.tensor))
    return Traffic(problem, tiers.order, tuple(holds), tuple(ranked))


class _Tensor:
    def __init__(
        self, problem: ScratchpadProblem, tiers: Tiers, tensor: int, holds: list[Hold], transfers: list[Transfer]
    ) -> None:
        self.tensor, self.what = tensor, problem.tensors[tensor]
        self.holds, self.transfers = holds, transfers
        self.steps, self.stays = tiers.steps[tensor], tiers.stays[tensor]
        self.held, self.passed = tiers.held[tensor], tiers.passed[tensor]
        self.out = [not (stays or held) for stays, held in zip(self.stays, self.held, strict=True)]
        self.near: list[int] = []
        """by touch: the hold in the scratchpad"""
        self.middle: dict[int, int] = {}
        """by gap: the hold in the middle level"""

    def add(self) -> None:
        self._scratchpad()
        self._middle()
        self._fill()
        if self.what.kind == "output" or (self.what.kind == "intermediate" and any(self.out)):
            self._store()

    def _scratchpad(self) -> None:
        start = self.steps[0]
        for touch, here in enumerate(self.steps):
            self.near.append(len(self.holds))
            if touch == len(self.stays) or not self.stays[touch]:
                self.holds.append(Hold(SCRATCHPAD, self.tensor, start, here))
                start = self.steps[touch + 1] if touch < len(self.stays) else here

    def _middle(self) -> None:
        gap = 0
        while gap < len(self.held):
            if not self.held[gap]:
                gap += 1
                continue
            first = gap
            while gap < len(self.held) and self.held[gap]:
                self.middle[gap] = len(self.holds)
                gap += 1
            start = self.steps[first] + (not self.passed[first])
            self.holds.append(Hold(MIDDLE, self.tensor, start, self.steps[gap]))
            if not self.passed[first]:
                self._move("copy", self.steps[first] + 1, self.near[first], self.middle[first])

    def _fill(self) -> None:
        """Everything that arrives in the scratchpad, with the copies that it leaves behind."""
        if self.what.is_loaded:
            self._move("load", self.steps[0], None, self.near[0], *self._left_behind(0))
        for gap, stays in enumerate(self.stays):
            if not stays:
                source = self.middle.get(gap)
                left = () if source is not None else self._left_behind(gap + 1)
                self._move("reload", self.steps[gap + 1], source, self.near[gap + 1], *left)

    def _left_behind(self, gap: int) -> tuple[int, ...]:
        return (self.middle[gap],) if gap < len(self.passed) and self.passed[gap] else ()

    def _store(self) -> None:
        """The copy in the outermost level: from the middle one where that held it before it is missed."""
        missed = self.out.index(True) if any(self.out) else len(self.out)
        before = [gap for gap in self.middle if gap < missed]
        if before:
            hold = self.middle[before[0]]
            self._move("store", self.holds[hold].last, hold)
        else:
            touch = min(missed, len(self.steps) - 1)
            self._move("store", self.steps[touch] + 1, self.near[touch])

    def _move(self, kind: Kind, boundary: int, source: int | None, *targets: int) -> None:
        self.transfers.append(Transfer(self.tensor, kind, boundary, source, targets))
