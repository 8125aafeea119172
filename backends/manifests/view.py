"""The plan as the manifests need it: pools with their device and nodes, read once from plan.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ...ir.diagnostics import Diagnostic, InputError
from ...ir.units import parse
from ..fleet_devices import kind_of, known_device, memory_bytes, written_of
from ..nested import served_nodes
from .flow import visits_at_most
from .hardware import Offer, offer_of
from .names import dns_name

Json = Mapping[str, Any]


@dataclass(frozen=True)
class PoolView:
    """One pool of the plan with what runs in it."""

    id: str
    device: str
    """the fleet's name"""
    kind: str
    """`gpu`, `npu`, `cpu`, `api`, or `device` where nothing is known of it"""
    model: str
    """catalogue id of the device, or its name"""
    vendor: str
    """empty where nothing is known of it"""
    chassis: int
    """devices of one host; 1 where it is not known"""
    offer: Offer
    replicas: int
    sized: bool
    """False: the plan gives no number of replicas (no rate), and `replicas` is 1"""
    devices_per_replica: int
    parallel: Json
    max_batch: int
    utilisation: float
    cold_start_s: float
    """0 where the fleet gives none"""
    zones: tuple[str, ...]
    """over which its replicas are spread; empty where the fleet names none"""
    keep_alive_s: float | None
    """time without a visit after which it goes down; None: it stays up"""
    pieces: tuple[str, ...]
    """in order of their ids"""
    tier: Json | None = None
    """what of the pool the plan puts beyond its devices' memory"""
    split: float | None = None
    """share of each device that the plan gives to prefill alone, decode having the rest"""
    hosts: int = 1
    """over which the devices of one replica are spread"""
    memory_bytes: float | None = None
    """of a device; None where it is not known"""
    held_bytes: float = 0.0
    """of a device, by the plan"""

    @property
    def devices_per_host(self) -> int:
        """Devices that a replica has on each of its hosts."""
        return self.devices_per_replica // self.hosts


@dataclass(frozen=True)
class PlanView:
    """The whole plan: `app` is the workflow's name as a DNS label."""

    app: str
    graph: Json
    nodes: Mapping[str, Json]
    models: Mapping[str, Json]
    pools: tuple[PoolView, ...]
    placements: tuple[Json, ...]

    def pools_of(self, piece: str) -> tuple[str, ...]:
        """Ids of the pools that hold `piece`, in order."""
        return self._pools_of.get(piece, ())

    @cached_property
    def _pools_of(self) -> Mapping[str, tuple[str, ...]]:
        found: dict[str, set[str]] = {}
        for p in self.placements:
            found.setdefault(p["piece"], set()).add(p["pool"])
        return {piece: tuple(sorted(pools)) for piece, pools in found.items()}

    @cached_property
    def visits_at_most(self) -> Mapping[str, int]:
        """Node with edges -> upper bound on its visits in a request."""
        return visits_at_most(self.graph)

    def pools_of_node(self, node: str) -> tuple[PoolView, ...]:
        """The pools that hold pieces of `node`, in order."""
        return tuple(pool for pool in self.pools if any(node_of(piece) == node for piece in pool.pieces))

    def priority(self, node: str) -> int:
        """Whose visits a shared pool serves first: the node's own, else its graph's; the largest go first."""
        graph = (self.graph.get("graphs") or {}).get(node.partition("/")[0]) or self.graph
        return int(self.nodes[node].get("priority", graph.get("priority", 0)))

    def node(self, piece: str) -> Json:
        """The graph's node of `piece`."""
        return self.nodes[node_of(piece)]


def node_of(piece: str) -> str:
    """`think.prefill` -> `think`; `helper/think.prefill` -> `helper/think`."""
    return piece.rpartition(".")[0]


def part_of(piece: str) -> str:
    """`think.prefill` -> `prefill`."""
    return piece.rpartition(".")[2]


def read_plan(plan: Json) -> PlanView:
    """The view of plan.json; `InputError` where the plan names what its own inputs do not have."""
    inputs = plan["inputs"]
    graph, catalogue = inputs["graph"], inputs.get("catalogue") or {}
    placements = tuple(plan.get("placements") or ())
    nodes = served_nodes({**plan, "placements": placements})
    missing = sorted({node_of(p["piece"]) for p in placements} - nodes.keys())
    if missing:
        raise InputError([Diagnostic("plan", f"the plan places node `{missing[0]}`, which its graph does not have")])
    used = {p["pool"] for p in placements}
    sized = (plan.get("cost") or {}).get("usd_per_hour") is not None
    pools = (_pool(p, sized, inputs, placements) for p in plan["pools"] if p["id"] in used)
    return PlanView(
        app=dns_name(str(graph.get("name") or "workflow")),
        graph=graph,
        nodes=nodes,
        models=catalogue.get("models") or {},
        pools=tuple(sorted(pools, key=lambda pool: pool.id)),
        placements=placements,
    )


def _pool(pool: Json, sized: bool, inputs: Json, placements: tuple[Json, ...]) -> PoolView:
    name = pool["device"]
    written, known = written_of(inputs, name), known_device(inputs, name)
    kind = kind_of(inputs, name) or "device"
    vendor = known.vendor if known else ""
    model = known.id if known else str(written.get("model") or name)
    chassis, devices = (
        int(written.get("chassis") or (known.chassis if known else 1)),
        int(pool.get("devices_per_replica") or 1),
    )
    parallel = pool.get("parallel") or {}
    return PoolView(
        id=str(pool["id"]),
        device=name,
        kind=kind,
        model=model,
        vendor=vendor,
        chassis=chassis,
        offer=offer_of(kind, vendor, model, dns_name(name)),
        replicas=int(pool.get("replicas") or 1),
        sized=sized,
        devices_per_replica=devices,
        parallel=parallel,
        max_batch=int(pool.get("max_batch") or 1),
        utilisation=float(pool.get("utilisation") or 0.0),
        cold_start_s=parse(written["cold_start"], "time") if written.get("cold_start") else 0.0,
        zones=tuple(pool.get("zones") or ()),
        keep_alive_s=(pool.get("scale") or {}).get("keep_alive_s"),
        pieces=tuple(sorted({p["piece"] for p in placements if p["pool"] == pool["id"]})),
        tier=pool.get("tier"),
        split=(pool.get("split") or {}).get("prefill"),
        hosts=_hosts(kind, devices, chassis, int(parallel.get("tp") or 1)),
        memory_bytes=memory_bytes(inputs, name),
        held_bytes=float(pool.get("memory_bytes_per_device") or 0.0),
    )


def _hosts(kind: str, devices: int, chassis: int, tp: int) -> int:
    """Hosts that one replica takes, as few as can be: each has as many of its devices, and no stage crosses them."""
    if kind in ("cpu", "api") or chassis <= 1 or devices <= chassis:
        return 1
    stages = devices // tp
    return next(hosts for hosts in range(1, stages + 1) if stages % hosts == 0 and devices // hosts <= chassis)
