"""The plan as the manifests need it: pools with their device and nodes, read once from plan.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...ir.diagnostics import Diagnostic, InputError
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
    offer: Offer
    replicas: int
    sized: bool
    """False: the plan gives no number of replicas (no rate), and `replicas` is 1"""
    devices_per_replica: int
    parallel: Json
    max_batch: int
    utilisation: float
    cold_start_s: float | None
    pieces: tuple[str, ...]
    """in order of their ids"""


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
        return tuple(sorted({p["pool"] for p in self.placements if p["piece"] == piece}))

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
    nodes = dict(_nodes(graph.get("nodes") or {}))
    missing = sorted({node_of(p["piece"]) for p in placements} - nodes.keys())
    if missing:
        raise InputError([Diagnostic("plan", f"the plan places node `{missing[0]}`, which its graph does not have")])
    used = {p["pool"] for p in placements}
    pools = (_pool(p, inputs.get("fleet") or {}, catalogue, placements) for p in plan["pools"] if p["id"] in used)
    return PlanView(
        app=dns_name(str(graph.get("name") or "workflow")),
        graph=graph,
        nodes=nodes,
        models=catalogue.get("models") or {},
        pools=tuple(sorted(pools, key=lambda pool: pool.id)),
        placements=placements,
    )


def _nodes(nodes: Json, prefix: str = "") -> list[tuple[str, Json]]:
    """Nodes by the names that pieces give them, those of nested graphs included."""
    found: list[tuple[str, Json]] = []
    for name, node in nodes.items():
        found.append((prefix + name, node))
        nested = node.get("graph")
        if isinstance(nested, Mapping):
            found += _nodes(nested.get("nodes") or {}, f"{prefix}{name}/")
    return found


def _pool(pool: Json, fleet: Json, catalogue: Json, placements: tuple[Json, ...]) -> PoolView:
    name = pool["device"]
    written: Json = (fleet.get("devices") or {}).get(name) or {}
    model = str(written.get("model") or name)
    known: Json = (catalogue.get("devices") or {}).get(name) or (catalogue.get("devices") or {}).get(model) or {}
    kind = str(written.get("kind") or known.get("kind") or "device")
    vendor = str(written.get("vendor") or known.get("vendor") or "")
    per_replica = int(pool.get("devices_per_replica") or 1)
    _refuse_several_hosts(pool["id"], per_replica, written.get("chassis") or known.get("chassis"), kind)
    return PoolView(
        id=str(pool["id"]),
        device=name,
        kind=kind,
        model=str(known.get("model") or model),
        offer=offer_of(kind, vendor, model, dns_name(name)),
        replicas=int(pool.get("replicas") or 1),
        sized=bool(pool.get("replicas")),
        devices_per_replica=per_replica,
        parallel=pool.get("parallel") or {},
        max_batch=int(pool.get("max_batch") or 1),
        utilisation=float(pool.get("utilisation") or 0.0),
        cold_start_s=known.get("cold_start_s"),
        pieces=tuple(sorted({p["piece"] for p in placements if p["pool"] == pool["id"]})),
    )


def _refuse_several_hosts(pool: str, per_replica: int, chassis: int | None, kind: str) -> None:
    if kind not in ("cpu", "api") and chassis and per_replica > int(chassis) > 1:
        message = (
            f"a replica of pool `{pool}` takes {per_replica} devices, and one host has {chassis}; "
            "manifests for replicas over several hosts are not supported"
        )
        raise InputError([Diagnostic("manifests", message)])
