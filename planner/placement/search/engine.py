"""Running a solver on the model: HiGHS or CBC through PuLP, quiet, on one thread, with a fixed seed."""

from __future__ import annotations

import atexit
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import pulp

from .clock import Clock

Plan = dict[str, str]
"""Piece id to pool id."""
Progress = Callable[[float | None, float | None], None]
"""Called with the best value known and the bound proved, in the model's units."""


class Decision(Protocol):
    """What the variables of a model stand for."""

    def plan(self, value: Callable[[Any], float]) -> Plan:
        """The plan that some values of the variables say."""
        ...


GAP = 1e-9
"""Relative gap at which the solver may stop: far below the 1e-6 that plans are called optimal at."""
SOLVERS = ("highs", "cbc")


@dataclass
class Outcome:
    """What one run of a solver found."""

    status: Literal["optimal", "infeasible", "stopped"]
    bound: float | None = None
    """No solution of the model is below this, in the model's units."""
    plans: list[Plan] = field(default_factory=list)
    """Solutions found, the best first."""
    interrupted: bool = False
    """The user asked to stop."""


def run(
    m: pulp.LpProblem,
    v: Decision,
    solver: str,
    time_limit_s: float | None,
    progress: Progress | None = None,
    gap: float = GAP,
) -> Outcome:
    """Solve the model to a relative gap; ValueError for a solver other than `SOLVERS`."""
    if solver == "highs":
        return _run_highs(m, v, time_limit_s, progress, gap)
    if solver == "cbc":
        return _run_cbc(m, v, time_limit_s, gap)
    raise ValueError(f"solver {solver!r} is none of {', '.join(SOLVERS)}")


PATIENCE_S = 1.0
"""HiGHS looks now and then whether it is to stop; where it does not for so long it is left alone, with its thread."""
TOLD_EVERY_S = 0.5


class LeftAlone(Exception):
    """The solver did not stop when it was asked to: nothing may be read from it."""


_left_alone: list[Any] = []
"""Solvers that may still run in threads of their own."""


def is_solving() -> bool:
    """Whether a solver that was left alone still runs. A process that ends before it does is aborted (SIGABRT)."""
    return any(h.is_solver_running() for h in _left_alone)


@atexit.register
def _wait() -> None:
    while is_solving():
        time.sleep(0.05)


class _InterruptibleHiGHS(pulp.HiGHS):
    """HiGHS in a thread of its own, so that Ctrl-C and the time limit stop it with what it has."""

    interrupted = False
    clock = Clock(None)

    def callSolver(self, lp: Any) -> None:
        h = lp.solverModel
        h.HandleUserInterrupt = True
        if self.clock.left is not None:
            # Large models take seconds to hand over, which count as well.
            h.setOptionValue("time_limit", self.clock.left)

        def stop() -> None:
            self.interrupted = True

        asked: float | None = None
        with on_interrupt(stop):
            while is_solving():  # one solver of a process runs at a time: another that was left alone ends first
                if self.interrupted or self.clock.over:
                    raise LeftAlone
                time.sleep(0.05)
            h.startSolve()
            while not h.wait(0.1)[0]:
                if asked is None and (self.interrupted or self.clock.over):
                    asked = time.perf_counter()
                    h.cancelSolve()
                if asked is not None and time.perf_counter() - asked > PATIENCE_S:
                    _left_alone.append(h)
                    raise LeftAlone


ASKS_TO_STOP = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def on_interrupt(do: Callable[[], None]) -> Iterator[None]:
    """Ctrl-C calls `do` meanwhile, and raises nothing: an exception inside a lock of the solver would be lost.

    So does SIGTERM where it is handled as Ctrl-C is, as the commands have it.
    """
    before = {each: signal.getsignal(each) for each in ASKS_TO_STOP}
    handled = {each: handler for each, handler in before.items() if callable(handler)}
    if threading.current_thread() is not threading.main_thread():
        handled = {}
    for each in handled:
        signal.signal(each, lambda *_: do())
    try:
        yield
    finally:
        for each, handler in handled.items():
            signal.signal(each, handler)


