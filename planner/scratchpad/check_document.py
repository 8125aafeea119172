"""The validators of scratchpad plans applied to a document: plan.json, with tiles or without, over any levels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ...ir.diagnostics import Diagnostic
from .check import check_plan
from .hierarchy.check import check_hierarchy
from .hierarchy.level import require_levels
from .hierarchy.plan import HierarchyPlan
from .inputs import Inputs, graph_of, read_inputs
from .plan import ScratchpadPlan
from .problem import ScratchpadProblem
from .records import Malformed, read_as
from .tiling.below import TiledPlan
from .tiling.check import check_tiled
from .tiling.nest import Nest

ReadModel = Callable[[Inputs], tuple[ScratchpadProblem, Mapping[str, Nest]]]


def check_document(document: Mapping[str, Any], model: ReadModel | None = None) -> list[Diagnostic]:
    """Every fault of a plan of `dovetail scratchpad`; with `model`, which reads the file that is said to be its model,
    also where the plan is not of that graph. Raises nothing for a document, whatever it holds."""
    try:
        faults = _faults(document)
        if model is not None and not faults:
            faults = _differences(read_inputs(document["inputs"]), model)
    except Malformed as error:
        return [Diagnostic("check.shape", str(error))]
    except RecursionError:
        return [Diagnostic("check.shape", "the plan is nested too deeply")]
    return [Diagnostic("check.scratchpad", fault) for fault in faults]


def _faults(document: Mapping[str, Any]) -> list[str]:
    content = {key: value for key, value in document.items() if key != "inputs"}
    figures = ("seconds", "minimum_bytes", "makespan_bound_s", "schedule_bound_s")
    low = [key for key in figures if isinstance(value := document.get(key), int | float) and not value >= 0]
    if low:
        return [f"`{key}` is {document[key]}, and must be at least 0" for key in low]
    if "inputs" not in document:
        if document.get("status") in ("infeasible", "unknown"):
            return check_plan(ScratchpadProblem("", (), (), 0), read_as(ScratchpadPlan, content, "plan"))
        raise Malformed("the plan has no `inputs`: it does not say which graph it is of")
    inputs = read_inputs(document["inputs"])
    problem = inputs.problem
    if "transfers" in document:
        return _hierarchy_faults(problem, inputs, read_as(HierarchyPlan, content, "plan"))
    if inputs.levels or inputs.operator_s:
        return ["the plan is of one level, but its inputs have more"]
    if "tiles" in document:
        return check_tiled(problem, inputs.nests, read_as(TiledPlan, content, "plan"))
    return check_plan(problem, read_as(ScratchpadPlan, content, "plan"))


def _hierarchy_faults(problem: ScratchpadProblem, inputs: Inputs, plan: HierarchyPlan) -> list[str]:
    from ...ir.diagnostics import InputError

    try:
        require_levels(inputs.levels)
    except InputError as error:
        return [diagnostic.message for diagnostic in error.diagnostics]
    if len(inputs.operator_s) != len(problem.operators) or min(inputs.operator_s, default=0.0) < 0:
        return ["the inputs have not one duration for each operator"]
    return check_hierarchy(problem, inputs.levels, plan, inputs.operator_s)


def _differences(inputs: Inputs, model: ReadModel) -> list[str]:
    """Where the plan is of another graph than the model's."""
    problem, nests = model(inputs)
    own, its = graph_of(problem, {name: nests[name] for name in inputs.nests if name in nests}), inputs.graph
    if graph_of(inputs.problem, inputs.nests) == {**own, "name": its.name}:
        return []
    tensors, operators = {t.name: t for t in problem.tensors}, {op["name"]: op for op in own["operators"]}
    for tensor in its.tensors:
        if tensors.get(tensor.name) != tensor:
            return [f"the plan is of another graph: the model has no tensor `{tensor.name}` of its size and kind"]
    listed = graph_of(inputs.problem, inputs.nests)["operators"]
    for op in listed:
        if operators.get(op["name"]) != op:
            return [f"the plan is of another graph: operator `{op['name']}` is not the model's"]
    return ["the plan is of another graph: the model has more tensors or operators, or another order"]
