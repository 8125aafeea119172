"""From files that were read to a placement problem: names resolved, the module lowered, candidates made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, StringAttr

from ...costmodel.embedded import embed
from ...costmodel.hardware import Device
from ...costmodel.visits import TooManyStates
from ...costmodel.work import Work
from ...ir.agent import GraphOp, graph_of
from ...ir.diagnostics import Diagnostic, InputError, Label
from ...ir.fleet import FleetSpec
from ...ir.read.fleet import FleetFile
from ...ir.read.graph import GraphFile
from ...ir.source import SourceFile, SourceMap
from ...ir.split_choice import Kept, choices, stated
from ...passes import run_pipeline
from ...passes.agent.inline_agents import inline_agents
from ...passes.agent.merge_equal_calls import equal_calls
from ...passes.networks import Networks
from ..candidates.setting import Setting, keep_boundaries, unpin
from ..conflicts.relaxations import Anew
from ..placement.problem import PlacementProblem
from ..placement.result import PlacementResult
from ..placement.search.clock import NO_LIMIT, Clock
from ..placement.search.rounds import OPTIMAL_GAP
from ..placement.search.throughput import Throughput
from ..placement.times.summary import summarise
from ..placement.times.unroll import TooManyScenarios
from ..record.plan import Inputs
from ..record.solved import Solved
from ..record.waits import with_waits
from ..robust.faults import range_faults
from .fixed_limits import limit_faults
from .goal_faults import goal_faults
from .goals import MINIMISED
from .resolve import Asked, Resolved, resolve_names
from .running import refuse_unless_counted, with_previous
from .to_problem import to_problem


@dataclass(frozen=True)
class Posed:
    """A placement problem, and what it was made from."""

    setting: Setting
    inputs: Inputs
    works: Mapping[str, Work]
    """Node -> one visit of its network."""
    goal: str
    """What is to be best, one of `goals.GOALS`."""
    notes: tuple[str, ...] = ()
    """What the user should know of the graph, one sentence each."""
    kept: Kept = field(default_factory=dict)
    """Boundaries between classes that stand, of each node whose traffic may be split."""
    made: PlacementProblem | None = None
    """The problem in place of that with every pool that the setting allows: with other bounds, or the pools of a plan
    that was found part by part."""

    @cached_property
    def problem(self) -> PlacementProblem:
        """What is to be solved."""
        return self.made or _problem(self.setting, self.works, self.goal, self.inputs.previous)

    def written(self, clock: Clock) -> PlacementProblem:
        """`problem`; TimeUp where the clock is over before it is written down."""
        if self.made is None and "problem" not in self.__dict__:
            self.__dict__["problem"] = _problem(self.setting, self.works, self.goal, self.inputs.previous, clock)
        return self.problem

    def at_rate(self, rate_per_s: float) -> Posed | None:
        """The same at another rate [req/s]; None where something else than placement stands against it."""
        setting = replace(self.setting, at_rate_per_s=rate_per_s)
        if limit_faults(setting, SourceMap(SourceFile("", ""))):
            return None
        return replace(self, setting=setting, made=None)

    def at_splits(self, kept: Kept) -> Posed:
        """The same with fewer of the boundaries between classes of visits."""
        if kept == self.kept:
            return self
        setting = replace(self.setting, graph=self.setting.graph.clone())
        keep_boundaries(setting.graph, kept)
        return replace(self, setting=setting, made=None, kept=kept)

    @property
    def split_choices(self) -> list[dict[str, tuple[int, ...]]]:
        """What `at_splits` may be given to find the best, the fewest classes first."""
        return choices(self.setting.by_node)

    @property
    def splits(self) -> dict[str, dict[str, Any] | None]:
        """`splits` of plan.json: how each node is split whose traffic may be."""
        return {node: stated(self.setting.by_node[node]) for node in self.kept}

    @property
    def anew(self) -> Anew:
        """The question on other fleets and at other rates."""

        def pose(
            fleet: FleetSpec, devices: Mapping[str, Device], rate: float | None, unpinned: str | None, clock: Clock
        ) -> PlacementProblem | None:
            setting = replace(self.setting, fleet=fleet, devices=devices, at_rate_per_s=rate)
            if unpinned is not None:
                setting = replace(setting, graph=setting.graph.clone())
                unpin(setting.graph, unpinned)
            if limit_faults(setting, SourceMap(SourceFile("", ""))):
                return None
            return _problem(setting, self.works, self.goal, self.inputs.previous, clock)

        return Anew(self.setting.fleet, self.setting.devices, self.setting.rate_per_s, pose)

    def problem_at(self, rate_per_s: float) -> PlacementProblem | None:
        """The problem of `at_rate`."""
        posed = self.at_rate(rate_per_s)
        return None if posed is None else posed.problem

    def solved(self, result: PlacementResult, served: Throughput | None = None) -> Solved:
        """The result with the latencies that the plan's own load gives; `served` is how it got its rate."""
        if served is not None:
            status = "optimal" if served.gap <= OPTIMAL_GAP else "feasible"
            result = replace(result, status=status, binding=served.binding.names)
            result = replace(result, binding_complete=served.binding.is_complete)
        latency = summarise(with_waits(self.problem, result), result.placements)
        setting = self.setting
        tokens = sum(
            setting.visits_per_request[node] * decode.output_tokens.value.mean
            for node, _, decode, _ in setting.llm_nodes
        )
        return Solved(self.problem, result, latency, setting.fleet, setting.devices, tokens, self.goal, served)


