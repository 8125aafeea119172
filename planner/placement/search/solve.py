"""Solve a placement problem: solve a relaxation, evaluate its plan exactly, cut it off if a bound breaks, repeat."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import pulp

from ..evaluate import Books
from ..model.build import build
from ..model.objective import cost_of_pieces, unit
from ..model.racks import Racks
from ..model.ties import break_ties
from ..model.variables import Expr, PlacementVars
from ..problem import PlacementProblem
from ..result import LatencySummary, PlacementResult, SolveStats
from ..times.judge import SIZES, Judge
from ..times.latency import Latencies
from ..times.laws import Grid
from ..times.summary import horizon_s, summarise
from .clock import Clock, TimeUp
from .conflict import binding_names, irreducible_conflict
from .cutoff import least_cost
from .engine import GAP, MIP_TOLERANCE, Outcome, Plan, run
from .presolve import presolve
from .quick import MANY_OPTIONS, few_options

OPTIMAL_GAP = 1e-6
"""Relative gap up to which a plan is called optimal."""
PLANS_PER_ROUND = 4
"""Plans of one run of the solver that are evaluated, and cut off if they break a bound."""
BINDING_TRIALS = 12
"""Problems tried at most to find out what binds: a number and not a time, so that equal runs give equal answers."""
FIRST_PLAN_S = 5.0
"""Time spent at most on a first plan of a large problem, and half of what a shorter limit leaves [s]."""
ROUNDING = 1e-9
CONFLICT_S = 20.0
"""Time spent at most on making a conflict irreducible, where no limit is set [s]."""


@dataclass(frozen=True)
class Known:
    """What is known of a problem before it is solved: a plan of it, and what bounds its plans."""

    plan: Plan | None = None
    value: float = math.inf
    bound: float = -math.inf
    """No plan has a lower objective."""
    floors: tuple[tuple[frozenset[str], float], ...] = ()
    """Pieces that share no pool that is counted with others, and what no plan of them costs less than [USD/h]."""


@dataclass
class Search:
    """The rounds of solving, evaluating and cutting on one model."""

    p: PlacementProblem
    solver: str
    clock: Clock
    on_progress: Callable[[float | None, float | None], None] | None = None
    below: float = math.inf
    """Only plans with an objective below this are of interest, by more than the gap that counts."""
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
        most = self.value + abs(self.value) * OPTIMAL_GAP
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
        elif most < math.inf:
            assert self.m.objective is not None
            self.m.addConstraint(self.m.objective <= most / self.unit, "as_good")
        for number, (pieces, usd) in enumerate(self.known.floors):
            self.m.addConstraint(cost_of_pieces(self.p, self.v, pieces) * (1 / usd) >= 1 - ROUNDING, f"floor_{number}")
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
    def _is_enough(self) -> bool:
        return self.best is not None and self.gap <= self.enough

    def run(self) -> None:
        """Rounds until the best plan is proved, no plan is left, or time is up."""
        with suppress(TimeUp):
            self._rounds()

    def _rounds(self) -> None:
        while self.cuts < self.most_cuts and not (
            self.clock.over or self.interrupted or self.infeasible or self._is_enough
        ):
            gap = GAP if self.enough <= OPTIMAL_GAP else self.enough
            out = run(self.m, self.v, self.solver, self.clock.left, self._report, gap)
            self.interrupted = out.interrupted
            if out.status == "infeasible":
                self.infeasible = self.best is None
                self.bound = self.value
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
        self.m.setObjective(Expr())
        while not self.clock.over and self.cuts < self.most_cuts:
            out = run(self.m, self.v, self.solver, self.clock.left)
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
        self._add(self.judge.cut(self.v, plan, broken) >= 1)
        return False

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


def solve(
    problem: PlacementProblem,
    *,
    time_limit_s: float | None = None,
    solver: str = "highs",
    on_progress: Callable[[float | None, float | None], None] | None = None,
    with_latency: bool = True,
    below: float | None = None,
    gap: float = OPTIMAL_GAP,
) -> PlacementResult:
    """The best placement, or the best found with its gap when time runs out or the user interrupts.

    The search ends at a relative `gap`, and what is within 1e-6 is called optimal.

    `with_latency` leaves `latency` empty where it is False, for callers that summarise it with other waits.
    With `below` only plans of a lower objective count, and where there is none nothing is said of why.

    `solver` is `highs` or `cbc`; `on_progress(value, bound)` is called now and then with the best value known and
    the bound proved, None where there is none yet. Ties go as in `ties.py`.
    ValueError for an unknown solver.
    """
    clock = Clock(time_limit_s)
    first = _first_plan(problem, solver, clock, on_progress)
    known = Known() if first is None else Known(first.best, first.value, first.bound)
    try:
        most = math.inf if below is None else below
        search = Search(problem, solver, clock, on_progress, most, known=known, enough=gap)
    except TimeUp:
        search = first
    if search is None:
        return PlacementResult("unknown", unit=_unit(problem), stats=SolveStats(clock.spent, solver=solver))
    binding: tuple[str, ...] = ()
    try:
        search.run()
        if search.infeasible and below is not None:
            return PlacementResult("infeasible", unit=_unit(problem), stats=_stats(search))
        if search.infeasible:
            return _infeasible(problem, search)
        if search.proved and not search.interrupted:
            break_ties(search)
            binding = _binding(search, problem)
    except KeyboardInterrupt:
        search.interrupted = True
    return _result(problem, search, binding, with_latency)


def objective_within(problem: PlacementProblem, time_limit_s: float | None, solver: str = "highs") -> float | None:
    """Objective of the best plan found in the time, in the problem's unit; None without one. Nothing is reported."""
    try:
        search = Search(problem, solver, Clock(time_limit_s))
        search.run()
    except TimeUp:
        return None
    return None if search.best is None else search.value


