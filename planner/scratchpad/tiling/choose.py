"""Which tiling each operator gets: choices in the order of their cost without spills, cheapest first.

A choice costs at least what it moves when nothing is spilled: its tiles, the tensors that tiles need written or leave
outside, and the compulsory traffic; and besides what its tiled operators push out in every order (`evictions.py`). That
is known before any schedule is searched, so choices come out best first (A*, operator by operator), and once the next
one costs as much as the best schedule found, no other need be looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count

from ..problem import ScratchpadProblem
from .evictions import Evictions
from .nest import Nest
from .rewrite import Choice, streams
from .search import Tiling, room_of, tile_with, whole_sets

MOST_ROOMS = 6
"""How many amounts of room, to be left beside an operator, its tilings are made for."""


def options(problem: ScratchpadProblem, op: int, nest: Nest) -> tuple[Tiling, ...]:
    """
    The tilings of an operator worth choosing from: for every set of its tensors that may lie whole, the best one in
    all the room that is left, and the best ones that leave room for tensors that live across the operator.
    """
    rooms = _rooms(problem, op)
    found: list[Tiling] = []
    for whole in whole_sets(nest):
        left = problem.size_bytes - room_of(nest, whole, problem.alignment_bytes)
        budgets = [left - room for room in rooms if left >= room]
        if not budgets:
            continue
        kept: list[Tiling] = []
        for tiling in tile_with(nest, whole, budgets, problem.alignment_bytes):
            if not any(k.workspace_bytes <= tiling.workspace_bytes and _moved(k) <= _moved(tiling) for k in kept):
                kept.append(tiling)
        found += kept
    return tuple(found)


def _moved(tiling: Tiling) -> int:
    return sum(bytes for _, bytes in tiling.moved)


def _rooms(problem: ScratchpadProblem, op: int) -> list[int]:
    """Nothing, the size of each tensor that may live across `op`, and of all that must; the smallest few of these."""
    before = problem.ancestors
    rooms, together = {0}, 0
    for tensor, ops in enumerate(problem.touches):
        if op in ops or len(ops) < 2:
            continue
        early = any(not before[o] >> op & 1 for o in ops)
        late = any(not before[op] >> o & 1 for o in ops)
        if early and late:
            rooms.add(problem.sizes[tensor])
        if any(before[op] >> o & 1 for o in ops) and any(before[o] >> op & 1 for o in ops):
            together += problem.sizes[tensor]
            rooms.add(together)
    return sorted(room for room in rooms if room < problem.size_bytes)[:MOST_ROOMS]


@dataclass(frozen=True)
class Ranked:
    """A choice, complete or not, and what it costs at least [bytes of traffic]."""

    cost_bytes: int
    choice: Choice
    complete: bool


def choices(costs: Costs) -> Iterator[Ranked]:
    """
    Every choice, cheapest first. Incomplete ones come in between: all that are still to come cost at least
    as much as they do, which is what a caller needs to know that stops early.
    """
    ticket = count()
    spent = costs.of({})
    queue: list[tuple[int, int, int, int, dict[int, Tiling]]] = [(costs.ahead[0] + spent, 0, 0, spent, {})]
    while queue:
        cost, _, _, spent, choice = heappop(queue)
        yield Ranked(cost, choice, len(choice) == len(costs.ops))
        for longer in costs.longer(choice):
            reached = spent + costs.more(choice, longer, costs.ops[len(choice)])
            least = max(cost, reached + costs.ahead[len(longer)])
            heappush(queue, (least, -len(longer), next(ticket), reached, longer))


def first_choice(costs: Costs) -> Choice:
    """A good choice, found at once: the cheapest tiling of one operator after the other."""
    choice: dict[int, Tiling] = {}
    for op in costs.ops:
        before = dict(choice)
        choice = min(costs.longer(before), key=lambda longer: costs.more(before, longer, op))
    return choice


class Costs:
    """What choices cost at least, complete or not."""

    def __init__(self, problem: ScratchpadProblem, given: Mapping[int, Sequence[Tiling]]) -> None:
        self.problem, self.given = problem, given
        self.ops = sorted(given)
        pushed = Evictions(problem, frozenset(given))
        self.own = {id(t): _moved(t) + pushed.least_bytes(op, t.resident_bytes) for op in given for t in given[op]}
        """what each tiling moves and pushes out"""
        self.ahead = [0]
        """least cost of the operators from each place on, their own tensors included"""
        for op in reversed(self.ops):
            self.ahead.append(self.ahead[-1] + min(self.own[id(t)] + self._private(op, t) for t in given[op]))
        self.ahead.reverse()
        touched = {t for op in self.ops for t in problem.operators[op].touched}
        self.shared = [t for t in touched if problem.touches[t]]
        untouched = (t for t, ops in enumerate(problem.touches) if ops and t not in touched)
        self.fixed = sum(problem.tensors[t].bytes for t in untouched if problem.tensors[t].kind != "intermediate")

    def longer(self, choice: Choice) -> list[dict[int, Tiling]]:
        """The choice with the next operator decided, in every way."""
        if len(choice) == len(self.ops):
            return []
        op = self.ops[len(choice)]
        return [{**choice, op: tiling} for tiling in self.given[op]]

    def _private(self, op: int, tiling: Tiling) -> int:
        """Bytes of the whole tensors that no other operator touches: loaded, or written, for this one alone."""
        mine = [t for t in self.problem.operators[op].touched if len(self.problem.touches[t]) == 1]
        whole = (self.problem.tensors[t] for t in mine if self.problem.tensors[t].name in tiling.whole)
        return sum(tensor.bytes for tensor in whole if tensor.kind != "intermediate")

    def of(self, choice: Choice) -> int:
        """Bytes that the operators decided so far move, and those of tensors that must move whatever the rest do."""
        tiles = sum(self.own[id(tiling)] for tiling in choice.values())
        return self.fixed + tiles + sum(self._of_tensor(index, choice) for index in self.shared)

    def more(self, before: Choice, after: Choice, *ops: int) -> int:
        """`of(after)` less `of(before)`, which differ in `ops` alone."""
        tiles = sum(self.own[id(after[op])] - (self.own[id(before[op])] if op in before else 0) for op in ops)
        touched = {t for op in ops for t in self.problem.operators[op].touched}
        return tiles + sum(self._of_tensor(t, after) - self._of_tensor(t, before) for t in touched)

    def _of_tensor(self, index: int, choice: Choice) -> int:
        tensor, maker = self.problem.tensors[index], self.problem.producer[index]
        decided = [op for op in self.problem.touches[index] if op in choice or op not in self.given]
        streamed = [op for op in decided if streams(choice, op, tensor.name)]
        if maker is not None and maker not in decided:
            return 0
        if maker is None or maker in streamed:
            return tensor.bytes if len(streamed) < len(decided) else 0
        return tensor.bytes if streamed or tensor.kind == "output" else 0
