"""The four baselines of COSMA's evaluation (arXiv 2311.18246): two orders, one allocator, two replacement policies.

The paper names them, {default, least-peak order} x TFLite's linear allocator x {Belady, greedy ILP}, and has no
public code. What is done here, step by step along a fixed order:

- *Allocator.* Addresses are given when a tensor comes, in a linear scan from address 0: the lowest gap that holds it,
  as TFLite's memory arena does; nothing that lies is moved to make room. What ends is freed at once. An operator's
  missing operands come largest first.
- *Belady.* While there is no gap, the resident tensor whose next use is furthest leaves (of two, the larger),
  operands of the running operator apart.
- *Greedy ILP.* The set that leaves is the one that costs least at this step: its bytes to reload, and to write where
  it was never written, subject to the gap holding the tensor. For one tensor that set is what lies in one window of
  addresses, whose start is 0 or the end of a resident tensor, so the optimum is found by looking at all of them.
- *Last resort.* Where operands that stay split the space so that no gap can come, all operands are laid anew from
  address 0, and each that was there before is charged as if it had left and come back. Without this, no baseline
  would run at M_R, which the largest operator fills to the last byte.

Traffic counts as everywhere: `Residency.moves`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from .problem import ScratchpadProblem
from .residency import Residency, Stay

Replacement = Literal["belady", "greedy"]
REPLACEMENTS: tuple[Replacement, ...] = ("belady", "greedy")


@dataclass(frozen=True)
class BaselinePlan:
    """What a baseline does: a residency, and the offset of each of its stays."""

    residency: Residency
    offsets: dict[int, int]


def baseline(problem: ScratchpadProblem, order: Sequence[int], replacement: Replacement) -> BaselinePlan | None:
    """The plan of one baseline; None where an operator does not fit into the scratchpad."""
    if problem.least_size_bytes > problem.size_bytes:
        return None
    return _Run(problem, order, replacement).plan()


def baselines(problem: ScratchpadProblem, least_peak_order: Sequence[int]) -> dict[str, int | None]:
    """Bytes of traffic beyond the compulsory of all four, by name; None where one cannot run."""
    found: dict[str, int | None] = {}
    for name, order in (("default", range(len(problem.operators))), ("least-peak", least_peak_order)):
        for replacement in REPLACEMENTS:
            plan = baseline(problem, order, replacement)
            found[f"{name}, {replacement}"] = plan.residency.noncompulsory_bytes if plan else None
    return found


@dataclass
class _Resident:
    """A tensor that lies at an address since the step `since`, last touched at `last`."""

    offset: int
    end: int
    since: int
    last: int


class _Run:
    """One walk along the order."""

    def __init__(self, problem: ScratchpadProblem, order: Sequence[int], replacement: Replacement) -> None:
        self.problem, self.order = problem, tuple(order)
        self.make_room: Callable[[int, int], int | None] = self._belady if replacement == "belady" else self._greedy
        at = {op: step for step, op in enumerate(self.order)}
        self.steps = [sorted(at[op] for op in ops) for ops in problem.touches]
        self.used = [0] * len(problem.tensors)
        """touches of each tensor so far"""
        self.residents: dict[int, _Resident] = {}
        self.written: set[int] = set()
        self.pinned: frozenset[int] = frozenset()
        self.stays: list[tuple[Stay, int]] = []

    def plan(self) -> BaselinePlan:
        for step, op in enumerate(self.order):
            touched = self.problem.operators[op].touched
            self.pinned = frozenset(touched)
            missing = sorted((t for t in touched if t not in self.residents), key=lambda t: -self.problem.sizes[t])
            for tensor in missing:
                if not self._bring(tensor, step):
                    self._lay_anew(touched, step)
                    break
            for tensor in touched:
                self.residents[tensor].last = step
                self.used[tensor] += 1
                if self.used[tensor] == len(self.steps[tensor]):
                    self._leave(tensor)
        self.stays.sort(key=lambda found: (found[0].tensor, found[0].start))
        residency = Residency(self.problem, self.order, tuple(stay for stay, _ in self.stays))
        return BaselinePlan(residency, {i: offset for i, (_, offset) in enumerate(self.stays)})

    def _bring(self, tensor: int, step: int) -> bool:
        size = self.problem.sizes[tensor]
        offset = self._gap(size)
        if offset is None:
            offset = self.make_room(size, step)
        if offset is None:
            return False
        self.residents[tensor] = _Resident(offset, offset + size, step, step)
        return True

    def _gap(self, size: int) -> int | None:
        """The lowest address at which `size` bytes are free."""
        start = 0
        for resident in sorted(self.residents.values(), key=lambda r: (r.offset, r.end)):
            if resident.offset - start >= size:
                return start
            start = max(start, resident.end)
        return start if self.problem.size_bytes - start >= size else None

    def _belady(self, size: int, step: int) -> int | None:
        offset = None
        while offset is None:
            free = [t for t in self.residents if t not in self.pinned]
            if not free:
                return None
            self._evict(max(free, key=lambda t: (self.steps[t][self.used[t]], self.problem.sizes[t], -t)))
            offset = self._gap(size)
        return offset

    def _greedy(self, size: int, step: int) -> int | None:
        best: tuple[int, int] | None = None
        for start in {0, *(r.end for r in self.residents.values())}:
            inside = self._inside(start, start + size)
            if start + size > self.problem.size_bytes or any(t in self.pinned for t in inside):
                continue
            cost = sum(self._cost(t) for t in inside)
            best = min(best, (cost, start)) if best else (cost, start)
        if best is None:
            return None
        for tensor in self._inside(best[1], best[1] + size):
            self._evict(tensor)
        return best[1]

    def _inside(self, start: int, end: int) -> list[int]:
        return [t for t, r in self.residents.items() if r.offset < end and r.end > start]

    def _cost(self, tensor: int) -> int:
        """Bytes that move when a tensor that is wanted again leaves."""
        found = self.problem.tensors[tensor]
        return found.bytes * (1 if found.leaves_free or tensor in self.written else 2)

    def _evict(self, tensor: int) -> None:
        self.written.add(tensor)
        self._leave(tensor)

    def _leave(self, tensor: int) -> None:
        resident = self.residents.pop(tensor)
        self.stays.append((Stay(tensor, resident.since, resident.last), resident.offset))

    def _lay_anew(self, touched: Sequence[int], step: int) -> None:
        """The operands of this step lie one after the other from address 0, and what lay there leaves."""
        need = self.problem.need_bytes[self.order[step]]
        for tensor, resident in list(self.residents.items()):
            if resident.since == step:
                del self.residents[tensor]
            elif tensor in self.pinned or resident.offset < need:
                self._evict(tensor)
        end = 0
        for tensor in touched:
            self.residents[tensor] = _Resident(end, end + self.problem.sizes[tensor], step, step)
            end += self.problem.sizes[tensor]
