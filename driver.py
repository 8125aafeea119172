"""The plan driver: read, resolve, lower, solve, check; and the plan that comes of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from .ir.diagnostics import Diagnostic, InputError
from .ir.given import require
from .version import VERSION

if TYPE_CHECKING:
    from .backends import EmitContext
    from .ir.read.fleet import FleetFile
    from .ir.read.graph import GraphFile
    from .passes.networks import Networks
    from .planner.placement.result import PlacementResult
    from .planner.placement.search.throughput import Throughput
    from .planner.posing.pose import Posed

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

    def with_sensitivity(
        self,
        off: float = 0.2,
        time_limit_s: float | None = None,
        solver: str = "highs",
        on_progress: Progress | None = None,
    ) -> Plan:
        """This plan with `sensitivity`: what each input being off by that share, both ways, does to it.

        Ends with what is known when time is up or the user interrupts. ValueError unless 0 < off < 1.
        """
        from .planner.sensitivity.study import Study

        found = Study(self.document, off, time_limit_s, solver).run(on_progress)
        return Plan({**self.document, "sensitivity": found}, self.base_dir)

    def with_explanation(
        self, time_limit_s: float | None = None, solver: str = "highs", on_progress: Progress | None = None
    ) -> Plan:
        """This plan with `explanation`: what binds, the next-best plan and its extra cost, why devices are not used.

        Ends with what is known when time is up or the user interrupts.
        """
        from .planner.answers.explanation import Explanation

        found = Explanation(self.document, time_limit_s, solver).run(on_progress)
        return Plan({**self.document, "explanation": found}, self.base_dir)

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

    def write(self, folder: Where, force: bool = False, context: EmitContext | None = None) -> Path:
        """Write plan.json, report, code and manifests to `folder`, which appears whole or not at all.

        `context` has what was made of the plan's networks before.

        InputError for a folder that is not ours (unless `force`) and for what no manifest can express.
        """
        from .backends import EmitContext, OutputFile, emit_all
        from .backends.writer import write_folder

        require("Plan.write", folder=folder)
        if "batch" in self.document:
            files = [OutputFile("report.txt", self.to_text())]
        else:
            files = emit_all(self.document, context or EmitContext(self.base_dir))
        return write_folder([OutputFile("plan.json", self.to_json()), *files], Path(folder), force)


def plan(
    *graphs: Where,
    fleet: Where | None = None,
    objective: str | None = None,
    time_limit_s: float | None = None,
    solver: str = "highs",
    on_progress: Progress | None = None,
    sizes: Mapping[str, int] | None = None,
    catalogue: Where | None = None,
    previous: Plan | Where | None = None,
    over_s: float | None = None,
    lost: Mapping[str, int | None] | None = None,
    gap: float | None = None,
) -> Plan:
    """The best placement of a graph on a fleet, by `objective` or the graph's own: the cheapest unless said.

    Several `graphs` share one fleet, and are planned together. Each is a graph.yaml, a folder that holds one, an .onnx,
    or a config.json, which needs `sizes` such as `{"batch": 1, "tokens": 512}`; networks are planned alone. `fleet`
    replaces the fleet that the graph names.
    `catalogue` is a file of devices and models that extend or override ours (`costmodel/user_catalogue.py`).
    `previous` is the plan (or its plan.json, or folder) that runs: bringing up other replicas then counts, spread over
    `over_s` seconds (a day unless said), and `lost` names devices that failed, with how many (None: all). The search
    ends when the plan is proved to be within the share `gap` of the best, 1e-6 unless said.
    InputError for what is wrong in them, and for an argument of another kind; Infeasible, with the conflict, where no
    plan exists.
    """
    from .planner.placement.search.clock import Clock

    for graph in graphs:
        require("plan", graph=graph)
    given = {"fleet": fleet, "objective": objective, "time_limit_s": time_limit_s, "solver": solver, "sizes": sizes}
    replaced = {"previous": previous, "over_s": over_s, "lost": lost}
    require("plan", **given, **replaced, on_progress=on_progress, catalogue=catalogue, gap=gap)
    clock = Clock(time_limit_s)
    with with_catalogue(catalogue):
        graph_file, fleet_file, base_dir = read_graph_and_fleet(graphs, fleet, sizes or {})
        before = None
        if previous is not None or over_s is not None or lost:
            before, fleet_file = _before(previous, graph_file, fleet_file, over_s, lost or {})
        return plan_files(graph_file, fleet_file, base_dir, objective, clock.left, solver, on_progress, before, gap)


def _before(
    previous: Plan | Where | None,
    graph: GraphFile,
    fleet: FleetFile,
    over_s: float | None,
    lost: Mapping[str, int | None],
) -> tuple[Json, FleetFile]:
    """What runs, as a plan embeds it, and the fleet without what was lost."""
    from .check_driver import read_plan
    from .ir.read.fleet import parse_fleet
    from .planner.posing.running import OVER_S, taken_from, without_lost

    if previous is None:
        message = "what devices are lost, or what changes cost, needs a plan that runs, and none is given"
        raise InputError([Diagnostic("from", message, help="give it with `--from plan.json`")])
    old = previous.document if isinstance(previous, Plan) else read_plan(Path(previous))
    before = taken_from(old, graph.document.get("name"), lost, OVER_S if over_s is None else over_s)
    if lost:
        rest = parse_fleet(without_lost(fleet.document, fleet.spec, lost))
        fleet = replace(rest, sources=fleet.sources)
    return before, fleet


@contextmanager
def with_catalogue(path: Where | None) -> Iterator[None]:
    """Within this, the devices and models of the file at `path` stand over the catalogue; InputError for its faults."""
    if path is None:
        yield
        return
    from .costmodel.user_catalogue import read_user_catalogue
    from .costmodel.user_entries import using

    with using(read_user_catalogue(Path(path))):
        yield


def plan_files(
    graph_file: GraphFile,
    fleet_file: FleetFile,
    base_dir: Path,
    objective: str | None = None,
    time_limit_s: float | None = None,
    solver: str = "highs",
    on_progress: Progress | None = None,
    before: Json | None = None,
    gap: float | None = None,
    networks: Networks | None = None,
) -> Plan:
    """As `plan`, of a graph and a fleet that were read; paths in the graph are relative to `base_dir`.

    `before` is what runs already, as `planner.running.taken_from` has it; `networks` holds what is read and lowered.
    """
    from .ir.agent import graph_of
    from .planner.answers.answer import asking, in_words
    from .planner.answers.best_split import best_split
    from .planner.placement.search.clock import Clock
    from .planner.placement.search.engine import finishing
    from .planner.placement.search.rounds import OPTIMAL_GAP
    from .planner.posing.pose import pose

    if "batch_size" in graph_of(graph_file.module).workload.data:
        from .planner.batches.plan import plan_batch

        if before is not None:
            raise InputError([Diagnostic("from", "a batch runs once, and replaces no plan", help="leave out `--from`")])
        return Plan(plan_batch(graph_file, fleet_file, base_dir, VERSION, objective, time_limit_s), base_dir)
    clock, files, told = Clock(time_limit_s), (graph_file, fleet_file), in_words(on_progress)
    posed = pose(graph_file, fleet_file, base_dir, objective, None, before, networks)
    found = best_split(posed, asking(files, solver, told, gap or OPTIMAL_GAP), clock.left)
    if found.result.objective is None:
        from .planner.conflicts.no_plan import no_plan

        if found.result.status == "infeasible":
            told(None, None, "no plan exists, looking for a way out")
        raise no_plan(found.posed, found.result, files, VERSION, time_limit_s, found.over, base_dir)
    told(found.result.objective, found.result.bound, "checking the plan and writing it down")
    with finishing():
        document = plan_document_of(found.posed, found.result, graph_file.warnings, found.served, found.over)
    return Plan(document, base_dir)


def read_graph_and_fleet(
    graphs: tuple[Where, ...], fleet: Where | None, sizes: Mapping[str, int]
) -> tuple[GraphFile, FleetFile, Path]:
    """The graph and the fleet that `plan` takes, and the folder that paths are relative to; InputError as there."""
    from .ir.read.graph import path_of_graph
    from .ir.read.inputs import read_inputs

    if len(graphs) > 1:
        return _read_several([Path(graph) for graph in graphs], fleet, sizes)
    if len(graphs) != 1:
        raise InputError([Diagnostic("unsupported", "no graph is given", help="name a graph.yaml")])
    path = Path(graphs[0])
    if path.suffix in (".onnx", ".json"):
        return _read_network(path, fleet, sizes)
    if sizes:
        message = "sizes are given, and the graph has its own"
        raise InputError([Diagnostic("unsupported", message, help="leave `--sizes` out")])
    graph_file, fleet_file = read_inputs(path, None if fleet is None else Path(fleet))
    return graph_file, fleet_file, path_of_graph(path).parent


def _read_several(
    graphs: Sequence[Path], fleet: Where | None, sizes: Mapping[str, int]
) -> tuple[GraphFile, FleetFile, Path]:
    """Several graphs as one, whose nodes are called `graph/node`."""
    from .ir.read.inputs import read_several

    networks = [path for path in graphs if path.suffix in (".onnx", ".json")]
    if networks or sizes:
        what = f"`{networks[0]}` beside another graph" if networks else "`--sizes` beside several graphs"
        help = "name it in a graph.yaml, as a node of kind `model`"
        raise InputError([Diagnostic("unsupported", f"{what} is not supported yet", help=help)])
    return read_several(graphs, None if fleet is None else Path(fleet))


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


def plan_document_of(
    posed: Posed,
    result: PlacementResult,
    noted: Sequence[Diagnostic],
    served: Throughput | None = None,
    over: Mapping[str, Any] = MappingProxyType({}),
) -> Json:
    """plan.json of a solved problem, which the validator has accepted; `over` is what it says of ranges."""
    from .backends.manifests.kv_transfer import kv_transfer_warnings
    from .planner.check import check_plan
    from .planner.record.cautions import cautions
    from .planner.record.members import members_document
    from .planner.record.plan import plan_document, rounded

    solved = posed.solved(result, served)
    warnings = [*(warning.message for warning in noted), *posed.notes, *cautions(solved)]
    document = plan_document(solved, posed.inputs, warnings, VERSION) | dict(over)
    if graphs := members_document(solved):
        document["graphs"] = graphs
    if posed.splits:
        document["splits"] = rounded(posed.splits)
    document["warnings"] += kv_transfer_warnings(document)
    require_sound([fault.message for fault in check_plan(document)])
    return document


def require_sound(faults: Sequence[str]) -> None:
    """AssertionError where a plan of ours has faults."""
    if faults:
        text = "\n".join(faults)
        raise AssertionError(f"the plan fails its own check, which is a fault of Dovetail:\n{text}")


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
    from .planner.batches.prefixes import caches_of, shared_prefixes

    made, cache_of = read_calls(Path(calls)), {}
    if graph is not None:
        module = read_graph(Path(graph)).module
        inline_agents(module)
        cache_of = caches_of(graph_of(module), made)
    unit = "characters" if isinstance(made[0].prompt, str) else "tokens"
    return prefixes_document(shared_prefixes(made, cache_of, block), unit, characters_per_token)


def schema(what: str) -> Json:
    """The JSON schema (2020-12) of graph.yaml, fleet.yaml, plan.json or a user's catalogue.

    `what` is `graph`, `fleet`, `plan` or `catalogue`.
    """
    if what == "catalogue":
        from .costmodel.user_catalogue import catalogue_schema

        return catalogue_schema()
    if what == "plan":
        from .planner.check import plan_schema

        return plan_schema()
    from .ir.read.schema import json_schema

    return json_schema("graph" if what == "graph" else "fleet")
