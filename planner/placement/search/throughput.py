"""The most requests per second: rates tried by bisection, each proved to have a plan or to have none.

A plan for a rate serves any lower one, so rates with a plan end where rates without one begin.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from ..problem import UNLIMITED, PlacementProblem
from ..result import PlacementResult
from .clock import Clock, TimeUp
from .conflict import Binding, binding_names
from .rounds import OPTIMAL_GAP, Progress, Search
from .solve import some_plan

ProblemAt = Callable[[float], PlacementProblem | None]
"""The problem at a rate [req/s]; None where something else than placement stands against the rate."""
FIRST_RATE = 1.0
"""Where the search starts without a least rate [req/s]."""
LEAST_RATE = 1e-6
"""No rate below this is looked for [req/s]: 32 requests a year."""
MOST_RATE = 1e12
"""No rate above this is looked for [req/s]."""
PLAN_S = 5.0
"""Time for the plan at least, whatever the search for the rate took [s]."""
MOST_CUTS = 8
"""Cuts after which a trial of what binds, or of a cheaper plan, is given up: a number and not a time, so that equal
runs give equal answers."""
DIGITS = 9
"""Significant digits of the rates that are tried, so that what is stated is what was solved."""


@dataclass
class Throughput:
    """The largest rate found with a plan, and the smallest that is proved to have none."""

    rate: float | None = None
    """[req/s]; None where no rate has a plan, or none was found in the time."""
    bound: float = math.inf
    """No plan serves this many requests or more [req/s]."""
    stopped: bool = False
    """Time was up, or the user interrupted, before the two met."""
    plan: PlacementResult | None = None
    """A plan for `rate`: the cheapest, where that is soon found."""
    seconds: float = 0.0
    binding: Binding = field(default_factory=Binding)
    """Bounds, counts and limits without any one of which the bound could be served."""

    @property
    def gap(self) -> float:
        """(bound - rate) / bound."""
        return 1.0 if self.rate is None or math.isinf(self.bound) else (self.bound - self.rate) / self.bound

    @property
    def infeasible(self) -> bool:
        """No rate that counts has a plan."""
        return self.rate is None and not self.stopped


def is_bounded(p: PlacementProblem) -> bool:
    """Whether something of the fleet limits the rate: a piece that only counted devices serve, or a limit."""
    if p.limits:
        return True
    limited = {d.name for d in p.devices if d.max_count < UNLIMITED}
    counted = {g.id for g in p.pools if g.capacity and g.device in limited}
    free = {o.piece for o in p.options if not o.excluded_by and o.pool not in counted}
    return any(q.id not in free for q in p.pieces)


def most_requests(
    problem_at: ProblemAt,
    least: float | None = None,
    clock: Clock | None = None,
    solver: str = "highs",
    on_progress: Progress | None = None,
) -> Throughput:
    """(25) The largest rate with a plan, to a relative gap of `OPTIMAL_GAP`; at least `least` [req/s] where given.

    Ends with what is known when time is up or the user interrupts. The rate is below `MOST_RATE`.
    """
    clock = clock or Clock(None)
    found = largest_rate(problem_at, least, clock, solver, on_progress)
    if not found.stopped and found.bound < math.inf:
        found.binding = _binding(problem_at(found.bound), clock, solver)
    if found.rate is not None and (problem := problem_at(found.rate)) is not None:
        found.plan = some_plan(problem, None if clock.left is None else max(clock.left, PLAN_S), solver, MOST_CUTS)
    found.seconds = clock.spent
    return found


def largest_rate(
    problem_at: ProblemAt,
    least: float | None,
    clock: Clock,
    solver: str,
    on_progress: Progress | None = None,
    below: float = math.inf,
) -> Throughput:
    """The rate of `most_requests` alone, no plan for it; `below` [req/s] is known to have none."""
    found = Throughput(bound=below)

    def served(rate: float) -> bool:
        if has_plan(problem_at(rate), clock, solver):
            found.rate = rate if found.rate is None else max(rate, found.rate)
        else:
            found.bound = min(rate, found.bound)
        if on_progress is not None:
            on_progress(found.rate, None if math.isinf(found.bound) else found.bound)
        return found.rate == rate

    try:
        _bracket(served, found, least)
        while found.rate is not None and found.gap > OPTIMAL_GAP and found.bound < math.inf:
            middle = rounded_rate(math.sqrt(found.rate * found.bound))
            if not found.rate < middle < found.bound:
                break
            served(middle)
    except (TimeUp, KeyboardInterrupt):
        found.stopped = True
    return found


def _binding(problem: PlacementProblem | None, clock: Clock, solver: str) -> Binding:
    """What keeps a rate from having a plan, each by itself, as far as the time allows."""
    if problem is None:
        return Binding()
    is_open = False

    def serves(other: PlacementProblem) -> bool:
        nonlocal is_open
        clock.check()
        has = Search(other, solver, clock, most_cuts=MOST_CUTS).any_plan()
        is_open = is_open or has is None
        return has is True

    with suppress(TimeUp, KeyboardInterrupt):
        names = binding_names(problem, serves)
        return Binding(names, not is_open)
    return Binding()


def _bracket(served: Callable[[float], bool], found: Throughput, least: float | None) -> None:
    """A rate with a plan and one without, in steps that double."""
    rate = rounded_rate(least or FIRST_RATE)
    while not served(rate):
        rate = rounded_rate(rate / 4)
        if least is not None or rate < LEAST_RATE:
            return
    step = 2.0
    while found.bound == math.inf and rate < MOST_RATE:
        rate, step = rounded_rate(rate * step), step * 2
        served(rate)


def has_plan(problem: PlacementProblem | None, clock: Clock, solver: str) -> bool:
    """Whether a problem has a plan; TimeUp where time is over first."""
    if problem is None:
        return False
    answer = Search(problem, solver, clock).any_plan()
    if answer is None:
        raise TimeUp
    return answer


def rounded_rate(rate: float) -> float:
    """A rate to as many digits as are tried [req/s]."""
    return float(f"{rate:.{DIGITS}g}")
