"""Running the constraint solver: one thread, fixed seed; a time limit or Ctrl-C ends it with the best so far."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Thread
from typing import Any, Generic, Protocol, TypeVar

from ..scratchpad.addresses.extra import load_cp_model

Found = TypeVar("Found", covariant=True)
WAIT_S = 0.05
"""[s] between looks at whether the user wants to stop"""


class Program(Protocol[Found]):
    """A constraint program that can say what a solver found."""

    model: Any
    linearisation: int
    """how much of it the solver also holds as a linear program: 0 nothing, 2 all"""

    def found(self, solver: Any) -> Found:
        """The answer that the solver holds."""
        ...


@dataclass(frozen=True)
class Run(Generic[Found]):
    """How a run of the solver ended."""

    status: str
    """`optimal`, `feasible`, `infeasible` or `unknown`"""
    bound: float
    """no answer is less"""
    answer: Found | None
    interrupted: bool


def run(
    program: Program[Found], time_limit_s: float | None, on_bounds: Callable[[float, float], None] | None = None
) -> Run[Found]:
    """Solve the program; `on_bounds` is told of each better answer, with the bound at that time."""
    cp = load_cp_model()
    solver = cp.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 0
    solver.parameters.catch_sigint_signal = False
    solver.parameters.linearization_level = program.linearisation
    if time_limit_s is not None:
        solver.parameters.max_time_in_seconds = max(time_limit_s, 0.0)
    ended: list[int] = []
    thread = Thread(target=lambda: ended.append(solver.solve(program.model, _told(cp, on_bounds))), daemon=True)
    interrupted = False
    thread.start()
    while thread.is_alive():
        try:
            thread.join(WAIT_S)
        except KeyboardInterrupt:
            interrupted = True
            solver.stop_search()
    status = {cp.OPTIMAL: "optimal", cp.FEASIBLE: "feasible", cp.INFEASIBLE: "infeasible"}.get(ended[0], "unknown")
    answer = program.found(solver) if status in ("optimal", "feasible") else None
    return Run(status, solver.best_objective_bound if answer is not None else 0.0, answer, interrupted)


def _told(cp: Any, on_bounds: Callable[[float, float], None] | None) -> Any:
    """The solver's callback for better answers; none where nobody listens."""
    if on_bounds is None:
        return None
    tell = on_bounds

    class Teller(cp.CpSolverSolutionCallback):
        def on_solution_callback(self) -> None:
            tell(self.objective_value, self.best_objective_bound)

    return Teller()
