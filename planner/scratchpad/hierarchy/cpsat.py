"""The least makespan of given tasks by constraint programming, and a bound that is proved where time runs out."""

from __future__ import annotations

from ..addresses.extra import load_cp_model
from .tasks import Tasks


def improve(tasks: Tasks, starts: list[int], bound: int, time_limit_s: float) -> tuple[list[int], int]:
    """Starts with the least makespan found, no worse than `starts`, and a lower bound for these tasks [ticks]."""
    cp_model = load_cp_model()
    model = cp_model.CpModel()
    makespan = max(s + d for s, d in zip(starts, tasks.ticks, strict=True))
    when = [model.new_int_var(0, makespan - ticks, f"start{i}") for i, ticks in enumerate(tasks.ticks)]
    end = model.new_int_var(bound, makespan, "makespan")
    for task, before in enumerate(tasks.before):
        model.add(end >= when[task] + tasks.ticks[task])
        for each in before:
            model.add(when[task] >= when[each] + tasks.ticks[each])
        model.add_hint(when[task], starts[task])
    for border, channels in enumerate(tasks.channels):
        users = [i for i, crossed in enumerate(tasks.borders) if border in crossed and tasks.ticks[i]]
        busy = [model.new_fixed_size_interval_var(when[i], tasks.ticks[i], f"busy{border}_{i}") for i in users]
        if channels == 1:
            model.add_no_overlap(busy)
        else:
            model.add_cumulative(busy, [1] * len(busy), channels)
    model.minimize(end)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 0
    solver.parameters.max_time_in_seconds = time_limit_s
    status = solver.solve(model)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return starts, bound
    starts = [solver.value(each) for each in when]
    return starts, max(bound, int(solver.best_objective_bound))
