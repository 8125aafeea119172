"""What is checked: a plan with its own inputs read again, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, FloatAttr, IntegerAttr, StringAttr, SymbolRefAttr
from xdsl.ir import Attribute, Operation

from ...costmodel.hardware import Device
from ...costmodel.models import LLM
from ...costmodel.serving import Parallel
from ...costmodel.work import Work
from ...ir.agent import DistAttr, GraphOp, LLMCallOp, NodeOp
from ...ir.fleet import DeviceSpec, FleetSpec, SiteSpec
from ...ir.split import VisitClass
from ...ir.split_choice import Kept
from .classes import classes_in, pieces_of_row, split_hops, split_nodes, split_ways
from .ways import Hop, Way, visit_probabilities, visits_per_request, ways_through

Figures = Mapping[str, Any]


@dataclass(frozen=True)
class Pool:
    """A pool as the plan states it."""

    id: str
    device: str
    replicas: int
    devices_per_replica: int
    devices: int
    tp: int
    pp: int
    ep: int
    dp: int
    max_batch: int
    model: str = ""
    """that it serves, where nodes have several to choose from"""
    tier: tuple[str, float, float] | None = None
    """name of the memory beyond the device's own, shares of the weights and of every cache that lie there"""
    split: float | None = None
    """share of each device that prefills while the rest decodes, in a queue of its own"""
    keep_alive_s: float | None = None
    """None: it does not go down"""

    def part(self, phase: str) -> float:
        """Share of the device that a phase has to itself."""
        return 1.0 if self.split is None else self.split if phase == "prefill" else 1 - self.split

    @property
    def cut(self) -> Parallel:
        """How its replicas cut a model; ValueError for degrees that fit not together."""
        return Parallel(self.tp, self.pp, self.ep, self.dp)


@dataclass(frozen=True)
class Node:
    """A node of the workflow: its kind is the op's name after `agent.`, and `asks` its attributes as plain data."""

    name: str
    kind: str
    asks: Figures
    op: Operation = field(compare=False, repr=False)
    visit_class: VisitClass | None = None
    """which visits of the user's node it stands for, where the traffic of that is split"""

    @property
    def whole(self) -> str:
        """The user's node."""
        return self.name if self.visit_class is None else self.visit_class.node

    @property
    def share(self) -> float:
        """Of the requests at the user's node."""
        return 1.0 if self.visit_class is None else self.visit_class.share

    @property
    def is_llm(self) -> bool:
        return self.kind == "llm_call"

    @property
    def pieces(self) -> tuple[str, ...]:
        """Ids of its pieces in the order in which they run."""
        parts = ("prefill", "decode") if self.is_llm else ("run",)
        return tuple(f"{self.name}.{part}" for part in parts)

    @property
    def adapter(self) -> Figures | None:
        """`name`, `rank` and, where given, `targets` of the low-rank adapter on its model."""
        return self.asks.get("adapter")

    @property
    def degrees(self) -> Mapping[str, int]:
        """What the user names of `tp`, `pp`, `ep` and `dp`."""
        return {name: self.asks[name] for name in ("tp", "pp", "ep", "dp") if name in self.asks}

    @property
    def on(self) -> tuple[str, ...]:
        """Fleet devices that may hold it; empty: any."""
        return _names(self.asks.get("place", {}).get("on"))

    @property
    def region(self) -> str | None:
        """Region of the devices that may hold it; None: any."""
        return self.asks.get("place", {}).get("region")

    @property
    def beside(self) -> tuple[str, ...]:
        return _names(self.asks.get("place", {}).get("with"))

    @property
    def apart(self) -> tuple[str, ...]:
        return _names(self.asks.get("place", {}).get("apart"))


