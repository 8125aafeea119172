"""Offsets by constraint programming: one no-overlap in two dimensions."""

from __future__ import annotations

from .extra import load_cp_model
from .rectangles import INFEASIBLE, UNKNOWN, Layout, Rectangles


def solve_cpsat(rectangles: Rectangles, time_limit_s: float | None = None, seed: int = 0) -> Layout:
    """Offsets in units that satisfy (40) and (41), a proof that there are none, or neither within the time limit."""
    cp_model = load_cp_model()
    model = cp_model.CpModel()
    times, spaces, offsets = [], [], []
    for b, (first, last, size) in enumerate(zip(rectangles.first, rectangles.last, rectangles.sizes, strict=True)):
        if size > rectangles.capacity:
            return INFEASIBLE
        offset = model.new_int_var(0, rectangles.capacity - size, f"offset{b}")
        offsets.append(offset)
        times.append(model.new_fixed_size_interval_var(first, last - first, f"time{b}"))
        spaces.append(model.new_fixed_size_interval_var(offset, size, f"space{b}"))
    model.add_no_overlap_2d(times, spaces)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = seed
    if time_limit_s is not None:
        solver.parameters.max_time_in_seconds = max(time_limit_s, 0.0)
    status = solver.solve(model)
    if status in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return Layout("found", tuple(solver.value(offset) for offset in offsets))
    return INFEASIBLE if status == cp_model.INFEASIBLE else UNKNOWN
