"""From a problem and the levels beyond its scratchpad to a timed plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from ..plan import ScratchpadPlan
from ..problem import ScratchpadProblem
from ..search import prepare
from ..solve import Clock, plan_scratchpad
from .addresses import place_holds
from .bounds import makespan_bound
from .level import Level, operator_seconds, require_levels
from .listing import list_schedule
from .plan import Border, HierarchyPlan, Objective, timed
from .staging import staged
from .tasks import Tasks, lower_bound, route, tasks_of
from .tiers import choose_tiers, nothing_between
from .traffic import SCRATCHPAD, Hold, Traffic, traffic_of

LEADS = (0, 1, 2, 4, 8)
"""steps before its use that a tensor's room is kept free for it"""
LESS = (1.0, 0.95, 0.85, 0.5, 0.0)
"""shares of the middle level that are used, until its holds find addresses"""
EXACT_TASKS, EXACT_S = 200, 10.0
"""constraint programming schedules no more tasks, and no longer"""
PLACE_S, TIERS_S = 5.0, 5.0
"""at most, for one layout and for one choice of tiers: Ctrl-C waits for them"""
NEAR_SHARE, WHOLE_SHARE, TIERS_SHARE, LISTED_SHARE = 0.35, 0.15, 0.06, 0.8
"""of the time limit: the scratchpad's plan, the bound of the outer border, one choice of tiers; and what may be spent
before no more ways are listed"""
CLOSE = 1e-6


@dataclass(frozen=True)
class _Candidate:
    tasks: Tasks
    offsets: dict[int, int]
    starts: list[int]
    moved: tuple[int, ...]
    """across each border, compulsory bytes included"""

    @property
    def makespan_s(self) -> float:
        ends = (s + d for s, d in zip(self.starts, self.tasks.ticks, strict=True))
        return max(ends, default=0) * self.tasks.tick_s


def plan_hierarchy(
    problem: ScratchpadProblem,
    levels: Sequence[Level],
    *,
    objective: Objective = "bytes",
    operator_s: Sequence[float] | None = None,
    time_limit_s: float | None = None,
) -> HierarchyPlan:
    """
    Order, addresses and timed transfers over the scratchpad and one or two levels beyond it, nearest first.

    `bytes` minimises the bytes across all borders, each weighed by the seconds that it takes there; `makespan` the time
    until the last operator and the last store end. Orders come from the search on the scratchpad alone and on both
    limited levels as one; along each the tiers are exact, addresses apart. `operator_s` are the seconds of each
    operator; by default what it touches takes as long as across the scratchpad's border. Infeasible where an operator
    does not fit, InputError for levels or seconds that make no sense.
    """
    require_levels(levels)
    levels = tuple(levels)
    seconds = operator_seconds(problem, levels, operator_s)
    if problem.operators:
        prepare()  # no part of the time given
    clock = Clock(time_limit_s)
    near = plan_scratchpad(problem, time_limit_s=clock.share_s(NEAR_SHARE), on_interrupt=clock.stop)
    orders, bounds = _orders(problem, levels, near, clock)
    found: list[_Candidate] = []
    try:
        for candidate in _all_candidates(problem, levels, orders, near, seconds, clock):
            found.append(candidate)
            if clock.is_over or (time_limit_s is not None and clock.spent_s > LISTED_SHARE * time_limit_s):
                break
    except KeyboardInterrupt:
        clock.stop()
    if not found:
        found.append(_bare(problem, levels, orders[0], near, seconds))
    best = min(found, key=lambda c: _rank(c, levels, objective))
    best, bound = _improved(best, 0.0 if clock.is_stopped else clock.left_s)
    return _plan(problem, levels, objective, seconds, best, bound, bounds, clock)


def _rank(candidate: _Candidate, levels: Sequence[Level], objective: Objective) -> tuple[float, float]:
    """What is minimised, and what decides between equals."""
    cost = sum(moved / level.bytes_per_s for level, moved in zip(levels, candidate.moved, strict=True))
    return (cost, candidate.makespan_s) if objective == "bytes" else (candidate.makespan_s, cost)


