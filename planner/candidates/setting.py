"""What all candidates are made from: the lowered graph, the fleet resolved, and how requests pass through."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, FloatAttr, IntegerAttr, StringAttr
from xdsl.ir import Operation

from ...costmodel.hardware import Device
from ...costmodel.interruptions import Interruptions, interruptions_of
from ...costmodel.models import LLM
from ...costmodel.serving import Adapter
from ...costmodel.visits import Chain, Visits
from ...ir.adapters import adapter_of, adapters_of_model
from ...ir.agent import EdgeOp, GraphOp, NodeOp, symbol_of
from ...ir.alternatives import models_of
from ...ir.fleet import DeviceSpec, FleetSpec
from ...ir.flow import FlowEdge
from ...ir.llm import DecodeOp, KVTransferOp, PrefillOp, node_and_part
from ...ir.members import Member, member_with, members_of
from ...ir.split import VisitClass, classes_of, without_class
from ...ir.split_choice import Kept, boundaries, keep
from ..placement.problem import Pool, Scenario
from ..placement.times.unroll import Edge, Flow, unroll
from .classes import op_of_class, split_scenarios


@dataclass(frozen=True)
class Setting:
    """The lowered module's graph, and what the fleet and the catalogue say of it."""

    graph: GraphOp
    fleet: FleetSpec
    devices: Mapping[str, Device]
    """Fleet name -> device, hosted APIs left out."""
    llms: Mapping[str, LLM]
    """By the model's name in the graph; models that only profiles or APIs know are absent."""
    at_rate_per_s: float | None = None
    """The rate to plan for in place of the graph's own."""
    keeps_all: bool = False
    """Whether ways to run a model that another makes needless (31) are candidates too: to ask for just those."""

    @cached_property
    def written(self) -> dict[str, Operation]:
        """Node ops by symbol (`think.prefill`, `hear`), as the graph has them."""
        return {op.sym_name.data: op for op in self.graph.nodes if isinstance(op, NodeOp)}

    @cached_property
    def by_node(self) -> dict[str, Operation]:
        """The first op of each node of the graph."""
        found: dict[str, Operation] = {}
        for op in self.written.values():
            found.setdefault(node_and_part(op)[0], op)
        return found

    @property
    def written_boundaries(self) -> dict[str, tuple[int, ...]]:
        """All boundaries between classes of visits, of the nodes that have any."""
        return {node: every for node, op in self.by_node.items() if (every := tuple(range(len(boundaries(op)))))}

    @cached_property
    def members(self) -> tuple[Member, ...]:
        """The graphs that share the fleet."""
        return members_of(self.graph)

    @cached_property
    def classes(self) -> dict[str, tuple[VisitClass, ...]]:
        """Node -> the classes of its visits, where its traffic is split."""
        found = {node: classes_of(op, node) for op in self.written.values() for node in [node_and_part(op)[0]]}
        return {node: classes for node, classes in found.items() if classes}

    @cached_property
    def class_of(self) -> dict[str, VisitClass]:
        """Class of visits by name (`think#2`)."""
        return {each.name: each for classes in self.classes.values() for each in classes}

    @cached_property
    def nodes(self) -> dict[str, Operation]:
        """Node ops by symbol; where traffic is split, one for each class (`think#2.prefill`)."""
        found: dict[str, Operation] = {}
        for symbol, op in self.written.items():
            node, _ = node_and_part(op)
            own = [op_of_class(op, each) for each in self.classes.get(node, ())]
            found |= {symbol_of(each): each for each in own} or {symbol: op}
        return found

    def placed(self, node: str) -> tuple[str, ...]:
        """What is placed of a node of the graph: the node itself, or each of its classes."""
        return tuple(each.name for each in self.classes.get(node, ())) or (node,)

    def pieces(self, node: str) -> tuple[str, ...]:
        """Ids of the pieces of a node of the graph, those of all its classes."""
        return tuple(f"{name}.{p.rpartition('.')[2]}" for p in self.flow.pieces[node] for name in self.placed(node))

    def pieces_at(self, symbol: str) -> tuple[str, ...]:
        """Ids of the pieces that an end of an edge names, those of all classes."""
        node, part = node_and_part(self.written[symbol])
        return tuple(f"{name}.{part}" for name in self.placed(node))

    @cached_property
    def flow(self) -> Flow:
        pieces: dict[str, tuple[str, ...]] = {}
        for op in self.written.values():
            node, part = node_and_part(op)
            pieces[node] = (*pieces.get(node, ()), f"{node}.{part}")
        owner = {symbol: node_and_part(op)[0] for symbol, op in self.written.items()}
        edges = (_edge(op, owner) for op in self.graph.edges)
        return Flow({n: tuple(sorted(p, reverse=True)) for n, p in pieces.items()}, tuple(filter(None, edges)))

    @cached_property
    def scenarios(self) -> tuple[Scenario, ...]:
        """(46) The ways of each graph's requests, weighed by its share of all of them, and by class where split."""
        if len(self.members) == 1:
            return split_scenarios(unroll(self.flow), self.classes)
        ways = (
            replace(s, probability=member.share * s.probability, graph=member.name)
            for member in self.members
            for s in unroll(self.flow.of(member.prefix))
        )
        return split_scenarios(tuple(ways), self.classes)

    @cached_property
    def _visits(self) -> list[tuple[str, float, Visits]]:
        """Node, its graph's share of all requests, and its visits in a request of that graph."""
        return [(n, m.share, v) for m in self.members for n, v in _chain(self.flow.of(m.prefix)).visits().items()]

    @cached_property
    def visits(self) -> dict[str, tuple[float, ...]]:
        """Node -> share of requests that make visit 1, 2, ...; of a class, share of all requests too."""
        alone = {node: tuple(share * p for p in visits.reached) for node, share, visits in self._visits}
        split = {each.name: tuple(each.share * p for p in alone[each.node]) for each in self.class_of.values()}
        return alone | split

    @cached_property
    def visits_per_request(self) -> dict[str, float]:
        alone = {node: share * visits.mean for node, share, visits in self._visits}
        return alone | {each.name: each.share * alone[each.node] for each in self.class_of.values()}

    @property
    def rate_per_s(self) -> float | None:
        """Requests per second, or None where the graph gives no workload."""
        return self.at_rate_per_s or number(self.graph.workload, "rate")

    @property
    def llm_nodes(self) -> Iterator[tuple[str, PrefillOp, DecodeOp, KVTransferOp]]:
        """Name, phases and transfer of each language-model node."""
        transfers = {op.source.string_value(): op for op in self.graph.walk() if isinstance(op, KVTransferOp)}
        for symbol, op in self.nodes.items():
            if isinstance(op, PrefillOp):
                decode = self.nodes[f"{op.node.data}.decode"]
                assert isinstance(decode, DecodeOp)
                yield op.node.data, op, decode, transfers[without_class(symbol)]

    @cached_property
    def chooses_models(self) -> bool:
        """Whether a node has several models: then pools say which they serve, and so do their locations."""
        return any(len(models_of(prefill)) > 1 for _, prefill, _, _ in self.llm_nodes)

    @cached_property
    def priorities(self) -> dict[str, int]:
        """Node -> its own priority, or else its graph's: a shared pool serves visits of the largest first."""
        ops = (self.written | self.nodes).values()
        own = {node_and_part(op)[0]: op.attributes.get("priority") for op in ops}
        return {
            node: each.value.data if isinstance(each, IntegerAttr) else member_with(self.members, node).priority
            for node, each in own.items()
        }

    def adapter(self, prefill: PrefillOp) -> Adapter | None:
        """The adapter of a call, beside those that the graph's other calls have on its model."""
        asked = adapter_of(prefill)
        if asked is None:
            return None
        mixed = adapters_of_model((op for _, op, _, _ in self.llm_nodes), prefill.model.data)
        return Adapter(asked.name, asked.rank, asked.targets, mixed)

    def spec(self, device: str) -> DeviceSpec:
        return next(d for d in self.fleet.devices if d.name == device)

    def interruptions(self, device: str, weight_bytes: float = 0.0, devices: int = 1) -> Interruptions:
        """How a replica of so many devices is taken back, each of which holds so much of a model."""
        return interruptions_of(self.spec(device), self.devices.get(device), weight_bytes, devices)

    def surviving(self, pool: Pool) -> Pool:
        """The pool with what the fleet asks it to survive; hosted APIs are their provider's."""
        if not pool.capacity or not (self.fleet.spare_replicas or self.fleet.lost_zones):
            return pool
        zones = len(self.spec(pool.device).zones) or 1
        return replace(pool, spare=self.fleet.spare_replicas, zones=zones, lost_zones=self.fleet.lost_zones)

    def most_replicas(self, device: str, degree: int = 1) -> int | None:
        """Replicas of `degree` devices that the fleet has of `device`; None: as many as wanted, 0: nothing fits."""
        spec = self.spec(device)
        return None if spec.max_count is None else max(spec.max_count, spec.owned) // degree


