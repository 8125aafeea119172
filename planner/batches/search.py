"""Plans over several phases by local search: one setup changes at a time, a linear program cuts the work anew.

The exact program over two phases takes seconds on three devices; this takes a fraction of one, and always the same way.
"""

from __future__ import annotations

from math import inf
from typing import Any

import pulp

from .phases import PhaseModel, Phases
from .problem import BatchProblem

GAIN = 1e-4
"""a change that saves a smaller share is none"""
SWEEPS = 4
"""times that all changes are tried"""

Choice = tuple[tuple[int, ...], ...]
"""Number of the setup by bundle and phase."""


def improve(p: BatchProblem, start: Phases, phases: int) -> Phases | None:
    """The best found over `phases` phases from `start`, whose last phase is repeated; None where nothing is better."""
    search = _Search(p, phases)
    first = tuple(
        tuple(kind.setups.index(start.setups[min(k, len(start.setups) - 1)][b]) for k in range(phases))
        for b, (kind, _) in enumerate(search.model.bundles)
    )
    best = search.value(first)
    choice = first
    for _ in range(SWEEPS):
        before = best
        for b, k in [(b, k) for b in range(len(first)) for k in range(phases)]:
            if search.is_repeated(choice, b):
                continue
            for s in range(len(search.model.bundles[b][0].setups)):
                changed = _changed(choice, b, k, s)
                if changed != choice and (value := search.value(changed)) < best * (1 - GAIN):
                    best, choice = value, changed
        if best == before:
            break
    if choice == first:
        return None
    search.value(choice)
    return search.model.read(search.solution(), 0.0, False)


def _changed(choice: Choice, b: int, k: int, s: int) -> Choice:
    row = (*choice[b][:k], s, *choice[b][k + 1 :])
    return (*choice[:b], row, *choice[b + 1 :])


class _Search:
    """The program with its setups held by bounds, solved again from where it was."""

    def __init__(self, p: BatchProblem, phases: int) -> None:
        self.model = PhaseModel(p, phases, relaxed=True)
        engine = pulp.HiGHS(msg=False, threads=1, random_seed=0)
        self.model.lp.solver = engine
        engine.createAndConfigureSolver(self.model.lp)
        engine.buildSolverModel(self.model.lp)
        self.solver: Any = self.model.lp.solverModel
        self.known: dict[Choice, float] = {}

    def value(self, choice: Choice) -> float:
        """[s] of the best cut of the work with these setups; infinite where it cannot be done."""
        if choice in self.known and self.known[choice] == inf:
            return inf
        for (b, k, s), z in self.model.z.items():
            held = float(choice[b][k] == s)
            self.solver.changeColBounds(z.index, held, held)
        self.solver.run()
        solved = self.solver.modelStatusToString(self.solver.getModelStatus()) == "Optimal"
        self.known[choice] = float(self.solver.getInfo().objective_function_value) if solved else inf
        return self.known[choice]

    def solution(self) -> list[float]:
        """Values of the variables at the last solution."""
        return list(self.solver.getSolution().col_value)

    def is_repeated(self, choice: Choice, b: int) -> bool:
        """Whether an earlier bundle is like this one and does the same: its changes come to the same."""
        bundles = self.model.bundles
        return any(bundles[a] == bundles[b] and choice[a] == choice[b] for a in range(b))
