"""The best placement with its proof, or why there is none; and parts of that question."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress

from ..model.ties import break_ties
from ..problem import PlacementProblem
from ..result import LatencySummary, PlacementResult, SolveStats
from ..times.summary import summarise
from .clock import Clock, TimeUp
from .conflict import binding_names, irreducible_conflict
from .cutoff import least_cost
from .presolve import presolve
from .quick import MANY_OPTIONS, few_options
from .rounds import OPTIMAL_GAP, Known, Search

BINDING_TRIALS = 12
"""Problems tried at most to find out what binds: a number and not a time, so that equal runs give equal answers."""
FIRST_PLAN_S = 5.0
"""Time spent at most on a first plan of a large problem, and half of what a shorter limit leaves [s]."""
CONFLICT_S = 20.0
"""Time spent at most on making a conflict irreducible, where no limit is set [s]."""


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