def _plan(
    problem: ScratchpadProblem,
    levels: Sequence[Level],
    objective: Objective,
    seconds: Sequence[float],
    best: _Candidate,
    bound: int,
    bounds: Sequence[int],
    clock: Clock,
) -> HierarchyPlan:
    """The plan of the best candidate; `bound` is of its schedule [ticks], `bounds` of the borders [bytes]."""
    compulsory = problem.compulsory_bytes
    fastest = makespan_bound(problem, levels, seconds, bounds)
    borders = tuple(
        Border(level.name, compulsory, moved - compulsory, least)
        for level, moved, least in zip(levels, best.moved, bounds, strict=True)
    )
    if objective == "bytes":
        closed = all(b.noncompulsory_bytes == b.lower_bound_bytes for b in borders)
    else:
        closed = best.makespan_s <= fastest * (1 + CLOSE)
    operators, transfers, holds = timed(best.tasks, best.starts, best.offsets, levels)
    return HierarchyPlan(
        status="optimal" if closed else "feasible",
        objective=objective,
        borders=borders,
        makespan_s=best.makespan_s,
        makespan_bound_s=fastest,
        schedule_bound_s=bound * best.tasks.tick_s,
        order=tuple(problem.operators[op].name for op in best.tasks.traffic.order),
        operators=operators,
        transfers=transfers,
        holds=holds,
        seconds=clock.spent_s,
    )


def _orders(
    problem: ScratchpadProblem, levels: Sequence[Level], near: ScratchpadPlan, clock: Clock
) -> tuple[list[tuple[int, ...]], list[int]]:
    """Orders to try, and for each border a bound over all orders on what crosses it beyond the compulsory.

    Across the outer border: both limited levels as one scratchpad can do whatever the two can."""
    number = {op.name: v for v, op in enumerate(problem.operators)}
    orders, bounds = [tuple(number[name] for name in near.order)], [near.lower_bound_bytes]
    if len(levels) > 1:
        if not problem.operators:
            return orders, [*bounds, 0]
        from ..search import schedule

        both = problem.with_size(problem.size_bytes + (levels[0].size_bytes or 0))
        limit_s = 0.0 if clock.is_stopped else clock.within_s(clock.share_s(WHOLE_SHARE))
        try:
            residency, bound = schedule(both, time_limit_s=limit_s, on_interrupt=clock.stop)
        except KeyboardInterrupt:  # before or after its search
            clock.stop()
            return orders, [*bounds, 0]
        orders.append(residency.order)
        bounds.append(bound)
    return list(dict.fromkeys(orders)), bounds


def _all_candidates(
    problem: ScratchpadProblem,
    levels: tuple[Level, ...],
    orders: Sequence[tuple[int, ...]],
    near: ScratchpadPlan,
    seconds: Sequence[float],
    clock: Clock,
) -> Iterator[_Candidate]:
    """First with the scratchpad's holds as they are planned, which have addresses; then along each order."""
    fixed = _placed(problem, levels, orders[0], near, clock)
    if fixed is not None:
        yield _candidate(*fixed, levels, seconds)
    for order in orders:
        free = _placed(problem, levels, order, None, clock)
        if free is not None:
            yield from _scheduled(free[0], levels, seconds, clock)
    if fixed is not None:
        yield from _scheduled(fixed[0], levels, seconds, clock)


def _bare(
    problem: ScratchpadProblem,
    levels: tuple[Level, ...],
    order: tuple[int, ...],
    near: ScratchpadPlan,
    seconds: Sequence[float],
) -> _Candidate:
    """The scratchpad's plan with nothing in the middle level, for lack of time."""
    traffic = traffic_of(problem, nothing_between(problem, order, _kept(problem, order, near)))
    offsets = _addresses_of(near, traffic, levels, None)
    assert offsets is not None
    return _candidate(traffic, offsets, levels, seconds)


def _scheduled(
    traffic: Traffic, levels: tuple[Level, ...], seconds: Sequence[float], clock: Clock
) -> Iterator[_Candidate]:
    for lead in LEADS:
        ways = [traffic]
        if lead and len(levels) > 1:
            ways.append(staged(traffic, levels[0].size_bytes or 0, lead))
        for way in ways:
            if clock.is_over:
                return
            offsets = place_holds(way, levels, lead, _place_s(clock))
            if offsets is not None:
                yield _candidate(way, offsets, levels, seconds)


