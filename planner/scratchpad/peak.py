"""The order of least peak: M_P, the smallest scratchpad in which everything stays until its last use."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from .problem import ScratchpadProblem


@dataclass(frozen=True)
class LeastPeak:
    """An order, its peak, and what no order stays below."""

    order: tuple[int, ...]
    peak_bytes: int
    bound_bytes: int

    @property
    def is_least(self) -> bool:
        """Whether the bound is met."""
        return self.peak_bytes == self.bound_bytes


def peak_of(problem: ScratchpadProblem, order: Sequence[int]) -> int:
    """Bytes resident at the fullest step of `order` when every tensor stays from its first touch to its last."""
    search = _Search(problem)
    state, peak = search.start, 0
    for op in order:
        need, state = search.run(state, op)
        peak = max(peak, need)
    return peak


def least_peak(problem: ScratchpadProblem, *, time_limit_s: float | None = None) -> LeastPeak:
    """
    An order whose peak is least; when the time is up, the best order known and the bound proved until then.

    Exact: with limits B rising from the need of the largest operator, all sets E of executed operators that can be
    reached with no step above B are visited, deepest first; the next B is the least need of a step that was too large.
    One rule keeps the sets few. An operator that can run within B and after which no more is resident than before may
    run at once: in any order that goes on from E, moving it to the front leaves at every step no more than before,
    because what it ends is ended there too, and what it starts is started there or earlier.
    An order read backwards has the same peak, and one direction may visit far fewer sets: both take turns.
    """
    stop = None if time_limit_s is None else time.monotonic() + time_limit_s
    guesses = [tuple(range(len(problem.operators))), _greedy(problem)]
    peak, order = min((peak_of(problem, order), order) for order in guesses)
    forward, backward = _Search(problem), _Search(problem, backward=True)
    turn = 1000
    while stop is None or time.monotonic() < stop:
        for search in (forward, backward):
            search.advance(turn, peak, stop)
            if search.order is not None:
                found = search.order if search is forward else search.order[::-1]
                return LeastPeak(tuple(found), search.limit, search.limit)
            if search.limit >= peak:
                return LeastPeak(order, peak, peak)
        turn *= 2
    return LeastPeak(order, peak, max(forward.limit, backward.limit))


def _greedy(problem: ScratchpadProblem) -> tuple[int, ...]:
    """The ready operator that leaves least behind, then the one that needs least."""
    search = _Search(problem)
    state, order = search.start, []
    while state.ready:
        _, _, op, state = min((after.live_bytes, need, op, after) for op, need, after in search.steps(state))
        order.append(op)
    return tuple(order)


@dataclass(frozen=True, order=True)
class _State:
    """Sets are bits: executed operators, tensors touched before and after, operators that can run."""

    executed: int
    live: int
    live_bytes: int
    ready: int


class _Search:
    """The search for one problem in one direction; what is touched once counts in the need of its operator alone."""

    def __init__(self, problem: ScratchpadProblem, *, backward: bool = False) -> None:
        lasting = [len(ops) > 1 for ops in problem.touches]
        self.sizes = problem.sizes
        self.touched = [[t for t in op.touched if lasting[t]] for op in problem.operators]
        self.alone = [sum(self.sizes[t] for t in op.touched if not lasting[t]) for op in problem.operators]
        self.users = [sum(1 << op for op in ops) for ops in problem.touches]
        before = [list(ops) for ops in problem.predecessors]
        after: list[list[int]] = [[] for _ in problem.operators]
        for op, direct in enumerate(before):
            for p in direct:
                after[p].append(op)
        if backward:
            before, after = after, before
        self.before, self.after = [sum(1 << p for p in ops) for ops in before], after
        self.start = _State(0, 0, 0, sum(1 << op for op, direct in enumerate(before) if not direct))
        self.all = (1 << len(problem.operators)) - 1
        self.limit = problem.least_size_bytes
        """no order has a peak below this"""
        self.order: list[int] | None = None
        self._came: dict[int, tuple[int, tuple[int, ...]]] = {}
        """for each set visited, the one before it and the operators run since"""
        self._stack: list[_State] = []
        self._blocked: dict[int, list[tuple[_State, int]]] = {}
        """steps that were too large, by what they need"""
        self._visit(0, [], self.start, self._stack)

    def run(self, state: _State, op: int) -> tuple[int, _State]:
        """Bytes resident while `op` runs, and what comes after."""
        executed, live, size = state.executed | 1 << op, state.live, state.live_bytes
        for t in self.touched[op]:
            if not live >> t & 1:
                live |= 1 << t
                size += self.sizes[t]
        need = size + self.alone[op]
        for t in self.touched[op]:
            if not self.users[t] & ~executed:
                live &= ~(1 << t)
                size -= self.sizes[t]
        ready = state.ready & ~(1 << op)
        for other in self.after[op]:
            if not self.before[other] & ~executed:
                ready |= 1 << other
        return need, _State(executed, live, size, ready)

    def steps(self, state: _State) -> list[tuple[int, int, _State]]:
        """(operator, bytes while it runs, what comes after) for each that can run."""
        found, rest = [], state.ready
        while rest:
            op = (rest & -rest).bit_length() - 1
            rest &= rest - 1
            found.append((op, *self.run(state, op)))
        return found

    def settle(self, state: _State, limit: int, path: list[int]) -> _State:
        """Run all that may run at once, and note it in `path`."""
        moved = True
        while moved:
            moved = False
            for op, need, after in self.steps(state):
                if need <= limit and after.live_bytes <= state.live_bytes:
                    path.append(op)
                    state, moved = after, True
                    break
        return state

    def advance(self, states: int, known: int, stop: float | None) -> None:
        """Look at up to `states` sets; done when there is an order, or when the limit reaches `known`."""
        for _ in range(states):
            while not self._stack:
                self.limit = min(self._blocked, default=known)
                if self.limit >= known:
                    return
                for state, op in self._blocked.pop(self.limit):
                    self._visit(state.executed, [op], self.run(state, op)[1], self._stack)
            state = self._stack.pop()
            if state.executed == self.all:
                self.order = self._path()
                return
            if stop is not None and time.monotonic() > stop:
                self._stack.append(state)
                return
            self._expand(state)

    def _expand(self, state: _State) -> None:
        children: list[_State] = []
        for op, need, after in self.steps(state):
            if need > self.limit:
                self._blocked.setdefault(need, []).append((state, op))
            else:
                self._visit(state.executed, [op], after, children)
        self._stack += sorted(children, key=lambda child: -child.live_bytes)

    def _visit(self, origin: int, path: list[int], after: _State, found: list[_State]) -> None:
        after = self.settle(after, self.limit, path)
        if after.executed not in self._came:
            self._came[after.executed] = (origin, tuple(path))
            found.append(after)

    def _path(self) -> list[int]:
        executed, parts = self.all, []
        while executed:
            executed, path = self._came[executed]
            parts.append(path)
        return [op for part in reversed(parts) for op in part]
