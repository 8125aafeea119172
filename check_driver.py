"""The check driver: a plan derived again without the planner's code, or a graph linted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .driver import Json, Where
from .ir.diagnostics import Diagnostic, InputError
from .ir.given import require

if TYPE_CHECKING:
    from .planner.scratchpad.inputs import Inputs
    from .planner.scratchpad.problem import ScratchpadProblem
    from .planner.scratchpad.tiling import Nest


def check(file: Where, graph: Where | None = None, fleet: Where | None = None) -> list[Diagnostic]:
    """The faults of a plan, derived from it again without the solver's code; or those of a graph.yaml.

    `file` is a plan.json (of `plan`, `scratchpad` or `partition --over`), a folder that holds one, or a graph.yaml.
    `graph` and `fleet` are compared with the plan's own inputs; the graph of the other two is their model. InputError
    where a file cannot be read.
    """
    require("check", file=file, fleet=fleet)
    if graph is not None:
        require("check", graph=graph)
    path = _path_of_plan(Path(file))
    if path.suffix != ".json":
        return _lint(path, fleet)
    from .planner.check import check_plan

    document = _read_json(path)
    if isinstance(document, dict) and "order" in document:  # which plans of `scratchpad` alone have
        return _check_scratchpad(document, graph, fleet)
    if isinstance(document, dict) and document.get("plan") == "op-placement":
        return _check_placement(document, graph, fleet)
    if isinstance(document, dict) and ("decision" in document or document.get("plan") == "pieces"):
        message = f"`{path}` says how a network is cut or shared; there is nothing in it to derive again"
        help = "plans of `plan`, `scratchpad` and `partition --over` can be checked"
        raise InputError([Diagnostic("check.shape", message, help=help)])
    faults = check_plan(document)
    if any(fault.id == "check.shape" for fault in faults):  # what it was made from cannot be found in it either
        return faults
    return [*faults, *_differing_inputs(document, graph, fleet)]


def _check_scratchpad(document: Json, graph: Where | None, fleet: Where | None) -> list[Diagnostic]:
    """The faults of a plan of `scratchpad`; `graph` is the model that it is said to be of."""
    from .planner.scratchpad.check_document import check_document
    from .planner.scratchpad.read import read_problem
    from .planner.scratchpad.tiling import read_nests

    if fleet is not None:
        raise InputError([Diagnostic("check.inputs", "a scratchpad plan has no fleet to compare with")])
    if graph is None:
        return check_document(document)

    def model(inputs: Inputs) -> tuple[ScratchpadProblem, dict[str, Nest]]:
        problem = read_problem(graph, inputs.size_bytes, inputs.parameters, inputs.alignment_bytes)
        return problem, read_nests(graph, problem, inputs.parameters) if inputs.nests else {}

    return check_document(document, model)


def _check_placement(document: Json, model: Where | None, fleet: Where | None) -> list[Diagnostic]:
    """The faults of a placement of ops; `model` and `fleet` are what it is said to be of."""
    from .partition_driver import op_placement_problem
    from .planner.op_placement.check_document import check_placement

    if model is None:
        return check_placement(document)
    return check_placement(document, lambda asked: op_placement_problem(model, fleet, asked))


def read_plan(path: Path) -> Json:
    """The document of a plan.json, or of the folder that holds it; InputError where it is none."""
    document = _read_json(_path_of_plan(path))
    if not isinstance(document, dict) or "status" not in document or "inputs" not in document:
        message = f"`{path}` is no plan of agents and networks on a fleet"
        raise InputError([Diagnostic("plan", message, help="give what `plan --json` printed or `plan -o` wrote")])
    return document


def _path_of_plan(path: Path) -> Path:
    return path / "plan.json" if path.is_dir() and (path / "plan.json").is_file() else path


def _lint(path: Path, fleet: Where | None) -> list[Diagnostic]:
    from .ir.read.graph import path_of_graph
    from .ir.read.inputs import read_inputs
    from .planner.posing.pose import resolve_files

    try:
        graph_file, fleet_file = read_inputs(path, None if fleet is None else Path(fleet))
        resolve_files(graph_file, fleet_file, path_of_graph(path).parent)
    except InputError as error:
        return list(error.diagnostics)
    return []


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError([Diagnostic("plan", f"cannot read the plan `{path}`: {reason}")]) from None


def _differing_inputs(document: Mapping[str, Any], graph: Where | None, fleet: Where | None) -> list[Diagnostic]:
    """Where the files given are not those that the plan was made from."""
    from .ir.digest import digest
    from .ir.read.fleet import read_fleet
    from .ir.read.graph import read_graph

    found = []
    inputs = document["inputs"]
    known = {"graph": {inputs["sha256"]["graph"]}, "fleet": {inputs["sha256"]["fleet"]}}
    known["graph"] |= {digest(own) for own in (inputs["graph"].get("graphs") or {}).values()}  # each of several
    for what, path, read in (("graph", graph, read_graph), ("fleet", fleet, read_fleet)):
        if path is not None and digest(read(Path(path)).document) not in known[what]:
            message = f"the plan was made from another {what} than `{path}`"
            found.append(Diagnostic("check.inputs", message, help="plan again"))
    return found
