"""
Better answers near one: a few neighbouring pieces move to another device, and what does not get worse is kept.

For graphs that are too large for the constraint program. The moves are drawn with a fixed seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from random import Random

from .check import pipeline_loads_ns
from .lists import retimed
from .period_model import staged
from .problem import OpPlacementProblem, Pipeline, Schedule

MOST_MOVED = 8
"""pieces that move at once"""
MISSES = 30
"""moves for each piece that find nothing better, after which it ends"""
PIPELINE_MISSES = 300
"""the same for pipelines, whose moves are counted up and not run through"""
SWAPS = 0.3
"""share of moves that change who goes first, and no device"""


def schedules(p: OpPlacementProblem, best: Schedule, is_over: Callable[[], bool]) -> Iterator[Schedule]:
    """Schedules, each better than the one before."""
    moves, current, misses = _Moves(p), best, 0
    while misses < MISSES * len(p.pieces) and not is_over():
        misses += 1
        device, start = list(current.device), list(current.start_ns)
        block = moves.block(_critical(p, current))
        if moves.random.random() < SWAPS:
            for i in block:
                start[i] = max(0, start[i] - moves.random.randrange(1, current.makespan_ns // 8 + 2))
        elif not moves.move(device, block):
            continue
        found = retimed(p, device, start)
        if found is None or found.makespan_ns > current.makespan_ns:
            continue
        if found.makespan_ns < current.makespan_ns:
            misses = 0
            yield found
        current = found


def pipelines(p: OpPlacementProblem, best: Pipeline, is_over: Callable[[], bool]) -> Iterator[Pipeline]:
    """Pipelines, each better than the one before; of equal periods, that of the least sum of squares of all loads."""
    moves, loads, misses = _Moves(p), Loads(p, best.device), 0
    worth, everything = loads.worth(), range(len(p.pieces))
    while misses < PIPELINE_MISSES * len(p.pieces) and not is_over():
        misses += 1
        device = list(loads.device)
        block = moves.block(everything)
        if not moves.move(device, block):
            continue
        before = {i: loads.device[i] for i in block}
        if not loads.move({i: device[i] for i in block}):
            continue
        value = loads.worth()
        if value > worth:
            loads.move(before)
            continue
        better, worth = value[0] < worth[0], value
        if better:
            misses = 0
            yield replace(staged(p, tuple(loads.device), 0), period_ns=value[0])


class Loads:
    """How long each device and link is busy in a period, while pieces move."""

    def __init__(self, p: OpPlacementProblem, device: tuple[int, ...]) -> None:
        self.p, self.device = p, list(device)
        devices, links = pipeline_loads_ns(p, Pipeline(device, ()))
        self.ns = [*devices, *links]

    def worth(self) -> tuple[int, int]:
        """What is to be little: the period, then what there is beside it."""
        return max(self.ns, default=0), sum(ns * ns for ns in self.ns)

    def move(self, to: Mapping[int, int]) -> bool:
        """Put pieces on other devices; False, and nothing done, where a tensor then has no way."""
        tensors = {t for i in to for t in (*self.p.inputs[i], *self.p.outputs[i])}
        before = {i: self.device[i] for i in to}
        self._add(before, tensors, -1)
        self._put(to)
        if all(self._has_way(t) for t in tensors):
            self._add(to, tensors, 1)
            return True
        self._put(before)
        self._add(before, tensors, 1)
        return False

    def _put(self, to: Mapping[int, int]) -> None:
        for i, d in to.items():
            self.device[i] = d

    def _has_way(self, t: int) -> bool:
        home = self.device[self.p.tensors[t].producer]
        return all(d == home or (home, d) in self.p.routes for d in self._targets(t))

    def _targets(self, t: int) -> set[int]:
        return {self.device[v] for v in self.p.tensors[t].users}

    def _add(self, pieces: Mapping[int, int], tensors: set[int], sign: int) -> None:
        """Count the pieces on these devices, and the tensors, in or out."""
        for i, d in pieces.items():
            self.ns[d] += sign * self.p.time_ns(i, d)
        for t in tensors:
            home = self.device[self.p.tensors[t].producer]
            for d in self._targets(t) - {home}:
                for link in self.p.routes[home, d].links:
                    self.ns[len(self.p.devices) + link] += sign * (self.p.transfer_ns(t, home, d) or 0)


def _critical(p: OpPlacementProblem, s: Schedule) -> list[int]:
    """The pieces of one chain, without a gap that another device could fill, from the start to the last end."""
    end = [at + p.time_ns(i, s.device[i]) for i, at in enumerate(s.start_ns)]
    before: dict[tuple[int, int], int] = {
        (s.device[i], end[i]): i for i in range(len(p.pieces)) if end[i] > s.start_ns[i]
    }
    at = max(range(len(p.pieces)), key=end.__getitem__)
    chain = [at]
    while s.start_ns[at] > 0:
        made = [p.tensors[t].producer for t in p.inputs[at]]
        previous = before.get((s.device[at], s.start_ns[at]))
        nearest = max(made, key=end.__getitem__, default=None) if previous is None else previous
        if nearest is None or nearest in chain[-1:]:
            break
        at = nearest
        chain.append(at)
    return chain


class _Moves:
    """Draws what is moved."""

    def __init__(self, p: OpPlacementProblem) -> None:
        self.p, self.random = p, Random(0)
        self.near: list[list[int]] = [[] for _ in p.pieces]
        for tensor in p.tensors:
            for v in tensor.users:
                self.near[tensor.producer].append(v)
                self.near[v].append(tensor.producer)

    def block(self, seeds: list[int] | range) -> list[int]:
        """A few pieces that hang together, around one of `seeds`."""
        block = [self.random.choice(seeds)]
        for _ in range(self.random.randrange(MOST_MOVED)):
            near = [v for u in block for v in self.near[u] if v not in block]
            if not near:
                break
            block.append(self.random.choice(near))
        return block

    def move(self, device: list[int], block: list[int]) -> bool:
        """Put the block on another device; False where it cannot be."""
        others = [d for d in range(len(self.p.devices)) if d != device[block[0]]]
        if not others:
            return False
        target = self.random.choice(others)
        moved = [i for i in block if target in self.p.allowed[i]]
        for i in moved:
            device[i] = target
        return bool(moved)