@dataclass(frozen=True)
class Subject:
    """A plan, and what its inputs say, read anew from the documents embedded in it."""

    plan: dict[str, Any]
    graph: Figures
    """`workload`, `slo`, `profile`, `kv_transfer`, `objective` of the graph"""
    written: Mapping[str, Node]
    """Nodes as the graph has them."""
    edges: tuple[Hop, ...]
    """Edges likewise."""
    fleet: FleetSpec
    devices: Mapping[str, Device]
    """Fleet name -> resolved figures; those that need none (profiles, hosted APIs) may be absent."""
    llms: Mapping[str, LLM]
    """By the name that nodes give; models that only profiles or APIs know are absent."""
    works: Mapping[str, Work]
    """Node -> one visit of its network; absent where only a profile knows it."""
    kept: Kept = field(default_factory=dict)
    """Boundaries between classes of visits that the plan keeps, of the nodes that it names under `splits`."""

    @cached_property
    def members(self) -> Mapping[str, Figures]:
        """Graph -> `share` of all requests, `slo`, `kv_transfer`; a graph that has the fleet alone has no name."""
        alone = {"share": 1.0, "slo": self.graph["slo"], "kv_transfer": self.graph.get("kv_transfer")}
        return self.graph.get("graphs") or {"": alone}

    def asked_of(self, node: str) -> Figures:
        """The member that a node is of."""
        return self.members[node.partition("/")[0] if "graphs" in self.graph else ""]

    def priority_of(self, node: Node) -> int:
        """Whose visits a shared pool serves first: the node's own, else its graph's."""
        asked = self.asked_of(node.name).get("priority", self.graph.get("priority", 0))
        return node.asks.get("priority", asked)

    def is_of(self, node: str, graph: str) -> bool:
        """Whether a node is of `graph`; yes where that has no name."""
        return not graph or node.startswith(f"{graph}/")

    @cached_property
    def _ways(self) -> Mapping[str, list[Way]]:
        """Graph -> the ways of its requests, as shares of them."""
        found = {}
        for name in self.members:
            begin = f"{name}/" if name else ""
            hops = [hop for hop in self.edges if hop.source.startswith(begin)]
            through = ways_through([node for node in self.written if node.startswith(begin)], hops)
            found[name] = [replace(way, graph=name) for way in split_ways(through, self.classes)]
        return found

    def ways_of(self, graph: str) -> list[Way]:
        """The ways of the requests of one graph, their probabilities among them; all ways for an empty name."""
        return self._ways[graph] if graph else self.ways

    @cached_property
    def ways(self) -> list[Way]:
        """The ways of all requests, each graph's at its share."""
        shares = {name: asks["share"] for name, asks in self.members.items()}
        return [replace(w, probability=shares[n] * w.probability) for n, ways in self._ways.items() for w in ways]

    @cached_property
    def classes(self) -> Mapping[str, tuple[VisitClass, ...]]:
        """Node -> the classes of its visits, where its traffic is split."""
        return classes_in(self.written)

    @cached_property
    def nodes(self) -> Mapping[str, Node]:
        """What is placed: nodes, and each class of those whose traffic is split."""
        return split_nodes(self.written, self.classes)

    @cached_property
    def hops(self) -> tuple[Hop, ...]:
        """Edges between what is placed."""
        return split_hops(self.edges, self.classes)

    def placed(self, node: str) -> list[Node]:
        """What is placed of a node of the graph: itself, or its classes."""
        return [each for each in self.nodes.values() if each.whole == node]

    @cached_property
    def visits(self) -> Mapping[str, float]:
        """Node -> expected visits in one request."""
        return visits_per_request(self.ways)

    @cached_property
    def reached(self) -> Mapping[str, list[float]]:
        """Node -> probabilities of its first, second, ... visit."""
        return {name: [] for name in self.nodes} | visit_probabilities(self.ways)

    @cached_property
    def pools(self) -> Mapping[str, Pool]:
        return {pool["id"]: _pool(pool) for pool in self.plan["pools"]}

    @cached_property
    def pool_of(self) -> Mapping[str, Pool]:
        """Piece -> the pool that the plan puts it in; ValueError where rows have conditions that mean nothing."""
        return {
            piece: self.pools[entry["pool"]]
            for entry in self.plan["placements"]
            if entry["pool"] in self.pools
            for piece in pieces_of_row(self, entry["piece"], entry["when"])
        }

    @cached_property
    def specs(self) -> Mapping[str, DeviceSpec]:
        return {spec.name: spec for spec in self.fleet.devices}

    def site(self, device: str) -> SiteSpec:
        """Electricity and network of the region that a device of the fleet stands in."""
        region = self.specs[device].region
        return self.fleet.sites.get(region or "", self.fleet.site)

    @property
    def rate(self) -> float | None:
        """Requests per second that the plan is made for; None where nothing is sized."""
        objective = self.plan["objective"]
        return objective["value"] if objective["name"] == "throughput" else self.graph["workload"].get("rate")

    @property
    def arrivals_cv(self) -> float:
        return self.graph["workload"].get("arrivals_cv", 1.0)

    @cached_property
    def hosted(self) -> Mapping[str, tuple[tuple[Node, str], ...]]:
        """Pool -> the nodes in it with their pieces there, in the order of the graph."""
        hosted: dict[str, list[tuple[Node, str]]] = {id: [] for id in self.pools}
        for node in self.nodes.values():
            for piece in node.pieces:
                if piece in self.pool_of:
                    hosted[self.pool_of[piece].id].append((node, piece))
        return {id: tuple(pieces) for id, pieces in hosted.items()}

    def adapters_of(self, model: str) -> int:
        """How many different adapters nodes have on a model: a batch mixes no more."""
        own = (node.adapter for node in self.nodes.values() if node.is_llm and node.asks["model"] == model)
        return len({adapter["name"] for adapter in own if adapter is not None})

    def together(self, node: Node) -> bool:
        """Whether all pieces of `node` run in one pool."""
        return len({self.pool_of[piece].id for piece in node.pieces}) == 1

    def location(self, piece: str) -> str:
        """Where transfers start and end: a device, or its part for one phase alone; within one nothing moves."""
        pool = self.pool_of[piece]
        node = self.nodes[piece.rpartition(".")[0]]
        phase = piece.rpartition(".")[2]
        apart = node.is_llm and not self.together(node) and self.row(piece) is None
        return "/".join(filter(None, (pool.device, phase, pool.model))) if apart else pool.device

    @cached_property
    def chooses_models(self) -> bool:
        """Whether a node has several models to choose from."""
        return any("models" in node.asks for node in self.nodes.values())

    def is_api(self, pool: Pool) -> bool:
        """Whether `pool` is a hosted API, which has no devices."""
        return self.specs[pool.device].kind == "api"

    def chassis(self, device: str) -> int:
        """Devices in one chassis of `device`."""
        return self.devices[device].chassis if device in self.devices else self.specs[device].chassis or 1

    def rows(self, piece: str) -> Mapping[str, Figures] | None:
        """Device -> measured figures of `piece`, the node's own before the graph's; None without a profile of it."""
        name, _, part = piece.rpartition(".")
        for profile in (self.nodes[name].asks.get("profile"), self.graph.get("profile")):
            rows = {device: row[part] for device, row in (profile or {}).items() if part in row}
            if rows:
                return rows
        return None

    def row(self, piece: str) -> Figures | None:
        """Measured figures of `piece` where the plan puts it; None where it is modelled."""
        rows = self.rows(piece)
        return None if rows is None else rows.get(self.pool_of[piece].device, {})


