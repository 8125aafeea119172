"""Every order and every eviction, by plain uniform-cost search: exact on small problems, in-place operators included.

It shares nothing with the engines that it is compared with but the statement of the problem; states are those of the
exact search.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, pairwise

from dovetail.planner.scratchpad.in_place import saved_bytes
from dovetail.planner.scratchpad.problem import ScratchpadProblem
from dovetail.planner.scratchpad.residency import Residency, residency_of


@dataclass(frozen=True)
class State:
    """What was run, who is resident, and of whom there is a valid copy outside."""

    done: frozenset[int]
    resident: frozenset[int]
    copied: frozenset[int]


@dataclass(frozen=True)
class Way:
    """How a state was reached: the operator that ran last, and who left before it."""

    before: State
    operator: int
    evicted: frozenset[int]


def exhaustive(problem: ScratchpadProblem, in_place: bool = False, most_states: int | None = None) -> Residency | None:
    """
    The residency with the least traffic over all orders, addresses apart; None past `most_states` states.

    `in_place`: an output may take over the buffer of an input of at least its size that is used for the last time.
    ValueError where an operator does not fit.
    """
    start = State(frozenset(), frozenset(), frozenset())
    best: dict[State, int] = {start: 0}
    ways: dict[State, Way] = {}
    queue = [(0, 0, 0, start)]
    serial = 0
    while queue:
        cost, _, _, state = heapq.heappop(queue)
        if cost > best[state]:
            continue
        if len(state.done) == len(problem.operators):
            return _trace(problem, state, ways)
        if most_states is not None and len(best) > most_states:
            return None
        for way, after, charge in _steps(problem, state, in_place):
            if cost + charge < best.get(after, cost + charge + 1):
                best[after], ways[after] = cost + charge, way
                serial += 1
                heapq.heappush(queue, (cost + charge, -len(after.done), serial, after))
    raise ValueError("an operator does not fit into the scratchpad")


def _steps(problem: ScratchpadProblem, state: State, in_place: bool) -> Iterator[tuple[Way, State, int]]:
    for v, needed in enumerate(problem.predecessors):
        if v in state.done or not needed <= state.done:
            continue
        touched = frozenset(problem.operators[v].touched)
        others = state.resident - touched
        done = state.done | {v}
        ending = [t for t in problem.operators[v].inputs if set(problem.touches[t]) <= done] if in_place else []
        need = problem.need_bytes[v] - saved_bytes(problem, v, ending)
        over = sum(problem.sizes[t] for t in others) + need - problem.size_bytes
        for out in _least_sets(problem, others, over):
            charge = sum(_charge(problem, state, t) for t in out)
            # Who comes back, or was never written again, has its copy: the write was charged when it left.
            back = touched - state.resident - {t for t in touched if not set(problem.touches[t]) & state.done}
            live = {t for t in (others - out) | touched if not set(problem.touches[t]) <= done}
            copied = frozenset((state.copied | back) & live)
            yield Way(state, v, out), State(done, frozenset(live), copied), charge


def _charge(problem: ScratchpadProblem, state: State, tensor: int) -> int:
    """What evicting a live tensor costs: its reload, and its write where there is no copy yet."""
    free = problem.tensors[tensor].leaves_free or tensor in state.copied
    return problem.tensors[tensor].bytes * (1 if free else 2)


def _least_sets(problem: ScratchpadProblem, others: frozenset[int], over: int) -> Iterator[frozenset[int]]:
    """The sets of at least `over` bytes from which none can be left out: evicting more, or earlier, gains nothing."""
    if over <= 0:
        yield frozenset()
        return
    for count in range(1, len(others) + 1):
        for chosen in combinations(sorted(others), count):
            total = sum(problem.sizes[t] for t in chosen)
            if total >= over and all(total - problem.sizes[t] < over for t in chosen):
                yield frozenset(chosen)


def _trace(problem: ScratchpadProblem, state: State, ways: dict[State, Way]) -> Residency:
    order: list[int] = []
    left: list[tuple[int, frozenset[int]]] = []
    while state in ways:
        way = ways[state]
        order.append(way.operator)
        left.append((len(state.done) - 1, way.evicted))
        state = way.before
    order.reverse()
    step_of = {op: step for step, op in enumerate(order)}
    kept = []
    for tensor, ops in enumerate(problem.touches):
        steps = sorted(step_of[op] for op in ops)
        gone = [step for step, out in left if tensor in out]
        kept.append([not any(a < step <= b for step in gone) for a, b in pairwise(steps)])
    return residency_of(problem, order, kept)
