"""The inputs of a planning problem as values that can be changed, and the problem that they pose."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from xdsl.dialects.builtin import FloatAttr

from ...costmodel.embedded import Catalogue, read_catalogue
from ...costmodel.hardware import Device, resolve
from ...costmodel.models import LLM
from ...costmodel.networks import Network
from ...costmodel.variation import variation
from ...costmodel.work import Work, file_key, network_work
from ...ir.agent import GraphOp, ModelCallOp, graph_of
from ...ir.diagnostics import Diagnostic, InputError
from ...ir.fleet import FleetSpec
from ...ir.llm import node_and_part
from ...ir.ranges import document_at
from ...ir.read.fleet import parse_fleet
from ...ir.read.graph import parse_graph
from ...ir.split_choice import Kept, kept_of
from ...passes import run_pipeline
from ...passes.agent.inline_agents import inline_agents
from ..candidates.setting import Setting, keep_boundaries, unpin
from ..conflicts.relaxations import Anew
from ..parts.large import has_parts
from ..parts.shortlist import ByWays
from ..placement.problem import PlacementProblem
from ..placement.search.clock import NO_LIMIT, Clock
from ..placement.search.shortlist import Shortlist, Written
from ..posing.goals import MINIMISED
from ..posing.pose import stay_in_regions
from ..posing.running import with_previous
from ..posing.to_problem import frame, to_problem

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Question:
    """What a plan was made from."""

    graph: Json
    """graph.yaml, normalised"""
    fleet: FleetSpec
    devices: Mapping[str, Device]
    """Fleet name -> figures."""
    catalogue: Catalogue
    objective: str
    """What the problem minimises."""
    factors: Mapping[tuple[str, str], float] = field(default_factory=dict)
    """Coefficients of the cost model that are off, as `costmodel.variation` takes them."""
    previous: Json | None = None
    """What ran before, as the plan embeds it."""
    unpinned: str | None = None
    """A node whose `place` is left out."""
    kept: Kept = field(default_factory=dict)
    """Boundaries between classes of visits that stand, of nodes whose traffic may be split; all of nodes not named."""

    def problem(self, clock: Clock = NO_LIMIT) -> PlacementProblem:
        """The placement problem of these inputs; InputError where they pose none, TimeUp where the clock is over.

        Ways to run a model that another makes needless are in it too: plans for other inputs may have them.
        """
        with variation(self.factors):
            setting, works = self._setting()
            return self._written(setting, works, clock)

    def shortlist(self, clock: Clock = NO_LIMIT) -> Shortlist:
        """What plans of some cost may take of `problem`, which is not written down where its parts tell that."""
        with variation(self.factors):
            setting, works = self._setting()
            if self.objective == "cost" and self.previous is None and not self.factors and has_parts(setting, works):
                return ByWays.of(setting, frame(setting, works, self.objective), clock)
            return Written(self._written(setting, works, clock))

    def _setting(self) -> tuple[Setting, dict[str, Work]]:
        """The lowered graph on the fleet, and what networks do in a visit."""
        module = parse_graph(dict(self.graph)).module
        inline_agents(module)
        stay_in_regions(graph_of(module), self.fleet)
        run_pipeline(module)
        graph = graph_of(module)
        keep_boundaries(graph, self.kept)
        if self.unpinned is not None:
            unpin(graph, self.unpinned)
        llms = {name: model for name, model in self.catalogue.models.items() if isinstance(model, LLM)}
        return Setting(graph, self.fleet, self.devices, llms, keeps_all=True), dict(self.works(graph))

    def _written(self, setting: Setting, works: Mapping[str, Work], clock: Clock) -> PlacementProblem:
        problem = to_problem(setting, works, self.objective, clock)
        return problem if self.previous is None else with_previous(problem, self.fleet, self.devices, self.previous)

    @property
    def rate_per_s(self) -> float | None:
        """Requests of all graphs together; None where they give no rate."""
        return self._setting()[0].rate_per_s

    def anew(self, rate_per_s: float | None) -> Anew:
        """The question on other fleets and at other rates."""

        def pose(
            fleet: FleetSpec, devices: Mapping[str, Device], rate: float | None, unpinned: str | None, clock: Clock
        ) -> PlacementProblem:
            asked = self.graph if rate == rate_per_s else {**self.graph, "workload": self._workload(rate)}
            return replace(self, fleet=fleet, devices=devices, graph=asked, unpinned=unpinned).problem(clock)

        return Anew(self.fleet, self.devices, rate_per_s, pose)

    def _workload(self, rate: float | None) -> dict[str, Any]:
        return {**self.graph.get("workload", {}), "rate": f"{rate!r} req/s"}

    def works(self, graph: GraphOp) -> Iterator[tuple[str, Work]]:
        """(node, one visit of its network)."""
        for op in graph.nodes:
            if not isinstance(op, ModelCallOp):
                continue
            model = self.catalogue.models.get(op.model.data) if op.model is not None else None
            if isinstance(model, Network):
                sizes = {k: v.value.data for k, v in op.inputs.data.items() if isinstance(v, FloatAttr)}
                precision = op.precision.data if op.precision is not None else None
                yield op.sym_name.data, network_work(model, precision, sizes)
            elif op.graph is not None:
                work = self.catalogue.works.get(file_key(op.graph.data, op.precision.data if op.precision else None))
                if work is not None:
                    yield op.sym_name.data, work


def question_of(plan: Json) -> Question:
    """The question that a plan answers, from the inputs embedded in plan.json; ranges stand at their worst ends.

    InputError for a plan of a batch, which is no placement that can be posed again.
    """
    if "batch" in plan:
        message = "an explanation and the sensitivity of a batch are not supported yet"
        raise InputError([Diagnostic("unsupported", message, help="`batch` in plan.json has its bound and its gap")])
    inputs = plan["inputs"]
    fleet, catalogue = parse_fleet(inputs["fleet"]).spec, read_catalogue(inputs["catalogue"])
    owned = (spec for spec in fleet.devices if spec.kind != "api")
    found = {spec.name: resolve(spec, fleet.links, catalogue.find_device) for spec in owned}
    devices = {name: device for name, device in found.items() if isinstance(device, Device)}
    goal = plan["objective"]["name"]
    graph = document_at(inputs["graph"], [(each, 1.0) for each in parse_graph(inputs["graph"]).ranges])
    if goal == "throughput":
        graph = {**graph, "workload": {**graph.get("workload", {}), "rate": f"{plan['objective']['value']!r} req/s"}}
    kept = _kept(graph, plan.get("splits", {}))
    return Question(graph, fleet, devices, catalogue, MINIMISED[goal], previous=inputs.get("previous"), kept=kept)


def _kept(graph: Json, splits: Json) -> Kept:
    """Of each node in `splits`, the boundaries that a plan of `graph` keeps."""
    if not splits:
        return {}
    module = parse_graph(dict(graph)).module
    inline_agents(module)
    found = ((node_and_part(op)[0], op) for op in graph_of(module).nodes)
    return {node: kept_of(op, splits[node]) for node, op in found if node in splits}