def read_workflow(graph: GraphOp) -> tuple[Figures, dict[str, Node], tuple[Hop, ...]]:
    """The graph's own attributes, its nodes and its edges."""
    nodes = {op.sym_name.data: _node(op) for op in graph.nodes if isinstance(op, NodeOp)}
    hops = []
    for number, edge in enumerate(graph.edges):
        asks = _plain_attributes(edge)
        hop = Hop(
            number,
            asks["from"],
            asks["to"],
            asks.get("probability"),
            asks.get("max_visits"),
            "stream" in asks,
            asks["bytes"],
        )
        hops.append(hop)
    return _plain_attributes(graph), nodes, tuple(hops)


def _node(op: NodeOp) -> Node:
    kind = op.name.removeprefix("agent.")
    assert isinstance(op, LLMCallOp) == (kind == "llm_call")
    return Node(op.sym_name.data, kind, _plain_attributes(op), op)


def _plain_attributes(op: Operation) -> dict[str, Any]:
    return {name: _plain(attribute) for name, attribute in op.attributes.items()}


def _plain(attribute: Attribute) -> Any:
    if isinstance(attribute, StringAttr):
        return attribute.data
    if isinstance(attribute, FloatAttr | IntegerAttr):
        return attribute.value.data
    if isinstance(attribute, SymbolRefAttr):
        return attribute.string_value()
    if isinstance(attribute, DistAttr):
        return attribute.value
    if isinstance(attribute, ArrayAttr):
        return [_plain(item) for item in attribute]
    if isinstance(attribute, DictionaryAttr):
        return {name: _plain(item) for name, item in attribute.data.items()}
    return True


def _names(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(str(item) for item in value)  # type: ignore[union-attr]


def _pool(pool: Mapping[str, Any]) -> Pool:
    parallel = pool["parallel"]
    return Pool(
        pool["id"],
        pool["device"],
        pool["replicas"],
        pool["devices_per_replica"],
        pool["devices"],
        parallel["tp"],
        parallel["pp"],
        parallel["ep"],
        parallel["dp"],
        pool["max_batch"],
        pool.get("model", ""),
        (pool["tier"]["name"], pool["tier"]["weights"], pool["tier"]["cache"]) if "tier" in pool else None,
        pool.get("split", {}).get("prefill"),
        pool.get("scale", {}).get("keep_alive_s"),
    )
