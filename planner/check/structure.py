"""What a plan is made of: every piece placed once, pools of whole replicas, counts within the fleet."""

from __future__ import annotations

import math
from collections import Counter

from ...ir.diagnostics import Diagnostics
from .subject import Node, Pool, Subject


def check_structure(subject: Subject, faults: Diagnostics) -> None:
    """Report `check.placement`, `check.constraint` and `check.count` faults."""
    _check_each_piece_once(subject, faults)
    _check_pool_parts(subject, faults)
    _check_device_counts(subject, faults)
    for node in subject.nodes.values():
        _check_constraints(subject, node, faults)


def _check_each_piece_once(subject: Subject, faults: Diagnostics) -> None:
    expected = {piece for node in subject.nodes.values() for piece in node.pieces}
    shares: dict[str, list[float]] = {piece: [] for piece in expected}
    known = {pool["id"]: pool["device"] for pool in subject.plan["pools"]}
    for placed in subject.plan["placements"]:
        piece, pool = placed["piece"], placed["pool"]
        if piece not in expected:
            faults.error("check.placement", f"`{piece}` is no piece of the graph")
            continue
        shares[piece].append(placed["share"])
        if pool not in known:
            faults.error("check.placement", f"`{piece}` is placed in pool `{pool}`, which the plan does not have")
        elif known[pool] != placed["device"]:
            message = f"`{piece}` is placed on `{placed['device']}`, but pool `{pool}` has `{known[pool]}`"
            faults.error("check.placement", message)
    for piece in sorted(expected):
        if not shares[piece]:
            faults.error("check.placement", f"`{piece}` is not placed")
        elif abs(sum(shares[piece]) - 1) > 1e-9:
            faults.error("check.placement", f"the shares of `{piece}` sum to {sum(shares[piece]):g}, and not 1")
        elif len(shares[piece]) > 1:
            faults.error("check.placement", f"`{piece}` is split over pools, which this validator cannot derive")


def _check_pool_parts(subject: Subject, faults: Diagnostics) -> None:
    used = {placed["pool"] for placed in subject.plan["placements"]}
    ids = Counter(pool["id"] for pool in subject.plan["pools"])
    for id, times in ids.items():
        if times > 1:
            faults.error("check.placement", f"two pools are called `{id}`")
        if id not in used:
            faults.error("check.placement", f"pool `{id}` serves nothing")
    for pool in subject.pools.values():
        spec = subject.specs.get(pool.device)
        if spec is None:
            faults.error("check.placement", f"pool `{pool.id}` has `{pool.device}`, which the fleet does not have")
            continue
        in_parallel = pool.tp * pool.pp * pool.dp
        if pool.devices_per_replica != in_parallel or in_parallel % pool.ep:
            message = (
                f"a replica of pool `{pool.id}` has {pool.devices_per_replica} devices, "
                f"but tp {pool.tp}, pp {pool.pp}, dp {pool.dp}, ep {pool.ep} take {in_parallel}"
            )
            faults.error("check.count", message)
        devices = 0 if spec.kind == "api" else pool.replicas * pool.devices_per_replica
        if pool.devices != devices:
            message = f"pool `{pool.id}` has {pool.devices} devices, but its replicas take {devices}"
            faults.error("check.count", message)


def devices_taken(subject: Subject) -> dict[str, int]:
    """Fleet name -> devices paid for: those in pools, whole chassis where sold so, and no fewer than the minimum."""
    in_pools: Counter[str] = Counter()
    for pool in subject.pools.values():
        in_pools[pool.device] += pool.replicas * pool.devices_per_replica
    taken = {}
    for spec in subject.specs.values():
        if spec.kind == "api":
            continue
        devices = max(in_pools[spec.name], spec.min_count)
        if subject.rate is None:
            devices = in_pools[spec.name]
        if spec.sold_by_chassis:
            chassis = subject.chassis(spec.name)
            devices = math.ceil(devices / chassis) * chassis
        taken[spec.name] = devices
    return taken


def _check_device_counts(subject: Subject, faults: Diagnostics) -> None:
    stated = {name: entry["devices"] for name, entry in subject.plan["fleet"].items()}
    for name in stated:
        if name not in subject.specs:
            faults.error("check.count", f"the plan takes `{name}`, which the fleet does not have")
    for name, devices in devices_taken(subject).items():
        spec = subject.specs[name]
        if stated.get(name, 0) != devices:
            message = f"the plan states {stated.get(name, 0)} devices of `{name}`, but its pools take {devices}"
            faults.error("check.count", message)
        if spec.max_count is not None and devices > max(spec.max_count, spec.owned):
            most = max(spec.max_count, spec.owned)
            faults.error("check.count", f"the plan takes {devices} devices of `{name}`, and the fleet has {most}")


def _check_constraints(subject: Subject, node: Node, faults: Diagnostics) -> None:
    pools = [subject.pool_of[piece] for piece in node.pieces if piece in subject.pool_of]
    if node.on:
        for pool in pools:
            if pool.device not in node.on:
                message = f"`{node.name}` is placed on `{pool.device}`, but only {', '.join(node.on)} is allowed"
                faults.error("check.constraint", message)
    for degree, wanted in (("tp", node.tp), ("pp", node.pp)):
        for pool in pools:
            if wanted is not None and subject.specs[pool.device].kind != "api" and getattr(pool, degree) != wanted:
                message = f"`{node.name}` asks for {degree} {wanted}, but pool `{pool.id}` has {getattr(pool, degree)}"
                faults.error("check.constraint", message)
    _check_neighbours(subject, node, pools, faults)


def _check_neighbours(subject: Subject, node: Node, pools: list[Pool], faults: Diagnostics) -> None:
    mine = {pool.device for pool in pools}
    for other in node.beside:
        theirs = {p.device for piece in subject.nodes[other].pieces if (p := subject.pool_of.get(piece))}
        if mine != theirs:
            faults.error("check.constraint", f"`{node.name}` is to stand with `{other}`, but is on other devices")
    for other in node.apart:
        theirs = {p.id for piece in subject.nodes[other].pieces if (p := subject.pool_of.get(piece))}
        if {pool.id for pool in pools} & theirs:
            faults.error("check.constraint", f"`{node.name}` is to stand apart from `{other}`, but shares its pool")
