"""A machine that runs tiled loop nests on numpy arrays: it holds one tile of each operand and counts bytes itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import prod
from typing import Any

import numpy as np
import pytest

from dovetail.planner.scratchpad.tiling.nest import Nest, Operand, Window

Arrays = dict[str, np.ndarray]


@dataclass
class Machine:
    """Memory outside is `arrays`, by operand; None counts bytes without computing."""

    nest: Nest
    order: Sequence[str]
    tiles: Mapping[str, int]
    arrays: Arrays | None = None
    moved: dict[str, int] = field(default_factory=dict)
    peak: int = 0

    def run(self) -> Machine:
        self.key: dict[int, tuple[int, ...]] = {}
        self.held: dict[int, np.ndarray] = {}
        self.visits: dict[tuple[int, tuple[int, ...]], int] = {}
        self.size: dict[int, int] = {}
        extent = self.nest.extent
        chunks = {
            loop: [(s, min(s + self.tiles[loop], extent[loop])) for s in range(0, extent[loop], self.tiles[loop])]
            for loop in extent
        }
        self.cuts = {loop: len(c) for loop, c in chunks.items()}
        order = [*(loop for loop in extent if loop not in self.order), *self.order]
        for at in product(*(range(self.cuts[loop]) for loop in order)):
            place = dict(zip(order, at, strict=True))
            span = {loop: chunks[loop][i] for loop, i in place.items()}
            for index in range(len(self.nest.operands)):
                self.bring(index, place, span)
            self.peak = max(self.peak, sum(self.size.values()))
            if self.arrays is not None:
                COMPUTE[self.nest.kind](self, span)
        for index in range(len(self.nest.operands)):
            self.leave(index)
        for o in self.nest.operands:  # the graph counts a tensor that is read as read whole
            if o.role == "input":
                self.moved[o.tensor] = max(self.moved[o.tensor], self.nest.whole_bytes(o))
        return self

    def loops(self, operand: Operand) -> list[str]:
        return [loop for loop in self.nest.extent if loop in operand.loops]

    def box(self, operand: Operand, span: Mapping[str, tuple[int, int]]) -> tuple[slice, ...]:
        found = []
        for axis in operand.axes:
            if isinstance(axis, str):
                found.append(slice(*span[axis]))
                continue
            low = span[axis.outer][0] * axis.stride + span[axis.inner][0] * axis.dilation - axis.pad
            high = (span[axis.outer][1] - 1) * axis.stride + (span[axis.inner][1] - 1) * axis.dilation - axis.pad + 1
            found.append(slice(min(max(low, 0), axis.size), max(0, min(high, axis.size))))
        return tuple(found)

    def bring(self, index: int, place: Mapping[str, int], span: Mapping[str, tuple[int, int]]) -> None:
        operand = self.nest.operands[index]
        key = tuple(place[loop] for loop in self.loops(operand))
        if self.key.get(index) == key:
            self.visits[index, key] += 1
            return
        box = self.box(operand, span)
        count = prod(max(0, s.stop - s.start) for s in box)
        if operand.role == "input":
            self.load(index, key, box, count)
        else:
            self.leave(index)
            partial = self.visits.get((index, key), 0) > 0 and operand.role != "scratch"
            if partial:
                self.count(operand, count * operand.held_bytes)
            self.fill(index, box, partial)
        self.visits[index, key] = self.visits.get((index, key), 0) + 1
        self.key[index], self.size[index] = key, count * operand.held_bytes
        setattr(self, f"box{index}", box)

    def load(self, index: int, key: tuple[int, ...], box: tuple[slice, ...], count: int) -> None:
        """Load a tile; where a window moved on by one place along one axis, keep what both tiles have."""
        operand, old = self.nest.operands[index], self.key.get(index)
        kept = 0
        axis = self.moved_axis(operand, old, key)
        if axis is not None:
            before = getattr(self, f"box{index}")[axis]
            both = max(0, min(before.stop, box[axis].stop) - max(before.start, box[axis].start))
            kept = count // max(1, box[axis].stop - box[axis].start) * both
        self.count(operand, (count - kept) * operand.element_bytes)
        if self.arrays is None:
            return
        new = self.arrays[operand.tensor][box].copy()
        if kept and axis is not None:
            before, mine = getattr(self, f"box{index}")[axis], box[axis]
            low, high = max(before.start, mine.start), min(before.stop, mine.stop)
            here = tuple(
                slice(low - mine.start, high - mine.start) if a == axis else slice(None) for a in range(new.ndim)
            )
            there = tuple(
                slice(low - before.start, high - before.start) if a == axis else slice(None) for a in range(new.ndim)
            )
            new[here] = self.held[index][there]
        self.held[index] = new

    def moved_axis(self, operand: Operand, old: tuple[int, ...] | None, key: tuple[int, ...]) -> int | None:
        if old is None:
            return None
        changed = [(loop, b - a) for loop, a, b in zip(self.loops(operand), old, key, strict=True) if a != b]
        if len(changed) != 1 or changed[0][1] != 1:
            return None
        for number, axis in enumerate(operand.axes):
            if isinstance(axis, Window) and axis.outer == changed[0][0] and self.cuts[axis.inner] == 1:
                return number
        return None

    def fill(self, index: int, box: tuple[slice, ...], partial: bool) -> None:
        if self.arrays is None:
            return
        operand = self.nest.operands[index]
        shape = [s.stop - s.start for s in box]
        if partial:
            self.held[index] = self.arrays[operand.tensor][box].copy()
        elif operand.role == "state":
            self.held[index] = np.stack([np.full(shape, -np.inf), np.zeros(shape)], -1)
        else:
            lowest = -np.inf if self.nest.kind == "pool" else 0.0
            self.held[index] = np.full(shape, lowest)

    def leave(self, index: int) -> None:
        operand = self.nest.operands[index]
        if index not in self.key or operand.role in ("input", "scratch"):
            return
        box = getattr(self, f"box{index}")
        count = prod(s.stop - s.start for s in box)
        all_visits = prod(n for loop, n in self.cuts.items() if loop not in operand.loops)
        done = self.visits[index, self.key[index]] == all_visits
        if operand.role == "output" or not done:
            self.count(operand, count * (operand.element_bytes if done else operand.held_bytes))
        if self.arrays is not None:
            self.arrays[operand.tensor][box] = self.held[index]
        del self.key[index]

    def count(self, operand: Operand, bytes: int) -> None:
        self.moved[operand.tensor] = self.moved.get(operand.tensor, 0) + bytes


def compute_matmul(machine: Machine, span: Mapping[str, tuple[int, int]]) -> None:
    a, b, out = machine.held[0], machine.held[1], machine.held[2]
    out += a @ b


def compute_window(machine: Machine, span: Mapping[str, tuple[int, int]]) -> None:
    pool = machine.nest.kind == "pool"
    x, out = machine.held[0], machine.held[1 if pool else 2]
    corner = [s.start for s in machine.box0]  # type: ignore[attr-defined]
    rows, columns = machine.nest.operands[0].axes[-2:]
    assert isinstance(rows, Window)
    assert isinstance(columns, Window)
    for p, q, r, s in product(*(range(*span[loop]) for loop in "pqrs")):
        y = p * rows.stride + r * rows.dilation - rows.pad
        z = q * columns.stride + s * columns.dilation - columns.pad
        if not (0 <= y < rows.size and 0 <= z < columns.size):
            continue
        pixel = x[..., y - corner[-2], z - corner[-1]]
        here = (..., p - span["p"][0], q - span["q"][0])
        if pool:
            out[here] = np.maximum(out[here], pixel)
        else:
            w = machine.held[1][..., r - span["r"][0], s - span["s"][0]]
            out[here] += np.einsum("ngc,gkc->ngk", pixel, w)
    if len(machine.nest.operands) == 4 and all(span[loop][0] == 0 for loop in "crs"):
        out += machine.held[3][None, :, :, None, None]


def compute_attention(machine: Machine, span: Mapping[str, tuple[int, int]]) -> None:
    q, k, v, out, _, state = (machine.held[i] for i in range(6))
    scores = np.einsum("ghid,gjd->ghij", q, k)
    machine.held[4][:] = scores
    most = np.maximum(state[..., 0], scores.max(-1))
    total = state[..., 1] * np.exp(state[..., 0] - most)
    out *= np.where(state[..., 1] > 0, total, 0.0)[..., None]
    weights = np.exp(scores - most[..., None])
    total = total + weights.sum(-1)
    out += np.einsum("ghij,gje->ghie", weights, v)
    out /= total[..., None]
    state[..., 0], state[..., 1] = most, total


def compute_rows(machine: Machine, span: Mapping[str, tuple[int, int]]) -> None:
    weights = np.exp(machine.held[0])
    machine.held[1][:] = weights / weights.sum(-1, keepdims=True)


def compute_reduction(machine: Machine, span: Mapping[str, tuple[int, int]]) -> None:
    x, out = machine.nest.operands
    gone = tuple(number for number, axis in enumerate(x.axes) if axis not in out.axes)
    machine.held[1][:] += machine.held[0].sum(gone)


def compute_elementwise(machine: Machine, span: Mapping[str, tuple[int, int]]) -> None:
    *given, made = (machine.held[i] for i in range(len(machine.nest.operands)))
    made[:] = np.tanh(sum(given))


COMPUTE: dict[str, Callable[[Machine, Any], None]] = {
    "matmul": compute_matmul,
    "convolution": compute_window,
    "pool": compute_window,
    "attention": compute_attention,
    "rows": compute_rows,
    "reduction": compute_reduction,
    "elementwise": compute_elementwise,
}


@pytest.fixture
def machine() -> type[Machine]:
    return Machine
