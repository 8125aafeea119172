"""Every order and every eviction in place, for problems of some twenty operators: best first, over sets as bits.

The states are those of the exact search (`search/`): what was run, who is resident, of whom there is a copy outside.
What an operator saves in place depends on which of its inputs end, and so on what was run before. By an exchange
argument a state s is dropped where a state p of the same operators can turn into it for no more than s costs:

(47)  cost(p) + sum over resident(p) - resident(s) of evict_p + sum over both, copied in s alone, of s_a  <=  cost(s)

with evict_p = s_a, twice that where a is intermediate and not copied in p. Reloads are charged when a tensor leaves, so
whoever is resident in s alone comes back for nothing. The least cost in the queue is always a bound over all orders.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from .in_place import saved_bytes
from .problem import ScratchpadProblem

State = tuple[int, int, int]
"""operators run, tensors resident, tensors with a copy outside"""


@dataclass(frozen=True)
class Found:
    """What a search came to; `is_closed` where it looked at all that could be better than what was known before."""

    order: tuple[int, ...] | None
    bound_bytes: int
    is_closed: bool


def search_in_place(
    problem: ScratchpadProblem, below_bytes: int | None, most_states: int, time_limit_s: float | None
) -> Found:
    """The order of the plan in place with the least traffic, addresses apart, if that is less than `below_bytes`; and a
    bound over all orders, which is `below_bytes` where nothing less was found. Without `below_bytes`, no order and
    `is_closed` mean that operators do not all fit in any order."""
    return _Search(problem).run(below_bytes, most_states, time_limit_s)


class _Search:
    def __init__(self, problem: ScratchpadProblem) -> None:
        self.problem, self.sizes = problem, problem.sizes
        self.bytes = [tensor.bytes for tensor in problem.tensors]
        self.users = [sum(1 << v for v in ops) for ops in problem.touches]
        self.touched = [sum(1 << t for t in op.touched) for op in problem.operators]
        self.before = [sum(1 << p for p in direct) for direct in problem.predecessors]
        self.free = sum(1 << t for t, tensor in enumerate(problem.tensors) if tensor.leaves_free)
        self.need = cache(self._need)

    def _need(self, operator: int, ending: int) -> int:
        inputs = dict.fromkeys(self.problem.operators[operator].inputs)
        saved = saved_bytes(self.problem, operator, [t for t in inputs if ending >> t & 1])
        return self.problem.need_bytes[operator] - saved

    def run(self, below: int | None, most_states: int, time_limit_s: float | None) -> Found:
        stop = None if time_limit_s is None else time.perf_counter() + time_limit_s
        start: State = (0, 0, 0)
        best: dict[State, int] = {start: 0}
        came: dict[State, tuple[State, int]] = {}
        closed: dict[int, list[tuple[int, int, int]]] = {}
        queue: list[tuple[int, int, State]] = [(0, 0, start)]
        every = (1 << len(self.touched)) - 1
        while queue:
            cost, _, state = heapq.heappop(queue)
            if below is not None and cost >= below:
                break
            if len(best) > most_states or (stop is not None and time.perf_counter() > stop):
                return Found(None, cost, False)
            if cost > best[state] or self._is_dominated(closed.setdefault(state[0], []), state, cost):
                continue
            if state[0] == every:
                return Found(_order(state, came), cost, True)
            closed[state[0]].append((cost, state[1], state[2]))
            for operator, after, charge in self._steps(state):
                reached = cost + charge
                if (below is None or reached < below) and reached < best.get(after, reached + 1):
                    best[after], came[after] = reached, (state, operator)
                    heapq.heappush(queue, (reached, -after[0].bit_count(), after))
        return Found(None, below or 0, True)

    def _is_dominated(self, others: list[tuple[int, int, int]], state: State, cost: int) -> bool:
        """Equation (47)."""
        _, resident, copied = state
        for spent, theirs, their_copies in others:
            left = cost - spent
            left -= self._evicting(theirs & ~resident, their_copies) if left >= 0 else 0
            if left >= 0 and self._total(theirs & resident & copied & ~their_copies & ~self.free) <= left:
                return True
        return False

    def _evicting(self, tensors: int, copied: int) -> int:
        """What it costs that `tensors` leave: their reloads, and the writes of those without a copy."""
        return self._total(tensors) + self._total(tensors & ~copied & ~self.free)

    def _total(self, tensors: int) -> int:
        total = 0
        while tensors:
            last = tensors & -tensors
            total += self.bytes[last.bit_length() - 1]
            tensors ^= last
        return total

    def _steps(self, state: State) -> Iterator[tuple[int, State, int]]:
        done, resident, copied = state
        for v, needed in enumerate(self.before):
            if done >> v & 1 or needed & ~done:
                continue
            after, touched = done | 1 << v, self.touched[v]
            mine = tuple(self._members(touched))
            ending = sum(1 << t for t in mine if not self.users[t] & ~after)
            others = resident & ~touched
            over = sum(self.sizes[t] for t in self._members(others)) + self.need(v, ending) - self.problem.size_bytes
            back = sum(1 << t for t in mine if self.users[t] & done) & ~resident
            for out in self._least_sets(tuple(t for t in self._members(others) if self.sizes[t]), over):
                live = sum(1 << t for t in self._members((others & ~out) | touched) if self.users[t] & ~after)
                yield v, (after, live, (copied | back) & live), self._evicting(out, copied)

    def _members(self, tensors: int) -> Iterator[int]:
        while tensors:
            last = tensors & -tensors
            yield last.bit_length() - 1
            tensors ^= last

    def _least_sets(self, tensors: tuple[int, ...], over: int) -> Iterator[int]:
        """The sets of at least `over` bytes from which none can be left out: more, or earlier, gains nothing."""
        if over <= 0:
            yield 0
            return
        ordered = sorted(tensors, key=lambda t: -self.sizes[t])
        rest = [0] * (len(ordered) + 1)
        for i in range(len(ordered) - 1, -1, -1):
            rest[i] = rest[i + 1] + self.sizes[ordered[i]]

        def choose(at: int, chosen: int, missing: int) -> Iterator[int]:
            """Largest first: the last one taken is the smallest, so the set is least if it is wanted."""
            if missing <= 0:
                yield chosen
            elif at < len(ordered) and rest[at] >= missing:
                yield from choose(at + 1, chosen | 1 << ordered[at], missing - self.sizes[ordered[at]])
                yield from choose(at + 1, chosen, missing)

        yield from choose(0, 0, over)


def _order(state: State, came: dict[State, tuple[State, int]]) -> tuple[int, ...]:
    found: list[int] = []
    while state in came:
        state, operator = came[state]
        found.append(operator)
    return tuple(reversed(found))
