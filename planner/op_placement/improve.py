"""
Better answers near one: a few neighbouring pieces move to another device, and what does not get worse is kept.

For graphs that are too large for the constraint program. The moves are drawn with a fixed seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
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
    """Pipelines, each better than the one before; what is compared first is the period, then the sum of squares of all loads."""
    moves, current, misses = _Moves(p), best, 0
    worth = _worth(p, current)
    while misses < MISSES * len(p.pieces) and not is_over():
        misses += 1
        device = list(current.device)
        if not moves.move(device, moves.block(range(len(p.pieces)))):
            continue
        pairs = {(device[t.producer], device[v]) for t in p.tensors for v in t.users}
        if any(a != b and (a, b) not in p.routes for a, b in pairs):
            continue
        found = staged(p, tuple(device), 0)
        value = _worth(p, found)
        if value > worth:
            continue
        current, worth, better = replace(found, period_ns=value[0]), value, value[0] < worth[0]
        if better:
            misses = 0
            yield current


def _worth(p: OpPlacementProblem, s: Pipeline) -> tuple[int, int]:
    devices, links = pipeline_loads_ns(p, s)
    return max((*devices, *links), default=0), sum(load * load for load in (*devices, *links))


def _critical(p: OpPlacementProblem, s: Schedule) -> list[int]:
    """The pieces of one chain, without a gap that another device could fill, from the start to the last end."""
    end = [at + p.time_ns(i, s.device[i]) for i, at in enumerate(s.start_ns)]
    before: dict[tuple[int, int], int] = {(s.device[i], end[i]): i for i in range(len(p.pieces)) if end[i] > s.start_ns[i]}
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