def best_plan(
    problem: PlacementProblem, time_limit_s: float | None, solver: str = "highs", below: float = math.inf
) -> PlacementResult:
    """The best plan of an objective under `below`, without what binds; `infeasible` where there is none."""
    clock = Clock(time_limit_s)
    try:
        search = Search(problem, solver, clock, below=below)
        search.run()
    except TimeUp:
        return PlacementResult("unknown", unit=_unit(problem))
    if search.interrupted:
        raise KeyboardInterrupt
    if search.infeasible:
        return PlacementResult("infeasible", unit=_unit(problem), stats=_stats(search))
    return _result(problem, search, (), with_latency=False)


def some_plan(problem: PlacementProblem, time_limit_s: float | None, solver: str, most_cuts: float) -> PlacementResult:
    """The best plan if `most_cuts` are enough to find it, or else any; for problems that hardly have one."""
    clock = Clock(time_limit_s)
    try:
        search = Search(problem, solver, clock, most_cuts=most_cuts)
        search.run()
        if search.best is None:
            search = Search(problem, solver, clock)
            if search.any_plan() and search.best is not None:
                search.value = search.objective(search.best)
    except (TimeUp, KeyboardInterrupt):
        return PlacementResult("unknown", unit=_unit(problem))
    return _result(problem, search, (), with_latency=False)


def _first_plan(
    p: PlacementProblem, solver: str, clock: Clock, on_progress: Callable[[float | None, float | None], None] | None
) -> Search | None:
    """A search that ended with some plan of a large problem; None for a small one, or where none was found soon."""
    if len(p.options) <= MANY_OPTIONS:
        return None
    reduced = presolve(p)
    few = few_options(reduced)
    if few is None:
        return None
    soon = clock.at_most(FIRST_PLAN_S if clock.left is None else min(FIRST_PLAN_S, clock.left / 2))
    with suppress(TimeUp):
        search = Search(few, solver, soon, on_progress)
        search.run()
        # What the search proved holds for few of the options.
        search.bound = least_cost(reduced) if p.objective == "cost" else 0.0
        search.infeasible, search.clock = False, clock
        return search if search.best is not None else None
    return None


def _has_plan(search: Callable[[], Search]) -> bool | None:
    """Whether the problem that `search` is made for has a plan; None where time is up first."""
    try:
        return search().any_plan()
    except TimeUp:
        return None


def _binding(search: Search, p: PlacementProblem) -> tuple[str, ...]:
    """What binds, as far as a few trials show."""
    trials = 0

    def better(other: PlacementProblem) -> bool:
        nonlocal trials
        trials += 1
        if trials > BINDING_TRIALS or search.clock.over:
            return False
        laws = search.judge.laws
        return _has_plan(lambda: Search(other, search.solver, search.clock, below=search.value, laws=laws)) is True

    return binding_names(p, better, search.value)


def _infeasible(p: PlacementProblem, search: Search) -> PlacementResult:
    clock = search.clock.at_most(CONFLICT_S)

    def feasible(other: PlacementProblem) -> bool | None:
        return None if clock.over else _has_plan(lambda: Search(other, search.solver, clock))

    conflict = irreducible_conflict(p, feasible)
    return PlacementResult("infeasible", unit=_unit(p), conflict=conflict, stats=_stats(search))


def _result(p: PlacementProblem, search: Search, binding: tuple[str, ...], with_latency: bool) -> PlacementResult:
    bound = search.bound if search.bound > -math.inf else None
    if search.best is None:
        return PlacementResult("unknown", unit=_unit(p), bound=bound, stats=_stats(search))
    plan = {q.id: search.best[q.id] for q in p.pieces}
    account = search.books.account(plan)
    return PlacementResult(
        "optimal" if search.proved else "feasible",
        objective=search.value,
        unit=_unit(p),
        bound=None if bound is None else min(bound, search.value),
        gap=None if bound is None else search.gap,
        placements=plan,
        replicas=account.replicas,
        devices=account.devices,
        transfers=account.transfers,
        cost=account.cost,
        utilisation=account.utilisation,
        latency=summarise(p, plan) if with_latency else LatencySummary(),
        binding=binding,
        stats=_stats(search),
    )


def result_of(p: PlacementProblem, search: Search) -> PlacementResult:
    """What a search on `p`, or with more bounds or fewer options, has found, latencies and what binds left out."""
    return _result(p, search, (), with_latency=False)


def _unit(p: PlacementProblem) -> str:
    if p.objective == "cost":
        return "USD/request" if p.rate_per_s is None else "USD/h"
    return {"latency": "s", "energy": "J/request", "carbon": "gCO2/request"}[p.objective]


def _stats(search: Search) -> SolveStats:
    return SolveStats(search.clock.spent, search.v.count, search.m.numConstraints(), search.cuts, search.solver)
