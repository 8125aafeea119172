"""The rounds of a search: solve a relaxation, evaluate its plan exactly, cut it off if a bound breaks, repeat."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

import pulp

from ..evaluate import Books
from ..model.build import build
from ..model.latency import constrain_certain_equivalents
from ..model.objective import cost_of_pieces, mean_times, unit
from ..model.racks import Racks
from ..model.variables import Expr, PlacementVars
from ..problem import PlacementProblem
from ..times.judge import SIZES, Judge
from ..times.latency import Latencies
from ..times.laws import Grid
from ..times.slopes import slope_cut
from ..times.summary import horizon_s
from .clock import Clock, TimeUp
from .engine import GAP, MIP_TOLERANCE, Outcome, Plan, run
from .presolve import presolve

OPTIMAL_GAP = 1e-6
"""Relative gap up to which a plan is called optimal."""
ANY_GAP = 0.1
"""Relative gap at which the solver stops where any plan will do, a fast one rather than another."""
PLANS_PER_ROUND = 4
"""Plans of one run of the solver that are evaluated, and cut off if they break a bound."""
ROUNDING = 1e-9


class Progress(Protocol):
    """Is told now and then how far a search is."""

    def __call__(self, best: float | None, bound: float | None, of: str = "", /) -> None:
        """The best value known and the bound proved; `of` what part of the search, where it has several."""
        ...


@dataclass(frozen=True)
class Known:
    """What is known of a problem before it is solved: a plan of it, and what bounds its plans."""

    plan: Plan | None = None
    value: float = math.inf
    bound: float = -math.inf
    """No plan has a lower objective."""
    floors: tuple[tuple[frozenset[str], float], ...] = ()
    """Pieces that share no pool that is counted with others, and what no plan of them costs less than [USD/h]."""
    is_tight: bool = False
    """Whether plans of the model broke a bound on whole requests."""


@dataclass
class Search:
    """The rounds of solving, evaluating and cutting on one model."""

    p: PlacementProblem
    solver: str
    clock: Clock
    on_progress: Progress | None = None
    below: float = math.inf
    """Only plans with an objective below this are of interest, by more than the gap that counts."""
    budget: float = math.inf
    """Only plans with an objective of no more than this are looked for."""
    laws: dict[tuple[float, int], Latencies] | None = None
    """Laws of times that another search on the same times has computed."""
    most_cuts: float = math.inf
    """Where so many plans were cut off the search ends."""
    known: Known = Known()
    """Where it starts from."""
    enough: float = OPTIMAL_GAP
    """The relative gap at which it ends."""
    best: Plan | None = None
    value: float = math.inf
    """Objective of the best plan."""
    bound: float = -math.inf
    """No plan has a lower objective than this."""
    infeasible: bool = False
    interrupted: bool = False
    cuts: int = 0
    m: pulp.LpProblem = field(init=False)
    v: PlacementVars = field(init=False)

    def __post_init__(self) -> None:
        self.best, self.value, self.bound = self.known.plan, self.known.value, self.known.bound
        # Plans as good as the one that is known stay: which one is taken must not depend on it.
        most = min(self.budget, self.value + abs(self.value) * OPTIMAL_GAP)
        reduced = presolve(self.p, min(self.below, most))
        self.judge = Judge(self.p, reduced.options, self.laws, self.clock)
        self.books = Books(self.p)
        self.racks = Racks(self.p, self.books)
        self.p = reduced
        self.m, self.v = build(self.p, self.clock)
        self.unit = self.v.time_scale if self.v.mean is not None else unit(self.p, self.v)
        if self.below < math.inf:
            assert self.m.objective is not None
            # By more than a variable that is not quite whole can feign.
            better = self.below - max(abs(self.below) * OPTIMAL_GAP, self.unit * 10 * MIP_TOLERANCE)
            self.m.addConstraint(self.m.objective <= better / self.unit, "better")
        if most < self.below:
            assert self.m.objective is not None
            self.m.addConstraint(self.m.objective <= most / self.unit, "as_good")
        for number, (pieces, usd) in enumerate(self.known.floors):
            self.m.addConstraint(cost_of_pieces(self.p, self.v, pieces) * (1 / usd) >= 1 - ROUNDING, f"floor_{number}")
        self._tilted = False
        if self.known.is_tight:
            self.tilt()
        self._means: Latencies | None = None
        self._seen: list[Plan] = []

    @property
    def gap(self) -> float:
        """(objective - bound) / |objective|."""
        difference = max(0.0, self.value - self.bound)
        return difference / abs(self.value) if self.value else (0.0 if difference < 1e-12 else math.inf)

    @property
    def plan(self) -> Plan:
        """The best plan; AssertionError without one."""
        assert self.best is not None
        return self.best

    @property
    def proved(self) -> bool:
        return self.best is not None and self.gap <= OPTIMAL_GAP

    @property
    def is_enough(self) -> bool:
        """Whether a plan is as near to the best as was asked for."""
        return self.best is not None and self.gap <= self.enough

    def run(self) -> None:
        """Rounds until the best plan is proved, no plan is left, or time is up."""
        try:
            with suppress(TimeUp):
                self._rounds()
        except KeyboardInterrupt:
            self.stop()

    def stop(self) -> None:
        """The user asked to: what is known by now is what stands."""
        self.interrupted = True
        self.clock.stop()

    def _rounds(self) -> None:
        while self.cuts < self.most_cuts and not (
            self.clock.over or self.interrupted or self.infeasible or self.is_enough
        ):
            # The bound is that of the solver: what it leaves open adds to what the rows leave open.
            gap = GAP if self.enough <= OPTIMAL_GAP else self.enough / 4
            out = run(self.m, self.v, self.solver, self.clock.left, self._report, gap)
            if out.interrupted:
                self.stop()
            if out.status == "infeasible":
                self.infeasible = self.best is None
                self.bound = min(self.value, self.budget)
                return
            if out.bound is not None:
                self.bound = max(self.bound, out.bound * self.unit)
            again = not out.plans or out.plans[0] in self._seen
            self._take(out)
            self._report(None, None)
            if out.status == "stopped" or again:
                return

    def any_plan(self) -> bool | None:
        """Whether a plan exists; None where time is up first, or after `most_cuts`."""
        with suppress(TimeUp):
            return self._any_plan()
        return None

    def _any_plan(self) -> bool | None:
        # The fastest plan is the likeliest to keep bounds on whole requests, and where not its cut is the strongest.
        self.m.setObjective(mean_times(self.v) if self.judge.bounds else Expr())
        while not self.clock.over and self.cuts < self.most_cuts:
            out = run(self.m, self.v, self.solver, self.clock.left, gap=ANY_GAP)
            if out.status == "infeasible":
                return False
            if out.interrupted:
                raise KeyboardInterrupt
            for plan in out.plans[:PLANS_PER_ROUND]:
                if self.admit(plan):
                    self.best = plan
                    return True
            if out.status == "stopped":
                return None
        return None

    def has_one(self, judge: Judge) -> bool:
        """Whether the solver's best plan keeps the racks and all bounds of `judge`; it is then `best`.

        Nothing is cut off.
        """
        out = run(self.m, self.v, self.solver, self.clock.left)
        plan = out.plans[0] if out.plans else None
        if plan is None or self.racks.other_rack(self.v, plan) is not None or judge.broken(plan) is not None:
            return False
        self.best, self.value = plan, self.objective(plan)
        return True

    def objective(self, plan: Plan) -> float:
        """Exact objective of a plan, in its own unit."""
        if self.v.mean is None:
            return self.books.account(plan).worth(self.p.objective)
        if self._means is None:
            self._means = Latencies(self.p, Grid(horizon_s(self.p, plan) / SIZES[1], SIZES[1]), self.clock)
        return self._means.mean("end_to_end", *self._means.of_plan(plan))[0]

    def _take(self, out: Outcome) -> None:
        for plan in out.plans[:PLANS_PER_ROUND]:
            self._seen.append(plan)
            if not self.admit(plan):
                continue
            value = self.objective(plan)
            if self.v.mean is not None:
                self._cut_objective(plan, value)
            if value < self.value:
                self.best, self.value = plan, value

    def admit(self, plan: Plan) -> bool:
        """Whether the plan keeps all bounds; cuts it off where it does not."""
        over = self.racks.other_rack(self.v, plan)
        if over is not None:
            self._add(over >= 1)
            return False
        broken = self.judge.broken(plan)
        if broken is None:
            return True
        self.tilt()
        self._add(self.judge.cut(self.v, plan, broken) >= 1)
        if broken.bound.percentile is not None:
            row = slope_cut(self.v, plan, broken.bound, self.judge.grid(broken.bound, SIZES[-1]))
            if row is not None:
                self.m.addConstraint(row >= 1, f"slope_{self.cuts}")
        return False

    def tilt(self) -> None:
        """Adds the rows (72), unless they are there."""
        if not self._tilted:
            self._tilted = True
            constrain_certain_equivalents(self.m, self.p, self.v)

    def _cut_objective(self, plan: Plan, value: float) -> None:
        """(19) mean + T sum_{p, c in F_p} x[p,c] >= T, T a plan's exact mean: only a faster part beats it."""
        assert self.v.mean is not None
        assert self._means is not None
        faster = self.judge.faster(self.v, plan, set(plan), self._means)
        self._add(self.v.mean + faster * (value / self.unit) >= value / self.unit)

    def _add(self, cut: pulp.LpConstraint) -> None:
        self.cuts += 1
        self.m.addConstraint(cut, f"cut_{self.cuts}")

    def _report(self, value: float | None, bound: float | None) -> None:
        if self.on_progress is not None:
            values = [x for x in (self.value,) if x < math.inf]
            bounds = [self.bound] if self.bound > -math.inf else []
            if bound is not None and abs(bound) < 1e30:
                bounds.append(bound * self.unit)
            self.on_progress(min(values, default=None), max(bounds, default=None))
