"""The best choice of tilings, each choice judged by its best schedule."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from ..problem import ScratchpadProblem
from ..residency import Residency
from .choose import Costs, choices, first_choice
from .rewrite import Choice, Rewritten, rewrite
from .search import Tiling, coarsen

MOST_SCHEDULES = 300
"""Choices whose schedule is searched"""
MOST_STEPS = 20_000
"""Choices, complete or not, that are looked at for the bound"""
CHANGES_SHARE = 0.6
"""of the schedules and of the time for changes of one choice; the rest is for choices by their bound"""


@dataclass
class Pick:
    """A first choice, changes of it as long as they help, then all choices by their bound until none can be better."""

    problem: ScratchpadProblem
    given: Mapping[int, tuple[Tiling, ...]]
    deadline: float | None
    """[time.perf_counter()]"""
    tell: Callable[[str], None]
    best: Rewritten | None = None
    best_bytes: int = 0
    residency: Residency | None = None
    """the schedule of the best"""
    bound_bytes: int = 0
    """after `run`, no choice among those given moves fewer bytes beyond the compulsory traffic"""
    proved: dict[tuple[int, ...], int] = field(default_factory=dict)
    """by choice, as places in `given`: what none of its schedules is below"""
    known: tuple[Rewritten, int] | None = None

    def run(self) -> Rewritten:
        self.begun = time.perf_counter()
        self.costs = Costs(self.problem, self.given)
        self.place = {op: {tiling: i for i, tiling in enumerate(tilings)} for op, tilings in self.given.items()}
        self._try(first_choice(self.costs))
        self._change()
        rest = self._prove()
        self.bound_bytes = min(self.best_bytes, *self.proved.values(), rest)
        assert self.best is not None
        return self.best

    def coarser(self) -> Rewritten:
        """The best choice with tiles that fill what its schedule leaves free: as many bytes in fewer moves."""
        assert self.best is not None
        assert self.residency is not None
        loads = self.residency.load_bytes
        room = self.problem.size_bytes - self.problem.size_bytes % self.problem.alignment_bytes
        grown: dict[int, Tiling] = {}
        for op, tiling in self.best.choice.items():
            free = room - loads[self.residency.order.index(op)]
            grown[op] = coarsen(tiling, tiling.workspace_bytes + free, self.problem.alignment_bytes)
        return rewrite(self.problem, grown)

    def _prove(self) -> int:
        """What all choices that were not tried cost at least."""
        for step, ranked in enumerate(choices(self.costs)):
            ahead = ranked.cost_bytes - self.problem.compulsory_bytes
            if ahead >= self.best_bytes or step == MOST_STEPS or self._spent(1):
                return ahead
            if ranked.complete:
                self._try(ranked.choice)
        return self.best_bytes

    def _change(self) -> None:
        """Give operators that are alike another tiling together, then single ones, until nothing helps."""
        groups = self._groups()
        improved = True
        while improved:
            improved = False
            for ops, place in self._changes(groups):
                if self._spent(CHANGES_SHARE):
                    return
                assert self.best is not None
                choice = self.best.choice
                changed = {**choice, **{op: self.given[op][place] for op in ops}}
                cost = self._cost_of_best() + self.costs.more(choice, changed, *ops)
                if cost - self.problem.compulsory_bytes < self.best_bytes:
                    improved |= self._try(changed)

    def _cost_of_best(self) -> int:
        """What the best choice costs at least, worked out once for each."""
        assert self.best is not None
        if self.known is None or self.known[0] is not self.best:
            self.known = (self.best, self.costs.of(self.best.choice))
        return self.known[1]

    def _changes(self, groups: list[list[int]]) -> Iterator[tuple[list[int], int]]:
        for together in (True, False):
            for group in groups:
                if together or len(group) > 1:
                    for ops in [group] if together else [[op] for op in group]:
                        yield from ((ops, place) for place in range(len(self.given[ops[0]])))

    def _groups(self) -> list[list[int]]:
        """Operators with the same tilings but for names, which repeat in most networks."""
        found: dict[object, list[int]] = {}
        for op, tilings in self.given.items():
            touched = self.problem.operators[op].touched
            kinds = tuple((self.problem.tensors[t].bytes, len(self.problem.touches[t])) for t in touched)
            found.setdefault((kinds, tuple((t.order, t.tiles, len(t.whole)) for t in tilings)), []).append(op)
        return list(found.values())

    def _spent(self, share: float) -> bool:
        late = self.deadline is not None and time.perf_counter() > self.begun + share * (self.deadline - self.begun)
        return late or len(self.proved) >= share * MOST_SCHEDULES

    def _try(self, choice: Choice) -> bool:
        """Search the schedule of a choice; whether it is the best so far."""
        from ..search import schedule

        key = tuple(self.place[op][choice[op]] for op in self.given)
        if key in self.proved:
            return False
        rewritten = rewrite(self.problem, choice)
        left = None if self.deadline is None else max(0.05, self.deadline - time.perf_counter())
        residency, bound = schedule(rewritten.problem, time_limit_s=left)
        self.proved[key] = rewritten.base_bytes + bound
        moved = rewritten.base_bytes + residency.noncompulsory_bytes
        if self.best is not None and moved >= self.best_bytes:
            return False
        self.best, self.best_bytes, self.residency = rewritten, moved, residency
        self.tell(f"tilings found: {moved:,} bytes beyond the compulsory")
        return True