def _place_s(clock: Clock) -> float:
    """A fiftieth of the limit, and no more than is left."""
    return min(s for s in (PLACE_S, clock.share_s(1 / 50), clock.left_s) if s is not None)


def _candidate(
    traffic: Traffic, offsets: dict[int, int], levels: tuple[Level, ...], seconds: Sequence[float]
) -> _Candidate:
    moved: Counter[int] = Counter()
    for x in traffic.transfers:
        for border in range(*route(traffic, x, len(levels))):
            moved[border] += traffic.problem.tensors[x.tensor].bytes
    tasks = tasks_of(traffic, offsets, levels, seconds)
    return _Candidate(tasks, offsets, list_schedule(tasks), tuple(moved[b] for b in range(len(levels))))


def _placed(
    problem: ScratchpadProblem,
    levels: tuple[Level, ...],
    order: tuple[int, ...],
    near: ScratchpadPlan | None,
    clock: Clock,
) -> tuple[Traffic, dict[int, int]] | None:
    """Tiers with addresses in both levels; of the middle level less is used where its holds find none. With `near`,
    the scratchpad's holds are that plan's, and so are their addresses."""
    for share in LESS if len(levels) > 1 else (1.0,):
        if clock.is_over:
            return None
        middle = round((levels[0].size_bytes or 0) * share) if len(levels) > 1 else None
        fixed = None if near is None else _kept(problem, order, near)
        share_s = clock.share_s(TIERS_SHARE)
        limit_s = clock.within_s(TIERS_S if share_s is None else min(TIERS_S, share_s))
        tiers = choose_tiers(problem, order, levels, fixed=fixed, middle_bytes=middle, time_limit_s=limit_s)
        if tiers is None:
            continue
        traffic = traffic_of(problem, tiers)
        if near is None:
            offsets = place_holds(traffic, levels, 0, _place_s(clock))
        else:
            offsets = _addresses_of(near, traffic, levels, clock)
        if offsets is not None:
            return traffic, offsets
    return None


def _kept(problem: ScratchpadProblem, order: Sequence[int], near: ScratchpadPlan) -> list[list[bool]]:
    """By tensor and gap: whether the plan keeps it in the scratchpad."""
    at = {op: step for step, op in enumerate(order)}
    starts = {(b.tensor, b.start) for b in near.buffers}
    return [
        [(tensor.name, there) not in starts for _, there in pairwise(sorted(at[op] for op in problem.touches[t]))]
        for t, tensor in enumerate(problem.tensors)
    ]


def _addresses_of(
    near: ScratchpadPlan, traffic: Traffic, levels: tuple[Level, ...], clock: Clock | None
) -> dict[int, int] | None:
    """The scratchpad's addresses as planned, and the middle level's."""
    problem = traffic.problem
    planned = {(b.tensor, b.start): b.offset for b in near.buffers}
    beyond = [i for i, hold in enumerate(traffic.holds) if hold.level != SCRATCHPAD]
    only = replace(traffic, holds=tuple(traffic.holds[i] for i in beyond), transfers=())
    offsets = place_holds(only, levels, 0, PLACE_S if clock is None else _place_s(clock))
    if offsets is None:
        return None
    found = {i: offsets[at] for at, i in enumerate(beyond)}

    def where(hold: Hold) -> int:
        return planned[problem.tensors[hold.tensor].name, hold.first]

    return found | {i: where(hold) for i, hold in enumerate(traffic.holds) if hold.level == SCRATCHPAD}


def _improved(best: _Candidate, left_s: float | None) -> tuple[_Candidate, int]:
    """The schedule of a small plan made exact; the bound for its tasks [ticks]."""
    bound = lower_bound(best.tasks)
    makespan = max((s + d for s, d in zip(best.starts, best.tasks.ticks, strict=True)), default=0)
    limit_s = EXACT_S if left_s is None else min(EXACT_S, left_s)
    if makespan <= bound or len(best.starts) > EXACT_TASKS or limit_s <= 0:
        return best, bound
    from .cpsat import improve

    starts, bound = improve(best.tasks, best.starts, bound, limit_s)
    return replace(best, starts=starts), bound
