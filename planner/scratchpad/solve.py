"""From a scratchpad problem to a plan: the schedule and its bound by search, then addresses, then another try."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from ...ir.diagnostics import Diagnostic, Infeasible
from ...ir.wording import named
from .addresses.extra import load_cp_model
from .in_order import Placed, keep_and_share
from .in_place import (
    SharedResidency,
    fits_in_place,
    in_place_need_bytes,
    keep_in_place,
    least_need_bytes,
    needed_pairs,
    relaxed,
)
from .in_place_search import search_in_place
from .layout import place
from .plan import ScratchpadPlan, assemble
from .problem import ScratchpadProblem
from .repair import repaired
from .residency import Residency

Progress = Callable[[str], None]
SEARCH_SHARE = 0.7
"""of the time limit for the schedule; the rest is for addresses"""
AFTER_INTERRUPT_S = 1.0
"""for addresses once the user asked to stop"""
KEEP_SHARE, KEEP_S = 0.06, 10.0
"""of the time limit for what is kept along one order in place, and no longer: Ctrl-C waits for it"""
PLACE_S, JOINT_S = 5.0, 10.0
"""at most, for the addresses of one residency, and for one order with addresses"""
SPARED = (0.02, 0.05, 0.1)
"""shares of the scratchpad that are left free, to make addresses easier to find"""
MOST_OPERATORS, MOST_STATES, WHOLE_S = 100, 200_000, 10.0
"""in-place problems that the relaxation leaves open are searched whole: so many operators and states, and no longer"""
SHOWN_OPERATORS = 8


def plan_scratchpad(
    problem: ScratchpadProblem,
    *,
    time_limit_s: float | None = None,
    on_progress: Progress | None = None,
    in_place: bool = False,
    on_interrupt: Callable[[], None] | None = None,
) -> ScratchpadPlan:
    """
    An order, buffers with addresses, and moves, with the least traffic that was found and a bound over all orders.

    The status is `optimal` where both are equal. `in_place` lets outputs take over buffers of inputs that end (see
    `in_place.py`). On Ctrl-C the answer is the best so far, after `on_interrupt`. Infeasible where operators need more
    than the scratchpad has, naming each.
    """
    require_room(problem, in_place)
    tell = on_progress or (lambda _: None)
    if problem.operators:
        from .search import prepare

        prepare()  # loading compiled engines, or compiling them once, is no part of the time given
        if in_place:
            load_cp_model()  # nor is loading the solver for addresses in place
    clock = Clock(time_limit_s, on_interrupt)
    if not problem.operators:
        return assemble(Residency(problem, (), ()), {}, 0, clock.spent_s)
    schedule = _schedule_in_place if in_place else _schedule
    try:
        best, bound = schedule(problem, clock, tell)
    except KeyboardInterrupt:
        clock.stop()
        best, bound = _keep(problem, range(len(problem.operators)), in_place, AFTER_INTERRUPT_S / 3), 0
    shared, offsets = _lay_out(best, bound, in_place, clock, tell)
    plan = assemble(shared.residency, offsets, bound, clock.spent_s)
    names = [tensor.name for tensor in problem.tensors]
    return replace(plan, shares=tuple((names[output], names[given]) for output, given in shared.pairs))


class Clock:
    """Time spent, and time left."""

    def __init__(self, limit_s: float | None, on_stop: Callable[[], None] | None = None) -> None:
        self.start = time.perf_counter()
        self.limit_s = limit_s
        self.on_stop = on_stop
        self.is_stopped = False

    @property
    def spent_s(self) -> float:
        return time.perf_counter() - self.start

    @property
    def is_over(self) -> bool:
        """Whether nothing more should be tried: no time is left, or the user asked to stop."""
        return self.is_stopped or self.left_s == 0

    @property
    def left_s(self) -> float | None:
        return None if self.limit_s is None else max(0.0, self.limit_s - self.spent_s)

    def share_s(self, share: float) -> float | None:
        """A share of the whole limit."""
        return None if self.limit_s is None else share * self.limit_s

    def at_most_s(self, seconds: float) -> float:
        """`seconds`, or a third of what is left where that is less."""
        return seconds if self.left_s is None else min(seconds, self.left_s / 3)

    def within_s(self, seconds: float | None) -> float | None:
        """`seconds`, or what is left where that is less."""
        return min((s for s in (seconds, self.left_s) if s is not None), default=None)

    def stop(self) -> None:
        """The user asked to stop: no more than AFTER_INTERRUPT_S from now."""
        self.limit_s = self.spent_s + AFTER_INTERRUPT_S
        self.is_stopped = True
        if self.on_stop is not None:
            self.on_stop()


def require_room(problem: ScratchpadProblem, in_place: bool = False) -> None:
    """Infeasible, naming the operators and what they need, unless each fits into the scratchpad alone."""
    needs = [least_need_bytes(problem, v) if in_place else need for v, need in enumerate(problem.need_bytes)]
    room = problem.size_bytes - problem.size_bytes % problem.alignment_bytes
    large = sorted((v for v, need in enumerate(needs) if need > room), key=lambda v: -needs[v])
    if not large:
        return
    shown = [
        Diagnostic(
            "scratchpad", f"operator `{problem.operators[v].name}` needs {needs[v]:,} bytes: {_parts(problem, v)}"
        )
        for v in large[:SHOWN_OPERATORS]
    ]
    more = len(large) - len(shown)
    message = f"{len(large)} of {len(needs)} operators do not fit into {problem.size_bytes:,} bytes"
    help = f"give at least {needs[large[0]]:,} bytes" + (f"; {more} more operators are not shown" if more else "")
    conflict = [f"need[{problem.operators[v].name}]" for v in large]
    raise Infeasible([Diagnostic("scratchpad", message, help=help), *shown], conflict, _refused(problem).to_json())


def _refused(problem: ScratchpadProblem) -> ScratchpadPlan:
    compulsory = problem.compulsory_bytes
    return ScratchpadPlan("infeasible", problem.size_bytes, compulsory, 0, 0, (), (), (), 0.0)


def _parts(problem: ScratchpadProblem, operator: int) -> str:
    """The largest tensors that an operator touches."""
    touched = sorted(problem.operators[operator].touched, key=lambda t: -problem.sizes[t])
    return named([f"`{problem.tensors[t].name}` {problem.sizes[t]:,}" for t in touched], 4)


def _schedule(problem: ScratchpadProblem, clock: Clock, tell: Progress) -> tuple[SharedResidency, int]:
    from .search import schedule

    limit_s = clock.share_s(SEARCH_SHARE)
    residency, bound = schedule(problem, time_limit_s=limit_s, on_progress=tell, on_interrupt=clock.stop)
    return SharedResidency(residency, ()), bound


def _schedule_in_place(problem: ScratchpadProblem, clock: Clock, tell: Progress) -> tuple[SharedResidency, int]:
    """A relaxation gives the bound, and an order to try; plans that are not in place are plans too; a small problem
    that both leave open is searched whole."""
    from .search import schedule

    third_s = clock.share_s(SEARCH_SHARE / 3)
    found: list[SharedResidency] = []
    bound, is_closed = 0, False

    def keep(order: Sequence[int]) -> None:
        if fits_in_place(problem, order) and (not found or clock.left_s != 0):
            found.append(keep_in_place(problem, order, _keep_s(clock)))

    def is_open() -> bool:
        return all(_moved(shared) > bound for shared in found) and (not found or not clock.is_over)

    try:
        loose, bound = schedule(relaxed(problem), time_limit_s=third_s, on_progress=tell, on_interrupt=clock.stop)
        keep(loose.order)
        keep(range(len(problem.operators)))
        if is_open() and problem.least_size_bytes <= problem.size_bytes:
            limit_s = clock.within_s(third_s)
            plain, _ = schedule(problem, time_limit_s=limit_s, on_progress=tell, on_interrupt=clock.stop)
            found.append(SharedResidency(plain, ()))
            keep(plain.order)
        if is_open() and len(problem.operators) <= MOST_OPERATORS:
            least = min(map(_moved, found), default=None)
            limit_s = WHOLE_S if third_s is None else min(WHOLE_S, third_s)
            exact = search_in_place(problem, least, MOST_STATES, clock.within_s(limit_s) or 0.0)
            bound, is_closed = max(bound, exact.bound_bytes), exact.is_closed
            if exact.order is not None:
                found.append(keep_in_place(problem, exact.order, _keep_s(clock)))
    except KeyboardInterrupt:
        clock.stop()
        if not found:
            keep(range(len(problem.operators)))
    if not found:
        raise _no_order(problem, is_closed)
    return min(found, key=_moved), bound


def _keep_s(clock: Clock) -> float:
    """What the integer program along one order may take."""
    share_s = clock.share_s(KEEP_SHARE)
    return clock.at_most_s(KEEP_S if share_s is None or clock.is_stopped else min(KEEP_S, share_s))


def _no_order(problem: ScratchpadProblem, is_proved: bool) -> Infeasible:
    """Each operator fits in place in some order, but none was found in which all do."""
    message = f"no order {'exists' if is_proved else 'was found'} in which all operators fit in place"
    enough = in_place_need_bytes(problem, range(len(problem.operators)))
    help = f"give {enough:,} bytes, with which the default order does"
    return Infeasible([Diagnostic("scratchpad", message, help=help)], (), _refused(problem).to_json())


def _moved(shared: SharedResidency) -> int:
    return shared.residency.noncompulsory_bytes


def _keep_and_place(
    problem: ScratchpadProblem, order: Sequence[int], below_bytes: int, time_limit_s: float | None
) -> Placed | None:
    from .addresses.joint import keep_and_place

    found = keep_and_place(problem, order, at_most_bytes=below_bytes - 1, time_limit_s=time_limit_s)
    return found and Placed(SharedResidency(found.residency, ()), found.offsets)


def _keep(problem: ScratchpadProblem, order: Sequence[int], in_place: bool, time_limit_s: float) -> SharedResidency:
    from .search import gap

    if in_place:
        return keep_in_place(problem, order, time_limit_s)
    return SharedResidency(gap.keep(problem, order, time_limit_s=time_limit_s), ())


def _lay_out(best: SharedResidency, bound: int, in_place: bool, clock: Clock, tell: Progress) -> Placed:
    """`best` at addresses; where none are found, the best that is found with them, while there is time."""
    found: list[Placed] = []
    try:
        for placed in _with_addresses(best, in_place, clock):
            found.append(placed)
            least = min(_moved(each.shared) for each in found)
            tell(f"{least:,} bytes at addresses, {bound:,} proved")
            if least <= _moved(best) or clock.left_s == 0:
                break
    except KeyboardInterrupt:
        clock.stop()
    if not found:
        found.append(repaired(needed_pairs(best)))
    return min(found, key=lambda placed: _moved(placed.shared))


def _with_addresses(best: SharedResidency, in_place: bool, clock: Clock) -> Iterator[Placed]:
    """In place no more often than it needs; as it is; repaired; not in place; keeping less; keeping with addresses."""
    problem, order = best.residency.problem, best.residency.order
    few = needed_pairs(best)
    for shared in (few, best) if few != best else (best,):
        offsets = place(shared, clock.at_most_s(PLACE_S))
        if offsets is not None:
            yield Placed(shared, offsets)
    mended = repaired(few)
    yield mended
    least = _moved(mended.shared)
    if in_place and problem.least_size_bytes <= problem.size_bytes:
        from .search import schedule

        plain = SharedResidency(
            schedule(problem, time_limit_s=clock.at_most_s(PLACE_S), on_interrupt=clock.stop)[0], ()
        )
        offsets = place(plain, clock.at_most_s(PLACE_S))
        placed = Placed(plain, offsets) if offsets is not None else repaired(plain)
        least = min(least, _moved(placed.shared))
        yield placed
    for share in SPARED:
        smaller = problem.with_size(round(problem.size_bytes * (1 - share)))
        if fits_in_place(smaller, order) if in_place else smaller.least_size_bytes <= smaller.size_bytes:
            kept = _keep(smaller, order, in_place, clock.at_most_s(PLACE_S))
            stays = kept.residency.stays
            roomy = needed_pairs(SharedResidency(Residency(problem, order, stays), kept.pairs))
            offsets = place(roomy, clock.at_most_s(PLACE_S))
            placed = Placed(roomy, offsets) if offsets is not None else repaired(roomy)
            least = min(least, _moved(placed.shared))
            yield placed
    for each in dict.fromkeys((tuple(order), tuple(range(len(order))))):
        limit_s = clock.at_most_s(JOINT_S)
        better = (keep_and_share if in_place else _keep_and_place)(problem, each, least, limit_s)
        if better is not None:
            least = _moved(better.shared)
            yield better
