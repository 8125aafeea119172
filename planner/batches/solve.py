"""The plan of a batch: the fastest on all devices, or the cheapest fleet that meets the deadline.

Equations are numbered as in `docs/math/batches.md`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic

from ...ir.units import HOUR_S
from .bound import lower_bound_s
from .phases import Phases, solve_phases
from .problem import BatchProblem
from .search import improve

MOST_PHASES = 3
"""phases that are tried"""
CLOSE = 1e-3
"""relative gap to the work bound at which no further phase is tried"""
SOME = 1e-6
"""smaller parts of a call's visits are none"""
FIRST_COUNTS = 8
"""fleets of up to so many workers of a kind are all tried"""


@dataclass(frozen=True)
class BatchResult:
    """A plan of a batch, what it comes to and what bounds it."""

    phases: Phases
    makespan_s: float
    """with the time that the last visits take from end to end. Equation (9)"""
    bound_s: float
    """no plan on these workers takes less"""
    usd: float
    """of the workers and hosts for the makespan, and of calls"""
    usd_bound: float
    """no plan on any workers of the fleet costs less"""

    @property
    def problem(self) -> BatchProblem:
        """The problem on the workers that the plan takes."""
        return self.phases.problem


def fastest(problems: Sequence[BatchProblem], time_limit_s: float | None = None) -> BatchResult | None:
    """The plan with the least makespan; `problems` are the choices of degrees. None where no model fits."""
    found: BatchResult | None = None
    bounds = sorted(((lower_bound_s(p), n) for n, p in enumerate(problems)))
    for bound, n in bounds:
        if found is None or bound < found.makespan_s:
            result = on_workers(problems[n], bound, time_limit_s)
            if result is not None and (found is None or result.makespan_s < found.makespan_s):
                found = result
    return found


def cheapest(problems: Sequence[BatchProblem], time_limit_s: float | None = None) -> BatchResult | None:
    """
    The cheapest plan found that meets the deadline; None where none does.

    Fleets of one kind of worker by their number, then every exchange, addition or removal of one worker that is
    cheaper, until none is.
    """
    bound = usd_bound(problems)
    best: BatchResult | None = None
    for problem in problems:
        if problem.deadline_s is not None and lower_bound_s(problem) > problem.deadline_s:
            continue
        seen: dict[tuple[int, ...], BatchResult | None] = {}
        starts = [counts for kind in problem.workers for counts in _numbers(problem, kind.device)]
        start = min(
            (r for c in starts if (r := _priced(problem, c, seen, time_limit_s)) is not None),
            key=lambda result: result.usd,
            default=None,
        )
        while start is not None:
            if best is None or start.usd < best.usd:
                best = start
            counts = {kind.device: kind.count for kind in start.problem.workers}
            near = (_priced(problem, c, seen, time_limit_s) for c in _neighbours(problem, counts))
            cheaper = min((r for r in near if r and r.usd < start.usd), key=lambda r: r.usd, default=None)
            start = cheaper
    if best is None:
        return None
    return BatchResult(best.phases, best.makespan_s, best.bound_s, best.usd, min(bound, best.usd))


def on_workers(p: BatchProblem, bound_s: float | None = None, time_limit_s: float | None = None) -> BatchResult | None:
    """
    The plan on all workers of `p`; None where some model fits none of them.

    One phase exactly; then ever more phases by local search, while that gains and the work bound is not reached. With a
    time limit, what is left of it goes into the exact program over two phases.
    """
    bound, end = lower_bound_s(p) if bound_s is None else bound_s, monotonic() + (time_limit_s or 0.0)
    first = solve_phases(p, 1, time_limit_s)
    if first is None:
        return None
    best = assess(first, bound)
    for phases in range(2, MOST_PHASES + 1):
        if best.phases.flow_s <= bound * (1 + CLOSE):
            return best
        found = improve(p, best.phases, phases)
        result = found and assess(found, bound)
        if result is None or result.makespan_s >= best.makespan_s:
            break
        best = result
    left = end - monotonic()
    exact = solve_phases(p, 2, left) if left > 0 else None
    result = exact and assess(exact, bound)
    return best if result is None or result.makespan_s >= best.makespan_s else result


