"""What a batch takes by other ways, and without one of the plan's means: the gain of each.

Equations are numbered as in `docs/math/batches.md`. Each figure is the best that the way allows by the same cost model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .bound import lower_bound_s
from .phases import solve_phases
from .problem import BatchProblem, Rate, Setup
from .solve import BatchResult, assess, on_workers


def one_by_one_s(p: BatchProblem) -> float:
    """[s] of one instance after another, each with all workers to itself; engines start once. Equation (19)."""
    seconds = dict(p.alone_s) | {tool.name: tool.latency.mean for tool in p.tools}
    starts = sum(min(kind.start_s[m] for kind in p.workers if m in kind.start_s) for m in {c.model for c in p.calls})
    return starts / sum(kind.count for kind in p.workers) + p.size * p.longest_path(seconds)


def by_operator_s(p: BatchProblem) -> float:
    """
    [s] of one operator after another over the whole batch, on all workers alike. Equation (20).

    Every worker starts every engine once, and loads the model of each call that differs from the one before.
    """
    total = max(sum(kind.start_s.values()) for kind in p.workers)
    held = None
    for name in p.order:
        if name not in p.call:
            total += tool_stage_s(p, name)
            continue
        call = p.call[name]
        rates = [
            (kind, alone.rates[name]) for kind in p.workers for alone in kind.setups if alone.models == (call.model,)
        ]
        if held != call.model:
            total += max(kind.load_s[call.model] for kind, _ in rates)
        held = call.model
        total += p.size * call.visits / sum(kind.count / rate.fresh_s for kind, rate in rates)
        total += max(rate.visit_s for _, rate in rates)
    return total


def tool_stage_s(p: BatchProblem, name: str) -> float:
    """[s] of one tool over the whole batch with nothing else going on."""
    tool = next(tool for tool in p.tools if tool.name == name)
    busy = p.size * tool.visits * tool.latency.mean
    limit = busy / tool.concurrency if tool.concurrency is not None else 0.0
    cores = busy * tool.cpus / p.cores if tool.cpus else 0.0
    return max(limit, cores) + tool.latency.mean


def without_switching(p: BatchProblem) -> BatchResult | None:
    """The best plan that keeps every worker's setup to the end."""
    found = solve_phases(p, 1)
    return found and assess(found, lower_bound_s(p))


def one_model_each(p: BatchProblem) -> BatchResult | None:
    """The best plan in which a worker holds one model at a time."""
    kinds = (replace(k, setups=tuple(s for s in k.setups if len(s.models) <= 1)) for k in p.workers)
    return on_workers(replace(p, workers=tuple(kinds)))


def one_at_a_time(p: BatchProblem) -> BatchResult | None:
    """The best plan in which a worker answers one visit at a time."""
    kinds = (replace(k, setups=tuple(_unbatched(p, setup) for setup in k.setups)) for k in p.workers)
    return on_workers(replace(p, workers=tuple(kinds)))


def _unbatched(p: BatchProblem, setup: Setup) -> Setup:
    """Each visit has the worker to itself."""
    rates = {
        name: Rate(p.alone_s[name], p.alone_s[name], p.alone_s[name], rate.read_s) for name, rate in setup.rates.items()
    }
    return replace(setup, rates=rates, batch=dict.fromkeys(setup.batch, 1))


def tools_apart_s(result: BatchResult) -> float:
    """[s] of the plan where tools run while no worker does: their longest way comes on top."""
    p = result.problem
    seconds = {name: 0.0 if name in p.call else tool_stage_s(p, name) for name in p.order}
    return result.makespan_s + p.longest_path(seconds)


def least_s(results: Sequence[BatchResult | None]) -> float:
    """[s] of the fastest; infinite where there is none."""
    return min((result.makespan_s for result in results if result is not None), default=float("inf"))
