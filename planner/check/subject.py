"""What is checked: a plan with its own inputs read again, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, FlatSymbolRefAttr, FloatAttr, IntegerAttr, StringAttr
from xdsl.ir import Attribute, Operation

from ...costmodel.hardware import Device
from ...ir.agent import DistAttr, GraphOp, LLMCallOp, NodeOp
from ...ir.fleet import DeviceSpec, FleetSpec
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


@dataclass(frozen=True)
class Node:
    """A node of the workflow: its kind is the op's name after `agent.`, and `asks` its attributes as plain data."""

    name: str
    kind: str
    asks: Figures

    @property
    def pieces(self) -> tuple[str, ...]:
        """Ids of its pieces in the order in which they run."""
        parts = ("prefill", "decode") if self.kind == "llm_call" else ("run",)
        return tuple(f"{self.name}.{part}" for part in parts)

    @property
    def tp(self) -> int | None:
        return self.asks.get("tp")

    @property
    def pp(self) -> int | None:
        return self.asks.get("pp")

    @property
    def on(self) -> tuple[str, ...]:
        """Fleet devices that may hold it; empty: any."""
        return _names(self.asks.get("place", {}).get("on"))

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
    nodes: Mapping[str, Node]
    hops: tuple[Hop, ...]
    fleet: FleetSpec
    devices: Mapping[str, Device]
    """Fleet name -> resolved figures; those that need none (profiles, hosted APIs) may be absent."""

    @cached_property
    def ways(self) -> list[Way]:
        return ways_through(list(self.nodes), self.hops)

    @cached_property
    def visits(self) -> Mapping[str, float]:
        """Node -> expected visits in one request."""
        return visits_per_request(self.ways)

    @cached_property
    def reached(self) -> Mapping[str, list[float]]:
        """Node -> probabilities of its first, second, ... visit."""
        return {name: visit_probabilities(self.ways, name) for name in self.nodes}

    @cached_property
    def pools(self) -> Mapping[str, Pool]:
        return {pool["id"]: _pool(pool) for pool in self.plan["pools"]}

    @cached_property
    def pool_of(self) -> Mapping[str, Pool]:
        """Piece -> the pool that the plan puts it in."""
        placed = self.plan["placements"]
        return {entry["piece"]: self.pools[entry["pool"]] for entry in placed if entry["pool"] in self.pools}

    @cached_property
    def specs(self) -> Mapping[str, DeviceSpec]:
        return {spec.name: spec for spec in self.fleet.devices}

    @property
    def rate(self) -> float | None:
        """Requests per second; None where nothing is sized."""
        return self.graph["workload"].get("rate")

    @property
    def arrivals_cv(self) -> float:
        return self.graph["workload"].get("arrivals_cv", 1.0)

    def chassis(self, device: str) -> int:
        """Devices in one chassis of `device`."""
        spec = self.specs[device]
        return spec.chassis or (self.devices[device].chassis if device in self.devices else 1)

    def profile(self, node: str, device: str) -> Figures | None:
        """Part -> measured figures of `node` on `device`; None where there is no profile."""
        own = self.nodes[node].asks.get("profile") or {}
        return own.get(device) or (self.graph.get("profile") or {}).get(device)

    @property
    def is_profiled(self) -> bool:
        """Whether profiles give every figure, so that nothing is modelled."""
        return bool(self.graph.get("profile")) or any(node.asks.get("profile") for node in self.nodes.values())


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
    return Node(op.sym_name.data, kind, _plain_attributes(op))


def _plain_attributes(op: Operation) -> dict[str, Any]:
    return {name: _plain(attribute) for name, attribute in op.attributes.items()}


def _plain(attribute: Attribute) -> Any:
    if isinstance(attribute, StringAttr):
        return attribute.data
    if isinstance(attribute, FloatAttr | IntegerAttr):
        return attribute.value.data
    if isinstance(attribute, FlatSymbolRefAttr):
        return attribute.root_reference.data
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
    )
