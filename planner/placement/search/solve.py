"""The best placement with its proof, or why there is none; and parts of that question."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from ..model.ties import break_ties
from ..problem import PlacementProblem
from ..result import LatencySummary, PlacementResult, SolveStats
from ..times.latency import Latencies
from ..times.summary import summarise
from .budgets import budgets
from .clock import NO_LIMIT, Clock, TimeUp
from .conflict import Binding, binding_names, irreducible_conflict
from .cutoff import least_cost
from .engine import Plan
from .presolve import presolve, without_hopeless
from .quick import few_options
from .rounds import OPTIMAL_GAP, Known, Progress, Search
from .tightened import has_percentiles, tightened

BINDING_TRIALS = 12
"""Problems tried at most to find out what binds: a number and not a time, so that equal runs give equal answers."""
MANY_OPTIONS = 3000
"""Problems with no more options are solved whole at once, where no percentile is bounded."""
SOME_OPTIONS = 300
"""The same where percentiles are: with twice as many, hundreds of rounds may pass before a plan keeps them."""
FIRST_PLAN_S = 30.0
"""Time spent at most on a first plan of a large problem, and half of what a shorter limit leaves [s]."""
FEW_CUTS = 20
"""A search under a budget ends with so many plans cut off: where latency binds so hard, no cost tells what is near."""
CONFLICT_S = 20.0
"""Time spent at most on making a conflict irreducible, where no limit is set [s]."""


def solve(
    problem: PlacementProblem,
    *,
    time_limit_s: float | None = None,
    solver: str = "highs",
    on_progress: Progress | None = None,
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
    reduced, known = _first_plan(problem, solver, clock, on_progress)
    if clock.stopped and known.plan is None:
        raise KeyboardInterrupt
    try:
        clock.check()
        most = math.inf if below is None else below
        search = _search(reduced, known, solver, clock, on_progress, most, gap)
    except (TimeUp, KeyboardInterrupt) as ended:
        if known.plan is None and (clock.stopped or isinstance(ended, KeyboardInterrupt)):
            raise KeyboardInterrupt from None
        if known.plan is None:
            return PlacementResult("unknown", unit=unit_of(problem), stats=SolveStats(clock.spent, solver=solver))
        # Written down for the pools of the plan alone, which is what stands.
        search = Search(_with_pools_of(problem, known.plan), solver, NO_LIMIT, known=known)
        search.clock = clock
        return _result(problem, search, Binding(), with_latency)
    binding = Binding()
    if search.infeasible and below is not None:
        return PlacementResult("infeasible", unit=unit_of(problem), stats=_stats(search))
    if search.infeasible:
        return _infeasible(problem, search)
    if search.best is None and search.interrupted:
        raise KeyboardInterrupt
    if search.proved and not clock.over:
        try:
            break_ties(search)
            binding = _binding(search, problem)
        except KeyboardInterrupt:
            search.stop()
    return _result(problem, search, binding, with_latency)


def _search(
    p: PlacementProblem,
    known: Known,
    solver: str,
    clock: Clock,
    on_progress: Progress | None,
    below: float,
    gap: float,
    likely: float | None = None,
) -> Search:
    """The search that found the best plan, or that there is none: under growing budgets where no plan is known.

    Or under one budget that is `likely` enough.
    """
    laws: dict[tuple[float, int], Latencies] = {}
    tried = budgets(p) if likely is None else (likely,)
    for budget in tried if known.plan is None else ():
        if budget >= below:
            break
        search = Search(p, solver, clock, on_progress, below, budget, laws, FEW_CUTS, known, gap)
        search.run()
        if search.is_enough or (not search.infeasible and search.cuts < FEW_CUTS):
            return search
        known = Known(search.best, search.value, min(search.bound, budget))
        if not search.infeasible:
            break
    search = Search(p, solver, clock, on_progress, below, laws=laws, known=known, enough=gap)
    search.run()
    return search


def objective_within(problem: PlacementProblem, time_limit_s: float | None, solver: str = "highs") -> float | None:
    """Objective of the best plan found in the time, in the problem's unit; None without one.

    Nothing is reported; KeyboardInterrupt where the user asks to stop.
    """
    try:
        search = Search(problem, solver, Clock(time_limit_s))
        search.run()
    except TimeUp:
        return None
    if search.interrupted:
        raise KeyboardInterrupt
    return None if search.best is None else search.value


def best_plan(
    problem: PlacementProblem,
    time_limit_s: float | None,
    solver: str = "highs",
    below: float = math.inf,
    likely: float | None = None,
) -> PlacementResult:
    """The best plan of an objective under `below`, without what binds; `infeasible` where there is none.

    It is sought among those first that are no dearer than `likely`, where that is given.
    """
    clock = Clock(time_limit_s)
    try:
        search = _search(problem, Known(), solver, clock, None, below, OPTIMAL_GAP, likely)
    except TimeUp:
        return PlacementResult("unknown", unit=unit_of(problem))
    if search.interrupted:
        raise KeyboardInterrupt
    if search.infeasible:
        return PlacementResult("infeasible", unit=unit_of(problem), stats=_stats(search))
    return _result(problem, search, Binding(), with_latency=False)


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
        return PlacementResult("unknown", unit=unit_of(problem))
    return _result(problem, search, Binding(), with_latency=False)


def _first_plan(
    p: PlacementProblem, solver: str, clock: Clock, on_progress: Progress | None
) -> tuple[PlacementProblem, Known]:
    """A large problem without what is needless, and some plan of it, soon, with what bounds it where one was found.

    A small problem stays as it is, and nothing is known of it.
    """
    many = SOME_OPTIONS if has_percentiles(p) else MANY_OPTIONS
    if len(p.options) <= many or len(without_hopeless(p).options) <= many:
        return p, Known()
    reduced = presolve(p)
    few = few_options(reduced, many)
    if few is None:
        return p, Known()
    found = Known()
    soon = clock.at_most(FIRST_PLAN_S if clock.left is None else min(FIRST_PLAN_S, clock.left / 2))
    with suppress(TimeUp):
        if has_percentiles(p):
            found = tightened(few, solver, soon, on_progress)
        else:
            search = Search(few, solver, soon, on_progress)
            search.run()
            found = Known(search.best, search.value)
    if found.plan is None:
        return reduced, found
    try:
        return reduced, replace(found, bound=least_cost(reduced) if p.objective == "cost" else 0.0)
    except KeyboardInterrupt:
        clock.stop()
    return reduced, found


def _with_pools_of(p: PlacementProblem, plan: Plan) -> PlacementProblem:
    """The problem with the pools of one plan."""
    pools = tuple(g for g in p.pools if g.id in plan.values())
    return replace(p, pools=pools, options=tuple(o for o in p.options if plan[o.piece] == o.pool))


def _has_plan(search: Callable[[], Search]) -> bool | None:
    """Whether the problem that `search` is made for has a plan; None where time is up first."""
    try:
        return search().any_plan()
    except TimeUp:
        return None


def _binding(search: Search, p: PlacementProblem) -> Binding:
    """What binds, as far as a few trials show."""
    trials, is_open = 0, False

    def better(other: PlacementProblem) -> bool:
        nonlocal trials, is_open
        trials += 1
        if trials > BINDING_TRIALS or search.clock.over:
            is_open = True
            return False
        # Of a problem without what is needless the laws lack the options that another problem may need.
        laws = search.judge.laws if search.judge.p is p else None
        has = _has_plan(lambda: Search(other, search.solver, search.clock, below=search.value, laws=laws))
        is_open = is_open or has is None
        return has is True

    names = binding_names(p, better, search.value)
    return Binding(names, not is_open)


def _infeasible(p: PlacementProblem, search: Search) -> PlacementResult:
    clock, is_complete = search.clock.at_most(CONFLICT_S), True
    if search.on_progress is not None:
        search.on_progress(None, None, "no plan exists, looking for what excludes it")

    def feasible(other: PlacementProblem) -> bool | None:
        nonlocal is_complete
        # No trial takes all of the time: a later one, with fewer constraints, may be quick.
        soon = clock.at_most((clock.left or 0.0) / 2)
        has = None if clock.over else _has_plan(lambda: Search(other, search.solver, soon))
        is_complete = is_complete and has is not None
        return has

    conflict = irreducible_conflict(p, feasible)
    return PlacementResult(
        "infeasible", unit=unit_of(p), conflict=conflict, conflict_complete=is_complete, stats=_stats(search)
    )


def _result(p: PlacementProblem, search: Search, binding: Binding, with_latency: bool) -> PlacementResult:
    bound = search.bound if search.bound > -math.inf else None
    if search.best is None:
        return PlacementResult("unknown", unit=unit_of(p), bound=bound, stats=_stats(search))
    plan = {q.id: search.best[q.id] for q in p.pieces}
    account = search.books.account(plan)
    return PlacementResult(
        "optimal" if search.proved else "feasible",
        objective=search.value,
        unit=unit_of(p),
        bound=None if bound is None else min(bound, search.value),
        gap=None if bound is None else search.gap,
        placements=plan,
        replicas=account.replicas,
        devices=account.devices,
        transfers=account.transfers,
        cost=account.cost,
        utilisation=account.utilisation,
        latency=summarise(p, plan) if with_latency else LatencySummary(),
        binding=binding.names,
        binding_complete=binding.is_complete,
        stats=_stats(search),
    )


def result_of(p: PlacementProblem, search: Search) -> PlacementResult:
    """What a search on `p`, or with more bounds or fewer options, has found, latencies and what binds left out."""
    return _result(p, search, Binding(), with_latency=False)


def unit_of(p: PlacementProblem) -> str:
    """The unit of what is minimised."""
    if p.objective == "cost":
        return "USD/request" if p.rate_per_s is None else "USD/h"
    return {"latency": "s", "energy": "J/request", "carbon": "gCO2/request"}[p.objective]


def _stats(search: Search) -> SolveStats:
    return SolveStats(search.clock.spent, search.v.count, search.m.numConstraints(), search.cuts, search.solver)
