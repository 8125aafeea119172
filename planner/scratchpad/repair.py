"""Addresses at any price: a residency laid out step by step, with more evictions where nothing else makes room."""

from __future__ import annotations

from collections.abc import Iterable

from .in_order import Placed
from .in_place import SharedResidency
from .residency import residency_of


def repaired(shared: SharedResidency) -> Placed:
    """Addresses for the residency, or for one of the same order that keeps less; there always is one.

    At each step, what is missing goes where the cheapest residents must leave for it; where no place is left between
    the operator's own tensors, these are packed anew, as if reloaded. A heuristic, in one sweep.
    """
    walk = _Walk(shared)
    for step in range(len(walk.order)):
        walk.run(step)
    residency = residency_of(walk.problem, walk.order, walk.kept)
    offsets = {i: walk.offset[stay.tensor, stay.start] for i, stay in enumerate(residency.stays)}
    return Placed(SharedResidency(residency, shared.pairs), offsets)


class _Walk:
    """What is resident where while the steps go by."""

    def __init__(self, shared: SharedResidency) -> None:
        self.problem, self.order = shared.residency.problem, shared.residency.order
        self.taken_over = dict(shared.pairs)
        step_of = {op: step for step, op in enumerate(self.order)}
        self.steps = [sorted(step_of[op] for op in ops) for ops in self.problem.touches]
        self.touched_before = [0] * len(self.steps)
        starts = {(stay.tensor, stay.start) for stay in shared.residency.stays}
        self.kept = [[(t, step) not in starts for step in steps[1:]] for t, steps in enumerate(self.steps)]
        self.written: set[int] = set()
        self.live: dict[int, int] = {}
        """tensor -> offset"""
        self.offset: dict[tuple[int, int], int] = {}
        """(tensor, step of a touch) -> offset"""

    def run(self, step: int) -> None:
        touched = self.problem.operators[self.order[step]].touched
        alone = [t for t in touched if t not in self.taken_over or self.taken_over[t] not in touched]
        missing = sorted((t for t in alone if t not in self.live), key=lambda t: -self.problem.sizes[t])
        if not all(self._fit(tensor, touched) for tensor in missing):
            self._pack(alone)
        for tensor in touched:
            if tensor not in alone:
                self.live[tensor] = self.live[self.taken_over[tensor]]
        for tensor in touched:
            self.offset[tensor, step] = self.live[tensor]
            gap = self.touched_before[tensor]
            self.touched_before[tensor] += 1
            if gap == len(self.kept[tensor]) or not self.kept[tensor][gap]:
                self._leave(tensor)

    def _fit(self, tensor: int, touched: Iterable[int]) -> bool:
        """Whether `tensor` has a place now, from which those that are cheapest to evict have left."""
        size, own = self.problem.sizes[tensor], set(touched)
        lying = sorted((at, at + self.problem.sizes[t], t) for t, at in self.live.items())
        best: tuple[int, int, list[int]] | None = None
        first = 0
        for offset in (0, *(end for _, end, _ in lying)):
            if offset + size > self.problem.size_bytes:
                break
            while first < len(lying) and lying[first][1] <= offset:
                first += 1
            under = [t for start, _, t in lying[first:] if start < offset + size]
            if not own.intersection(under):
                price = sum(self._price(t) for t in under)
                best = min(best or (price, offset, under), (price, offset, under))
                if not price:
                    break
        if best is None:
            return False
        for other in best[2]:
            self._evict(other)
        self.live[tensor] = best[1]
        return True

    def _pack(self, tensors: list[int]) -> None:
        """Put `tensors` side by side from 0; who lies there leaves."""
        for tensor in list(self.live):
            self._evict(tensor)
        place = 0
        for tensor in tensors:
            self.live[tensor] = place
            place += self.problem.sizes[tensor]

    def _price(self, tensor: int) -> int:
        free = self.problem.tensors[tensor].leaves_free or tensor in self.written
        return self.problem.tensors[tensor].bytes * (1 if free else 2)

    def _evict(self, tensor: int) -> None:
        """`tensor` does not stay through the gap that it is in; one that was just placed is in none."""
        gap = self.touched_before[tensor] - 1
        if gap >= 0:
            self.kept[tensor][gap] = False
        self._leave(tensor)

    def _leave(self, tensor: int) -> None:
        self.written.add(tensor)
        del self.live[tensor]