def pose(
    graph: GraphFile,
    fleet: FleetFile,
    base_dir: Path,
    objective: str | None = None,
    other: str | None = None,
    previous: dict[str, Any] | None = None,
    networks: Networks | None = None,
) -> Posed:
    """The problem of placing `graph` on `fleet`.

    `objective` takes the place of the graph's own, and `other` stands beside it; `previous` is what runs already, as
    `running.taken_from` has it of a plan; `networks` holds what is read and lowered.

    `graph.module` is lowered in place. InputError for names that mean nothing, and for graphs with too many ways
    through them.
    """
    resolved = resolve_files(graph, fleet, base_dir, networks)
    notes = tuple(_equal_calls(graph_of(graph.module)))
    run_pipeline(graph.module)
    lowered = graph_of(graph.module)
    # What runs may be needless by now, and what is needless at one end of a range may be the best at another.
    keeps_all = previous is not None or bool(graph.ranges or fleet.ranges)
    setting = Setting(lowered, fleet.spec, resolved.devices, resolved.llms, keeps_all=keeps_all)
    try:
        faults = limit_faults(setting, graph.sources)
        if faults:
            raise InputError(faults)
        goal = objective or lowered.objective.data
        asked = [goal] if other is None else [goal, other]
        places = (graph.sources, fleet.sources)
        faults = goal_faults(asked, objective is None, setting, *places)
        faults += range_faults(asked, graph.ranges, fleet.ranges, places, previous is not None)
        if faults:
            raise InputError(faults)
        if previous is not None:
            refuse_unless_counted(goal, setting)
        _ = setting.scenarios, setting.visits  # what is too large is told here, with its place
    except (TooManyScenarios, TooManyStates) as error:
        label = Label(graph.sources.key(("edges",)))
        help = "lower `max_visits`, or split the graph"
        raise InputError([Diagnostic("too-large", str(error), (label,), help)]) from None
    inputs = Inputs(graph.document, fleet.document, _catalogue(fleet, resolved), previous)
    return Posed(setting, inputs, resolved.works, goal, notes, setting.written_boundaries)


def _problem(
    setting: Setting, works: Mapping[str, Work], goal: str, previous: dict[str, Any] | None, clock: Clock = NO_LIMIT
) -> PlacementProblem:
    problem = to_problem(setting, works, MINIMISED[goal], clock)
    return problem if previous is None else with_previous(problem, setting.fleet, setting.devices, previous)


def _equal_calls(graph: GraphOp) -> Iterator[str]:
    """Nodes that are placed and paid for though another node makes their call."""
    for kept, other in equal_calls(graph):
        yield f"`{other.sym_name.data}` makes the same call as `{kept.sym_name.data}`: one node could stand for both"


def stay_in_regions(graph: GraphOp, fleet: FleetSpec) -> None:
    """Nodes that are to stay in a region are placed on its devices, those alone that `on` names as well."""
    for op in graph.nodes:
        place = op.attributes.get("place")
        region = place.data.get("region") if isinstance(place, DictionaryAttr) else None
        if isinstance(place, DictionaryAttr) and isinstance(region, StringAttr):
            wanted = place.data.get("on")
            on = [StringAttr(d.name) for d in fleet.devices if d.region == region.data]
            on = [name for name in on if not isinstance(wanted, ArrayAttr) or name in wanted.data]
            rest = {key: value for key, value in place.data.items() if key != "region"}
            op.attributes["place"] = DictionaryAttr(rest | {"on": ArrayAttr(on)})


def resolve_files(graph: GraphFile, fleet: FleetFile, base_dir: Path, networks: Networks | None = None) -> Resolved:
    """What the names in both files stand for; InputError with all that mean nothing.

    Nested agents are inlined in place before, since their names are looked up like all others.
    """
    inline_agents(graph.module)
    stay_in_regions(graph_of(graph.module), fleet.spec)
    asked = Asked(graph_of(graph.module), fleet.spec, graph.sources, fleet.sources, base_dir, networks or Networks())
    return resolve_names(asked)


def _catalogue(fleet: FleetFile, resolved: Resolved) -> dict[str, object]:
    used = [spec.model for spec in fleet.spec.devices if spec.model and spec.name in resolved.devices]
    return embed(used, resolved.models, resolved.files)