def assess(phases: Phases, bound_s: float) -> BatchResult:
    """What a choice of phases comes to. Equations (1), (9), (17)."""
    makespan = phases.flow_s + drain_s(phases)
    usd = usd_of(phases.problem, makespan)
    return BatchResult(phases, makespan, min(bound_s, makespan), usd, usd)


def drain_s(phases: Phases) -> float:
    """[s] that the longest way of one instance takes among full batches, in each phase by itself. Equation (9)."""
    p, total = phases.problem, 0.0
    for k in range(len(phases.setups)):
        seconds = dict.fromkeys(p.order, 0.0)
        done = dict.fromkeys(p.call, 0.0)
        for (call, at, b), parts in phases.shares.items():
            if at == k:
                done[call] += sum(parts)
                seconds[call] += sum(parts) * phases.setups[k][b].rates[call].visit_s
        seconds |= {call: seconds[call] / done[call] for call in p.call if done[call] > SOME}
        if k == 0:
            seconds |= {tool.name: tool.latency.mean for tool in p.tools}
        total += p.longest_path(seconds)
    return total


def usd_of(p: BatchProblem, makespan_s: float) -> float:
    """[USD] of workers and hosts for the makespan, and of calls. Equation (17)."""
    hourly = sum(kind.count * kind.usd_per_hour for kind in p.workers) + p.hosts_usd_per_hour
    return hourly * makespan_s / HOUR_S + calls_usd(p)


def calls_usd(p: BatchProblem) -> float:
    """[USD] that all calls of tools cost."""
    return p.size * sum(tool.visits * tool.usd_per_call for tool in p.tools)


def usd_bound(problems: Sequence[BatchProblem]) -> float:
    """[USD] that the work costs at the least: each call where it is cheapest, no worker ever idle. Equation (18)."""
    least = []
    for p in problems:
        total = calls_usd(p)
        for call in p.calls:
            usd = [
                kind.usd_per_hour / HOUR_S * min(setup.rates[call.name].fresh_s, setup.rates[call.name].reused_s)
                for kind in p.workers
                for setup in kind.setups
                if call.name in setup.rates
            ]
            total += p.size * call.visits * min(usd, default=0.0)
        least.append(total)
    return min(least, default=0.0)


def _numbers(p: BatchProblem, device: str) -> Iterator[Mapping[str, int]]:
    """Fleets of one kind of worker: all small ones, then ever larger ones."""
    most = next(kind.count for kind in p.workers if kind.device == device)
    n = 1
    while n < most:
        yield {device: n}
        n = n + 1 if n < FIRST_COUNTS else n + n // 2
    yield {device: most}


def _neighbours(p: BatchProblem, counts: Mapping[str, int]) -> Iterator[Mapping[str, int]]:
    """Fleets that have one worker more, one less, or one exchanged for another kind."""
    most = {kind.device: kind.count for kind in p.workers}
    for less in (None, *most):
        for more in (None, *most):
            if less == more:
                continue
            near = {device: counts.get(device, 0) + (device == more) - (device == less) for device in most}
            if all(0 <= near[device] <= most[device] for device in most) and any(near.values()):
                yield near


def _priced(
    p: BatchProblem,
    counts: Mapping[str, int],
    seen: dict[tuple[int, ...], BatchResult | None],
    time_limit_s: float | None,
) -> BatchResult | None:
    """The plan on a fleet where it meets the deadline; fleets that were seen are not solved again."""
    key = tuple(counts.get(kind.device, 0) for kind in p.workers)
    if key not in seen:
        smaller = p.with_counts(counts)
        bound = lower_bound_s(smaller)
        late = smaller.deadline_s is not None and bound > smaller.deadline_s
        found = None if late else on_workers(smaller, bound, time_limit_s)
        in_time = found is not None and (p.deadline_s is None or found.makespan_s <= p.deadline_s)
        seen[key] = found if in_time else None
    return seen[key]
