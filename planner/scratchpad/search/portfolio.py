"""`schedule`: pieces, then the exact search both ways and searches for upper bounds, until proved or out of time."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ..problem import ScratchpadProblem
from ..residency import Residency, residency_of
from .prepare import prepare
from .split import Piece, pieces

DEFAULT_TIME_LIMIT_S = 30.0
"""what a search without a limit may take"""
MEMORY_BYTES = 1_400 << 20
"""of all tables of the exact search together"""
FIRST_POPS = 250
"""states of the first round, which shows what direction is better; twice as many in each round after it"""

if TYPE_CHECKING:
    from .piece_run import PieceRun

Progress = Callable[[str], None]


def schedule(
    problem: ScratchpadProblem,
    *,
    time_limit_s: float | None = None,
    on_progress: Progress | None = None,
    on_interrupt: Callable[[], None] | None = None,
) -> tuple[Residency, int]:
    """The residency that moves the fewest bytes of all found, addresses apart, and a proved lower bound over all orders
    [bytes].

    They agree when the answer is proved optimal. Ends at the time limit [s], by default DEFAULT_TIME_LIMIT_S, or on
    Ctrl-C, with the best so far, after `on_interrupt`; loading or compiling the engines at first use does not count.
    ValueError if an operator does not fit; InputError without the extra `scratchpad`.
    """
    prepare()
    from .piece_run import PieceRun

    clock = Clock(DEFAULT_TIME_LIMIT_S if time_limit_s is None else time_limit_s)
    for op, need in zip(problem.operators, problem.need_bytes, strict=True):
        if need > problem.size_bytes:
            raise ValueError(f"operator {op.name} needs {need} bytes and the scratchpad has {problem.size_bytes}")
    parts = pieces(problem)
    runs: dict[object, PieceRun] = {}
    for part in parts:
        if part.key not in runs:
            runs[part.key] = PieceRun(part)
    times = [runs[part.key] for part in parts]
    try:
        _improve(list(runs.values()), times, clock, on_progress or (lambda _: None))
    except KeyboardInterrupt:
        if on_interrupt is not None:
            on_interrupt()
    answers = [runs[part.key] for part in parts]
    order, kept = _joined(problem, parts, [(r.order, r.kept) for r in answers])
    return residency_of(problem, order, kept), sum(r.bound for r in answers)


class Clock:
    """Time left of a limit."""

    def __init__(self, limit_s: float) -> None:
        self.end = time.perf_counter() + limit_s

    @property
    def left_s(self) -> float:
        """Seconds left, never below 0."""
        return max(0.0, self.end - time.perf_counter())


def _improve(runs: list[PieceRun], times: list[PieceRun], clock: Clock, tell: Progress) -> None:
    """Work on all open pieces in turn, twice as long each time."""
    pops = FIRST_POPS
    open_runs = [run for run in runs if not run.is_proved]
    while open_runs and clock.left_s > 0:
        used = sum(run.memory_bytes for run in runs)
        for run in open_runs:
            run.go_on(pops, clock, MEMORY_BYTES - used + run.memory_bytes, 1 / len(open_runs))
            used = sum(r.memory_bytes for r in runs)
            if clock.left_s == 0:
                break
        tell(f"{sum(r.upper for r in times):,} bytes found, {sum(r.bound for r in times):,} proved")
        open_runs = [run for run in open_runs if not run.is_proved and run.can_go_on]
        pops *= 2


def _joined(
    problem: ScratchpadProblem, parts: Sequence[Piece], answers: Sequence[tuple[Sequence[int], list[list[bool]]]]
) -> tuple[list[int], list[list[bool]]]:
    """The order and what is kept of the whole, from those of its pieces one after the other."""
    order: list[int] = []
    kept: list[list[bool]] = [[] for _ in problem.tensors]
    for part, (ranks, flags) in zip(parts, answers, strict=True):
        ops = [part.operators[rank] for rank in ranks]
        order += ops[1:] if order and ops and ops[0] == order[-1] else ops
        for tensor, gaps in zip(part.tensors, flags, strict=True):
            kept[tensor] += gaps
    for tensor, ops in enumerate(problem.touches):
        kept[tensor] += [True] * (len(ops) - 1 - len(kept[tensor]))
    return order, kept
