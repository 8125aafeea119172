"""
Solves a placement: bounds and lists first, then the constraint program, of the whole or of joined pieces.

Whatever comes out has passed `check.py`. A graph with necks is cut there first. Graphs of up to `EXACT_PIECES` are
solved whole; of larger ones pieces are joined into fewer, that problem is solved, its answer is unfolded and improved
piece by piece. The bound is always that of the whole graph.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from math import ceil, inf
from time import monotonic
from typing import Any

from . import improve
from .bounds import Table, heads_ns, path_bound_ns, shared_bound_ns, tails_ns, through_ns
from .check import pipeline_faults, pipeline_loads_ns, schedule_faults
from .coarsen import coarsened
from .engine import Run, run
from .lists import heft, peft, retimed
from .makespan_model import MakespanModel
from .period_model import PeriodModel, staged
from .problem import Answer, OpPlacementProblem, Pipeline, Schedule
from .relaxation import relaxed_bound_ns
from .segments import Segments, find_necks

EXACT_PIECES = 150
"""graphs of more are decomposed"""
COARSE_PIECES = 60
"""into at most so many joined pieces"""
COARSE_SHARE = 0.5
"""of the time that is left, for the problem of joined pieces"""
SEGMENT_SHARE = 0.25
"""of the time that is left, for one segment"""
SEGMENT_S = 60.0
"""[s] for it without a limit"""
COARSE_S = 20.0
"""[s] for it without a limit"""
MOVES_SHARE = 0.1
"""of the time that is left, for moving pieces before the constraint program begins"""
MOVES_S = 3.0
"""[s] for it without a limit"""
RELAXED_SHARE = 0.3
"""of the time that is left, for the linear program"""
Progress = Callable[[int | None, int], None]


def place(
    p: OpPlacementProblem,
    pipelined: bool = False,
    time_limit_s: float | None = None,
    on_progress: Progress | None = None,
) -> Answer:
    """
    The schedule of least makespan, or with `pipelined` the pipeline of least period.

    `on_progress` is told the best value so far and the bound [ns]. Time over or Ctrl-C: the best so far, with its gap.
    """
    search = _Search(p, pipelined, time_limit_s, on_progress)
    try:
        search.run()
    except KeyboardInterrupt:
        search.stopped = True
    return search.answer()


class _Search:
    """What is known so far."""

    def __init__(
        self, p: OpPlacementProblem, pipelined: bool, time_limit_s: float | None, on_progress: Progress | None
    ) -> None:
        self.p, self.pipelined, self.on_progress = p, pipelined, on_progress
        self.began = monotonic()
        self.end = None if time_limit_s is None else self.began + time_limit_s
        self.best: Schedule | Pipeline | None = None
        self.way = ""
        self.bound_ns = 0
        self.none_exists = False
        self.stopped = False

    def left_s(self, share: float = 1.0) -> float | None:
        """[s] that are left, or a share of them; None for no limit."""
        return None if self.end is None else max(0.0, (self.end - monotonic()) * share)

    def is_over(self) -> bool:
        """Whether nothing is left to do, or no time to do it in."""
        proved = self.value() <= self.bound_ns
        return self.none_exists or self.stopped or proved or (self.end is not None and monotonic() >= self.end)

    def value(self) -> float:
        """[ns] of the best so far."""
        if self.best is None:
            return inf
        return self.best.makespan_ns if isinstance(self.best, Schedule) else self.best.period_ns

    def run(self) -> None:
        """All steps, each of which may be the last."""
        heads, tails = heads_ns(self.p), tails_ns(self.p)
        through = through_ns(self.p, heads, tails)
        path = path_bound_ns(through)
        if path == inf:
            self.none_exists = True
            return
        self.raise_bound(shared_bound_ns(self.p))
        if not self.pipelined:
            self.raise_bound(ceil(path))
        for way, found in self.first_ones():
            self.offer(found, way)
        if self.is_over():
            return
        if not self.pipelined:
            self.by_segments()
            if self.is_over():
                return
        self.raise_bound(relaxed_bound_ns(self.p, heads, through, self.pipelined, self.left_s(RELAXED_SHARE)))
        if self.is_over():
            return
        if len(self.p.pieces) > EXACT_PIECES:
            self.decomposed()
            return
        self.improve(MOVES_S if self.end is None else self.left_s(MOVES_SHARE))
        if not self.is_over():
            self.exact(heads, through)

    def by_segments(self) -> None:
        """The shortest path over necks, where the graph has some. Equation (20)."""
        found = find_necks(self.p)
        if not found.at:
            return
        segments = Segments(self.p, found)
        least, path = segments.solve(self.one_segment, self.is_over)
        self.raise_bound(least)
        if path is not None and all(step.schedule is not None for _, step in path):
            self.offer(retimed(self.p, *segments.devices_and_starts(path)), "segments")

    def one_segment(self, segment: OpPlacementProblem) -> Answer:
        """A segment's least makespan, in a share of the time that is left."""
        limit = self.left_s(SEGMENT_SHARE)
        inner = _Search(segment, False, SEGMENT_S if limit is None else limit, None)
        try:
            inner.run()
        except KeyboardInterrupt:
            self.stopped = True
        self.stopped |= inner.stopped
        return inner.answer()

    def first_ones(self) -> Iterable[tuple[str, Schedule | Pipeline | None]]:
        """Answers that take no search."""
        lists = (("heft", heft(self.p)), ("peft", peft(self.p)))
        alone = [(device.name, self.on_one(d)) for d, device in enumerate(self.p.devices)]
        for way, found in (*lists, *((f"all on {name}", s) for name, s in alone)):
            yield way, self.as_wanted(found)

    def on_one(self, device: int) -> Schedule | None:
        """Everything on one device, where all can run there."""
        if any(device not in allowed for allowed in self.p.allowed):
            return None
        return retimed(self.p, [device] * len(self.p.pieces), range(len(self.p.pieces)))

    def as_wanted(self, s: Schedule | None) -> Schedule | Pipeline | None:
        """A schedule, or the pipeline of its devices."""
        return s if s is None or not self.pipelined else pipelined_on(self.p, s.device)

    def offer(self, found: Schedule | Pipeline | None, way: str) -> None:
        """Take what is better and stands."""
        if found is None:
            return
        wrong = (schedule_faults if isinstance(found, Schedule) else pipeline_faults)(self.p, found)  # type: ignore[arg-type]
        value = found.makespan_ns if isinstance(found, Schedule) else found.period_ns
        if not wrong and value < self.value():
            self.best, self.way = found, way
            self.tell()

    def raise_bound(self, bound_ns: int) -> None:
        """A proved bound."""
        self.bound_ns = max(self.bound_ns, bound_ns)

    def tell(self) -> None:
        """Say how far it is."""
        if self.on_progress is not None:
            value = self.value()
            self.on_progress(None if value == inf else int(value), self.bound_ns)

    def exact(self, heads: Table, through: Table) -> None:
        """The constraint program; with memory over time only where its answer without overfills one."""
        for memory in (False, True):
            done: Run[Any] = run(self.program(heads, through, memory), self.left_s(), self.told)
            self.stopped |= done.interrupted
            self.offer(done.answer, "cp-sat")
            if done.status == "infeasible":
                self.prove_none()
            else:
                self.raise_bound(ceil(done.bound - 1e-6))
            if self.is_over() or done.answer is self.best:
                return

    def prove_none(self) -> None:
        """Nothing is left that is better than the best: either it is optimal, or there is none."""
        if self.best is None:
            self.none_exists = True
        else:
            self.raise_bound(int(self.value()))

    def program(self, heads: Table, through: Table, memory: bool) -> MakespanModel | PeriodModel:
        """The constraint program, which begins at the best so far."""
        from ..scratchpad.addresses.extra import load_cp_model

        most = int(min(self.value(), self.longest_ns()))
        model = load_cp_model().CpModel()
        program: MakespanModel | PeriodModel
        if self.pipelined:
            program = PeriodModel(self.p, model, through, most, self.bound_ns)
        else:
            program = MakespanModel(self.p, model, heads, through, most, self.bound_ns)
        if memory:
            program.bound_memory()
        else:
            program.choice.bound_weights()
        if self.best is not None:
            program.hint(self.best)  # type: ignore[arg-type]
        return program

    def longest_ns(self) -> int:
        """[ns] no answer need take longer: everything one after another, where it is slowest."""
        pieces = sum(max(self.p.time_ns(i, d) for d in allowed) for i, allowed in enumerate(self.p.allowed))
        pairs = self.p.routes
        sent = (
            max((self.p.transfer_ns(t, *pair) or 0 for pair in pairs), default=0) for t in range(len(self.p.tensors))
        )
        return pieces + len(self.p.devices) * sum(sent)

    def told(self, value: float, bound: float) -> None:
        """What the solver found; it is taken when it has passed the check."""
        if self.on_progress is not None:
            self.on_progress(round(value), max(self.bound_ns, ceil(bound - 1e-6)))

    def decomposed(self) -> None:
        """Joined pieces solved, unfolded, and improved piece by piece."""
        small, piece_of = coarsened(self.p, COARSE_PIECES)
        if len(small.pieces) <= EXACT_PIECES:
            limit = self.left_s(COARSE_SHARE)
            inner = _Search(small, self.pipelined, COARSE_S if limit is None else limit, None)
            try:
                inner.run()
            finally:
                self.stopped |= inner.stopped
                self.offer(self.unfolded(inner.best, piece_of), "joined pieces")
        if not self.is_over():
            self.improve()

    def unfolded(self, found: Schedule | Pipeline | None, piece_of: list[int]) -> Schedule | Pipeline | None:
        """The answer of joined pieces as one of the whole graph."""
        if found is None:
            return None
        device = tuple(found.device[piece] for piece in piece_of)
        if isinstance(found, Pipeline):
            return pipelined_on(self.p, device)
        return retimed(self.p, device, [found.start_ns[piece] for piece in piece_of])

    def improve(self, limit_s: float | None = None) -> None:
        """Better answers near the best, as long as there are some and time is left."""
        until = None if limit_s is None else monotonic() + limit_s

        def is_over() -> bool:
            return self.is_over() or (until is not None and monotonic() >= until)

        if self.best is None:
            return
        steps = improve.pipelines if self.pipelined else improve.schedules
        for found in steps(self.p, self.best, is_over):  # type: ignore[arg-type]
            self.offer(found, "improved")

    def answer(self) -> Answer:
        """What is known."""
        seconds = monotonic() - self.began
        if self.best is None:
            return Answer("infeasible" if self.none_exists else "unknown", self.bound_ns, seconds=seconds)
        bound = min(self.bound_ns, int(self.value()))
        status = "optimal" if bound == self.value() else "feasible"
        return Answer(status, bound, self.best, self.way, seconds)


def pipelined_on(p: OpPlacementProblem, device: tuple[int, ...]) -> Pipeline:
    """The pipeline of these devices, and its period."""
    s = staged(p, device, 0)
    devices, links = pipeline_loads_ns(p, s)
    return replace(s, period_ns=max((*devices, *links), default=0))
