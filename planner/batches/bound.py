"""What no plan of a batch can beat: the work on the workers there are, starts of engines, tools and one instance alone.

Equations are numbered as in `docs/math/batches.md`.
"""

from __future__ import annotations

from contextlib import suppress
from math import inf
from typing import Any

import pulp

from .problem import BatchProblem, Workers


def lower_bound_s(p: BatchProblem, time_limit_s: float | None = 2.0) -> float:
    """
    [s] below which no plan of `p` ends, in whatever order and over however many phases.

    The largest of what tools take, what one instance takes with all workers to itself, and the work bound. Infinite
    where no worker holds some model.
    """
    return max(tools_bound_s(p), instance_bound_s(p), work_bound_s(p, time_limit_s))


def instance_bound_s(p: BatchProblem) -> float:
    """[s] of the longest way of one instance that has everything to itself, engines being started. Equation (15).

    Only operators that every instance visits count.
    """
    start = {call.model: inf for call in p.calls}
    for kind in p.workers:
        for m, seconds in kind.start_s.items():
            start[m] = min(start.get(m, inf), seconds)
    seconds = {tool.name: tool.latency.mean for tool in p.tools} | dict(p.alone_s)
    ends: dict[str, float] = {}
    for name in p.order:
        begin = max((ends[a] for a in p.before[name]), default=0.0)
        if name in p.call:
            begin = max(begin, start[p.call[name].model])
        ends[name] = begin + (seconds.get(name, 0.0) if p.visits[name] >= 1 else 0.0)
    return max(ends.values(), default=0.0)


def tools_bound_s(p: BatchProblem) -> float:
    """[s] that limits of tools and cores of hosts take at the least. Equation (11)."""
    limited = [p.size * t.visits * t.latency.mean / t.concurrency for t in p.tools if t.concurrency is not None]
    cpu_s = sum(p.size * t.visits * t.latency.mean * t.cpus for t in p.tools)
    return max([*limited, cpu_s / p.cores if cpu_s else 0.0], default=0.0)


def work_bound_s(p: BatchProblem, time_limit_s: float | None = None) -> float:
    """
    [s] that the calls take of the workers at the least. Equation (10).

    Nothing waits for anything, setups change at no cost, and every continued call finds its cache; engines start.
    """
    lp = pulp.LpProblem("bound", pulp.LpMinimize)
    makespan = lp.add_variable("makespan", 0)
    lp += makespan
    done: dict[str, list[Any]] = {call.name: [] for call in p.calls}
    for b, (kind, workers) in enumerate(p.bundles()):
        lp += _bundle(p, lp, done, b, kind, workers) <= makespan
    if not all(done.values()):
        return inf
    for parts in done.values():
        lp += pulp.lpSum(parts) == 1
    engine = pulp.HiGHS(msg=False, threads=1, gapRel=1e-6, timeLimit=time_limit_s, random_seed=0)
    with suppress(IndexError):
        lp.solve(engine)
    solver: Any = lp.solverModel
    return max(0.0, float(solver.getInfo().mip_dual_bound))


def _bundle(
    p: BatchProblem, lp: pulp.LpProblem, done: dict[str, list[Any]], b: int, kind: Workers, workers: int
) -> Any:
    """[s] that a bundle is busy, as an expression; its parts are added to `done`."""
    starts, used = [], {}
    for m in sorted({m for setup in kind.setups for m in setup.models}):
        used[m] = lp.add_variable(f"u{b}_{m}", 0, 1, "Integer")
        starts.append(kind.start_s[m] * used[m])
    work = []
    for call in p.calls:
        best = [setup.rates[call.name] for setup in kind.setups if call.name in setup.rates]
        if not best:
            continue
        part = lp.add_variable(f"x{b}_{call.name}", 0, 1)
        lp += part <= used[call.model]
        least = min(min(rate.fresh_s, rate.reused_s) for rate in best)
        work.append(p.size * call.visits / workers * least * part)
        done[call.name].append(part)
    return pulp.lpSum(starts) + pulp.lpSum(work)