def _chain(flow: Flow) -> Chain:
    edges = (FlowEdge(e.source, e.target, e.probability, e.max_visits, k) for k, e in enumerate(flow.edges))
    return Chain(tuple(flow.pieces), tuple(edges))


def excluded_by(op: Operation, device: str) -> str:
    """`place[node]` where the node's `place: {on: [...]}` does not admit `device`, else nothing."""
    place = op.attributes.get("place")
    on = place.data.get("on") if isinstance(place, DictionaryAttr) else None
    if not isinstance(on, ArrayAttr) or device in {a.data for a in on if isinstance(a, StringAttr)}:
        return ""
    return f"place[{without_class(node_and_part(op)[0])}]"


def unpin(graph: GraphOp, node: str) -> None:
    """Let a node run on any device, whatever its `place: {on: [...]}` says."""
    for op in graph.nodes:
        place = op.attributes.get("place")
        if isinstance(op, NodeOp) and node_and_part(op)[0] == node and isinstance(place, DictionaryAttr):
            op.attributes["place"] = DictionaryAttr({key: value for key, value in place.data.items() if key != "on"})


def keep_boundaries(graph: GraphOp, kept: Kept) -> None:
    """Split the traffic of the nodes in `kept` at those boundaries alone."""
    for op in graph.nodes:
        if isinstance(op, NodeOp) and (node := node_and_part(op)[0]) in kept:
            keep(op, kept[node])


def number(dictionary: DictionaryAttr | None, key: str) -> float | None:
    """The figure under `key`, or None."""
    value = dictionary.data.get(key) if dictionary else None
    return value.value.data if isinstance(value, FloatAttr) else None


def _edge(op: EdgeOp, owner: Mapping[str, str]) -> Edge | None:
    """The edge between nodes that `op` stands for; None inside one node."""
    source, target = owner[op.source.string_value()], owner[op.target.string_value()]
    if source == target and op.max_visits is None:
        return None
    return Edge(
        source,
        target,
        op.probability.value.data if op.probability is not None else None,
        op.max_visits.value.data if op.max_visits is not None else None,
        op.stream is not None,
    )