@contextmanager
def finishing() -> Iterator[None]:
    """The first interrupt meanwhile changes nothing: what was found is written down. The next one ends that."""
    passed = False

    def pass_one() -> None:
        nonlocal passed
        if passed:
            raise KeyboardInterrupt
        passed = True

    with on_interrupt(pass_one):
        yield


SMALL = 1000
"""Variables up to which HiGHS's presolve costs more than it saves: ours has dropped what is dominated already."""


MIP_TOLERANCE = 1e-8
"""How far from whole a variable may be. At 1e-9, the slack of the rows, HiGHS 1.14 without presolve loses optima now
and then: 2 of 374 small packings (`tests/planner/candidates/test_host_packing.py`), and none at 1e-8, 1e-7 or 1e-10."""


def _run_highs(
    m: pulp.LpProblem, v: Decision, time_limit_s: float | None, progress: Progress | None, gap: float
) -> Outcome:
    engine = _InterruptibleHiGHS(
        msg=False,
        threads=1,
        gapRel=gap,
        gapAbs=GAP,
        timeLimit=time_limit_s,
        random_seed=0,
        presolve="off" if m.numVariables() <= SMALL else "choose",
        mip_feasibility_tolerance=MIP_TOLERANCE,
        primal_feasibility_tolerance=1e-9,
    )
    engine.clock = Clock(time_limit_s)
    found: list[list[float]] = []
    bound, told = -math.inf, time.perf_counter()

    def improved(event: Any) -> None:
        found.append(list(event.data_out.mip_solution))
        tell(event)

    def went_on(event: Any) -> None:
        if time.perf_counter() - told > TOLD_EVERY_S:
            tell(event)

    def tell(event: Any) -> None:
        nonlocal bound, told
        bound, told = event.data_out.mip_dual_bound, time.perf_counter()
        if progress is not None:
            progress(event.data_out.objective_function_value, bound)

    create = engine.createAndConfigureSolver

    def configure(lp: Any) -> None:
        create(lp)
        lp.solverModel.cbMipImprovingSolution += improved
        lp.solverModel.cbMipInterrupt += went_on

    engine.createAndConfigureSolver = configure  # type: ignore[method-assign]
    try:
        with suppress(IndexError):  # PuLP reads row values, which HiGHS has none of where it found no solution
            m.solve(engine)
    except LeftAlone:
        plans = _distinct([v.plan(lambda x, at=at: at[x.index]) for at in found[::-1]])
        return Outcome("stopped", bound if abs(bound) < 1e30 else None, plans, engine.interrupted)
    h: Any = m.solverModel
    name = h.modelStatusToString(h.getModelStatus())
    info = h.getInfo()
    last = list(h.getSolution().col_value)
    has_last = info.primal_solution_status == 2
    values = ([last] if has_last else []) + found[::-1]
    plans = _distinct([v.plan(lambda x, at=at: at[x.index]) for at in values])
    if name in ("Infeasible", "Primal infeasible or unbounded"):
        return Outcome("infeasible")
    status = "optimal" if name == "Optimal" else "stopped"
    bound = info.mip_dual_bound
    return Outcome(status, bound if abs(bound) < 1e30 else None, plans, engine.interrupted)


def _run_cbc(m: pulp.LpProblem, v: Decision, time_limit_s: float | None, gap: float) -> Outcome:
    # Left alone, CBC drops plans that are better by less than 1e-5.
    exact = ["randomCbcSeed 1", "primalT 1e-9", "increment 1e-9"]
    engine = pulp.PULP_CBC_CMD(msg=False, threads=1, timeLimit=time_limit_s, gapRel=gap, gapAbs=GAP, options=exact)
    m.solve(engine)
    if m.status == pulp.LpStatusInfeasible:
        return Outcome("infeasible")
    has_values = m.sol_status in (pulp.LpSolutionOptimal, pulp.LpSolutionIntegerFeasible)
    plans = [v.plan(lambda x: x.varValue or 0.0)] if has_values else []
    if m.sol_status == pulp.LpSolutionOptimal:
        assert m.objective is not None
        value: Any = m.objective.value()
        return Outcome("optimal", value, plans)
    return Outcome("stopped", None, plans)


def _distinct(plans: list[Plan]) -> list[Plan]:
    kept: list[Plan] = []
    for plan in plans:
        if plan not in kept:
            kept.append(plan)
    return kept
