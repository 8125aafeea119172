"""The plan driver: read, resolve, lower, solve, check; and the plan that comes of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from .ir.diagnostics import Diagnostic, Infeasible, InputError
from .version import VERSION

if TYPE_CHECKING:
    from .ir.read.fleet import FleetFile
    from .ir.read.graph import GraphFile
    from .planner.placement.problem import PlacementProblem
    from .planner.placement.result import PlacementResult
    from .planner.pose import Posed
    from .planner.scratchpad.hierarchy import HierarchyPlan
    from .planner.scratchpad.plan import ScratchpadPlan

Json = dict[str, Any]
Where = str | PathLike[str]
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """Where each piece runs, how many devices that takes, what it costs and how fast it is."""

    document: Json
    """plan.json, as plain data"""
    base_dir: Path
    """folder that paths in the graph are relative to"""

    @property
    def status(self) -> str:
        """`optimal`, or `feasible` with a gap."""
        return self.document["status"]

    @property
    def cost(self) -> Json:
        """[USD] per hour, request, thousand requests, year and million output tokens, and its parts."""
        return self.document["cost"]

    @property
    def latency(self) -> Json:
        """[s] `ttft` and `tbt` by node; `first_output` and `end_to_end` with mean and percentiles."""
        return self.document["latency_s"]

    @property
    def pools(self) -> list[Json]:
        """Replicas of one device type in one configuration each."""
        return self.document["pools"]

    @property
    def placements(self) -> list[Json]:
        """The pool of each piece."""
        return self.document["placements"]

    @property
    def warnings(self) -> list[str]:
        """What the user should know, one sentence each."""
        return self.document["warnings"]

    @property
    def diagnostics(self) -> list[Diagnostic]:
        """The warnings as diagnostics."""
        return [Diagnostic("plan", text, severity="warning") for text in self.warnings]

    def to_json(self) -> str:
        """The text of plan.json."""
        return json.dumps(self.document, indent=2, ensure_ascii=False) + "\n"

    def to_text(self) -> str:
        """The plan for people."""
        from .backends.text import plan_text

        return plan_text(self.document)

    def picture(self, format: Literal["dot", "mermaid", "svg"]) -> str:
        """The pieces in their pools, and what moves between them, as a picture."""
        from .backends.pictures import draw
        from .ir.read.graph import parse_graph
        from .passes.agent.inline_agents import inline_agents
        from .passes.apply_plan import apply_plan
        from .passes.lower_llm_call import lower_llm_calls
        from .passes.partition import partition_pieces

        module = parse_graph(self.document["inputs"]["graph"]).module
        inline_agents(module)
        lower_llm_calls(module, lambda _: 0.0)  # the plan says what moves, and needs no files any more
        partition_pieces(module)
        apply_plan(module, self.document)
        return draw(module, format)

    def write(self, folder: Where, force: bool = False) -> Path:
        """Write plan.json, report, code and manifests to `folder`, which appears whole or not at all.

        InputError for a folder that is not ours (unless `force`) and for what no manifest can express.
        """
        from .backends import EmitContext, OutputFile, emit_all
        from .backends.writer import write_folder

        files = emit_all(self.document, EmitContext(self.base_dir))
        return write_folder([OutputFile("plan.json", self.to_json()), *files], Path(folder), force)


def plan(
    *graphs: Where,
    fleet: Where | None = None,
    objective: str | None = None,
    time_limit_s: float | None = None,
    solver: str = "highs",
    on_progress: Progress | None = None,
    sizes: Mapping[str, int] | None = None,
) -> Plan:
    """The cheapest (or fastest) placement of a graph on a fleet.

    `graphs` is a graph.yaml, a folder that holds one, an .onnx, or a config.json, which needs `sizes` such as
    `{"batch": 1, "tokens": 512}`; `fleet` replaces the fleet that the graph names.
    InputError for what is wrong in them; Infeasible, with the conflict, where no plan exists.
    """
    graph_file, fleet_file, base_dir = _read(graphs, fleet, sizes or {})
    return plan_files(graph_file, fleet_file, base_dir, objective, time_limit_s, solver, on_progress)


def plan_files(
    graph_file: GraphFile,
    fleet_file: FleetFile,
    base_dir: Path,
    objective: str | None = None,
    time_limit_s: float | None = None,
    solver: str = "highs",
    on_progress: Progress | None = None,
) -> Plan:
    """As `plan`, of a graph and a fleet that were read; paths in the graph are relative to `base_dir`."""
    from .planner.pose import pose

    posed = pose(graph_file, fleet_file, base_dir, objective)
    result = _solve(posed.problem, time_limit_s, solver, on_progress)
    if result.objective is None:
        from .planner.infeasible import infeasible_diagnostics
        from .planner.plan import unsolved_document

        places = (graph_file.sources, fleet_file.sources)
        faults = infeasible_diagnostics(posed.setting, posed.problem, result, *places, time_limit_s)
        raise Infeasible(faults, result.conflict, unsolved_document(result, posed.inputs, VERSION))
    return Plan(_document(posed, result, graph_file.warnings), base_dir)


def _read(
    graphs: tuple[Where, ...], fleet: Where | None, sizes: Mapping[str, int]
) -> tuple[GraphFile, FleetFile, Path]:
    from .ir.read.graph import path_of_graph
    from .ir.read.inputs import read_inputs

    if len(graphs) != 1:
        message = "several graphs on one fleet are not supported yet" if graphs else "no graph is given"
        raise InputError([Diagnostic("unsupported", message, help="plan one graph at a time")])
    path = Path(graphs[0])
    if path.suffix in (".onnx", ".json"):
        return _read_network(path, fleet, sizes)
    if sizes:
        message = "sizes are given, and the graph has its own"
        raise InputError([Diagnostic("unsupported", message, help="leave `--sizes` out")])
    graph_file, fleet_file = read_inputs(path, None if fleet is None else Path(fleet))
    return graph_file, fleet_file, path_of_graph(path).parent


def _read_network(path: Path, fleet: Where | None, sizes: Mapping[str, int]) -> tuple[GraphFile, FleetFile, Path]:
    """A graph of one node around a network in a file."""
    from .ir.read.fleet import read_fleet
    from .ir.read.graph import parse_graph

    if fleet is None:
        message = "no fleet is given"
        raise InputError([Diagnostic("no-fleet", message, help="name one with `--fleet fleet.yaml`")])
    node = {"kind": "model", "graph": path.name, **sizes}
    document = {"version": 1, "name": "network", "nodes": {"network": node}}
    return parse_graph(document, path.name, path.parent), read_fleet(Path(fleet)), path.parent


def _solve(
    problem: PlacementProblem, time_limit_s: float | None, solver: str, on_progress: Progress | None
) -> PlacementResult:
    from .planner.placement.solve import solve

    def tell(best: float | None, bound: float | None) -> None:
        if on_progress is not None:
            shown = "no plan yet" if best is None else f"best {best:.6g}"
            on_progress(shown if bound is None else f"{shown}, no plan under {bound:.6g}")

    return solve(problem, time_limit_s=time_limit_s, solver=solver, on_progress=tell, with_latency=False)


def _document(posed: Posed, result: PlacementResult, noted: Sequence[Diagnostic]) -> Json:
    """plan.json of a solved problem, which the validator has accepted."""
    from .backends.manifests.kv_transfer import kv_transfer_warnings
    from .planner.cautions import cautions
    from .planner.check import check_plan
    from .planner.plan import plan_document

    solved = posed.solved(result)
    warnings = [*(warning.message for warning in noted), *posed.notes, *cautions(solved)]
    document = plan_document(solved, posed.inputs, warnings, VERSION)
    document["warnings"] += kv_transfer_warnings(document)
    _require_sound([fault.message for fault in check_plan(document)])
    return document


def check(file: Where, graph: Where | None = None, fleet: Where | None = None) -> list[Diagnostic]:
    """The faults of a plan, derived from it again without the solver's code; or those of a graph.yaml.

    `file` is a plan.json (of `plan` or of `scratchpad`), a folder that holds one, or a graph.yaml. `graph` and `fleet`
    are compared with the plan's own inputs; the graph of a scratchpad plan is its model. InputError where a file cannot
    be read.
    """
    path = Path(file)
    if path.is_dir() and (path / "plan.json").is_file():
        path = path / "plan.json"
    if path.suffix != ".json":
        return _lint(path, fleet)
    from .planner.check import check_plan

    document = _read_json(path)
    if isinstance(document, dict) and "order" in document:  # which plans of `scratchpad` alone have
        return _check_scratchpad(document, graph, fleet)
    return [*check_plan(document), *_differing_inputs(document, graph, fleet)]


def _check_scratchpad(document: Json, graph: Where | None, fleet: Where | None) -> list[Diagnostic]:
    """The faults of a plan of `scratchpad`; `graph` is the model that it is said to be of."""
    from .planner.scratchpad.check_document import check_document
    from .planner.scratchpad.inputs import Inputs
    from .planner.scratchpad.problem import ScratchpadProblem
    from .planner.scratchpad.read import read_problem
    from .planner.scratchpad.tiling import Nest, read_nests

    if fleet is not None:
        raise InputError([Diagnostic("check.inputs", "a scratchpad plan has no fleet to compare with")])
    if graph is None:
        return check_document(document)

    def model(inputs: Inputs) -> tuple[ScratchpadProblem, dict[str, Nest]]:
        problem = read_problem(graph, inputs.size_bytes, inputs.parameters, inputs.alignment_bytes)
        return problem, read_nests(graph, problem, inputs.parameters) if inputs.nests else {}

    return check_document(document, model)


def _lint(path: Path, fleet: Where | None) -> list[Diagnostic]:
    from .ir.read.graph import path_of_graph
    from .ir.read.inputs import read_inputs
    from .planner.pose import resolve_files

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
    for what, path, read in (("graph", graph, read_graph), ("fleet", fleet, read_fleet)):
        if path is not None and digest(read(Path(path)).document) != document["inputs"]["sha256"][what]:
            message = f"the plan was made from another {what} than `{path}`"
            found.append(Diagnostic("check.inputs", message, help="plan again"))
    return found


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
    _require_sound(check_tiled(problem, nests, found))
    tiled = {tile.operator for tile in found.tiles} if isinstance(found, TiledPlan) else set()
    return replace(found, inputs=inputs_of(problem, parameters, {name: nests[name] for name in tiled}))


def _require_sound(faults: Sequence[str]) -> None:
    """AssertionError where a plan of ours has faults."""
    if faults:
        text = "\n".join(faults)
        raise AssertionError(f"the plan fails its own check, which is a fault of Dovetail:\n{text}")


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
    _require_sound(check_hierarchy(problem, memories, found, seconds))
    return replace(found, inputs=inputs_of(problem, parameters, levels=memories, operator_s=seconds))


def prefixes(
    calls: Where, graph: Where | None = None, block: int = 1, characters_per_token: float | None = None
) -> Json:
    """What the prompts of a batch of calls share, and what a prefix cache saves of reading them.

    `calls` is a file of JSON lines (`ir/read/calls.py`). With a `graph`, nodes of one model look into one cache, else
    each has its own. A cache is used in whole blocks of `block` tokens. InputError for what is wrong in the files.
    """
    from .backends.prefixes_text import prefixes_document
    from .ir.agent import graph_of
    from .ir.read.calls import read_calls
    from .ir.read.graph import read_graph
    from .passes.agent.inline_agents import inline_agents
    from .planner.prefixes import caches_of, shared_prefixes

    made, cache_of = read_calls(Path(calls)), {}
    if graph is not None:
        module = read_graph(Path(graph)).module
        inline_agents(module)
        cache_of = caches_of(graph_of(module), made)
    unit = "characters" if isinstance(made[0].prompt, str) else "tokens"
    return prefixes_document(shared_prefixes(made, cache_of, block), unit, characters_per_token)


def schema(what: str) -> Json:
    """The JSON schema (2020-12) of graph.yaml, fleet.yaml or plan.json, by `graph`, `fleet` and `plan`."""
    if what == "plan":
        from .planner.check import plan_schema

        return plan_schema()
    from .ir.read.schema import json_schema

    return json_schema("graph" if what == "graph" else "fleet")
