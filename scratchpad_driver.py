"""The scratchpad driver: one tensor graph on a scratchpad or on levels of memory, planned and checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from .driver import Progress, Where, require_sound

if TYPE_CHECKING:
    from .planner.scratchpad.hierarchy import HierarchyPlan
    from .planner.scratchpad.plan import ScratchpadPlan


def scratchpad(
    model: Where,
    size_bytes: int,
    *,
    parameters: bool = False,
    alignment_bytes: int = 1,
    in_place: bool = False,
    tile: bool = False,
    time_limit_s: float | None = None,
    on_progress: Progress | None = None,
) -> ScratchpadPlan:
    """Schedule, addresses and spills of one tensor graph on one scratchpad.

    `model` is an .onnx, a network in .mlir, or a tensor graph in .json. With `parameters`, weights are tensors too;
    `in_place` lets outputs take over buffers of inputs, `tile` runs operators that do not fit in tiles. InputError for
    what is wrong in the file, Infeasible, with what each operator needs, where one does not fit.
    """
    from .planner.scratchpad.inputs import inputs_of
    from .planner.scratchpad.read import read_problem
    from .planner.scratchpad.solve import plan_scratchpad
    from .planner.scratchpad.tiling import TiledPlan, check_tiled, plan_below, read_nests

    problem, nests = read_problem(model, size_bytes, parameters, alignment_bytes), {}
    if tile:
        if in_place:
            raise ValueError("operators run in tiles or in place, not both")
        nests = read_nests(model, problem, parameters)
        found = plan_below(problem, nests, time_limit_s=time_limit_s, on_progress=on_progress)
    else:
        found = plan_scratchpad(problem, time_limit_s=time_limit_s, on_progress=on_progress, in_place=in_place)
    require_sound(check_tiled(problem, nests, found))
    tiled = {tile.operator for tile in found.tiles} if isinstance(found, TiledPlan) else set()
    return replace(found, inputs=inputs_of(problem, parameters, {name: nests[name] for name in tiled}))


def hierarchy(
    model: Where,
    size_bytes: int,
    levels: Sequence[tuple[str, int | None, float]],
    *,
    objective: Literal["bytes", "makespan"] = "bytes",
    parameters: bool = False,
    alignment_bytes: int = 1,
    time_limit_s: float | None = None,
) -> HierarchyPlan:
    """Schedule, addresses and timed transfers of one tensor graph on a scratchpad and the memories beyond it.

    `levels` are (name, bytes, bytes per second), nearest first; the outermost has no size (None). An operator takes as
    long as what it touches takes across the scratchpad's border. InputError for what is wrong in the file or the
    levels, Infeasible where an operator does not fit.
    """
    from .planner.scratchpad.hierarchy import Level, check_hierarchy, operator_seconds, plan_hierarchy
    from .planner.scratchpad.inputs import inputs_of
    from .planner.scratchpad.read import read_problem

    problem = read_problem(model, size_bytes, parameters, alignment_bytes)
    memories = tuple(Level(*level) for level in levels)
    found = plan_hierarchy(problem, memories, objective=objective, time_limit_s=time_limit_s)
    seconds = operator_seconds(problem, memories)
    require_sound(check_hierarchy(problem, memories, found, seconds))
    return replace(found, inputs=inputs_of(problem, parameters, levels=memories, operator_s=seconds))
