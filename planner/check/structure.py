"""What a plan is made of: every piece placed once, pools of whole replicas, counts within the fleet."""

from __future__ import annotations

import math
from collections import Counter

from ...costmodel.hardware import Device
from ...costmodel.serving import fits_shape
from ...ir.diagnostics import Diagnostics
from ...ir.split import without_class
from .classes import SHARE_ROUNDING, check_shares, pieces_of_row
from .subject import Node, Pool, Subject


def check_structure(subject: Subject, faults: Diagnostics) -> None:
    """Report `check.placement`, `check.count` and `check.constraint` faults; the last only where all is placed."""
    _check_each_piece_once(subject, faults)
    _check_pool_parts(subject, faults)
    if any(fault.id == "check.placement" for fault in faults.errors):
        return
    _check_device_counts(subject, faults)
    for pool in subject.pools.values():
        _check_hosted(subject, pool, faults)
        _check_split(subject, pool, faults)
    for node in subject.nodes.values():
        _check_constraints(subject, node, faults)


def _check_each_piece_once(subject: Subject, faults: Diagnostics) -> None:
    expected = {piece for node in subject.nodes.values() for piece in node.pieces}
    written = {piece for node in subject.written.values() for piece in node.pieces}
    shares: dict[str, list[float]] = {piece: [] for piece in written}
    times = dict.fromkeys(expected, 0)
    known = {pool["id"]: pool["device"] for pool in subject.plan["pools"]}
    for placed in subject.plan["placements"]:
        piece, pool = placed["piece"], placed["pool"]
        if piece not in written:
            faults.error("check.placement", f"`{piece}` is no piece of the graph")
            continue
        shares[piece].append(placed["share"])
        try:
            pieces = pieces_of_row(subject, piece, placed["when"])
        except ValueError as reason:
            faults.error("check.placement", str(reason))
            continue
        check_shares(subject, placed, pieces, faults)
        for each in pieces:
            times[each] += 1
        if pool not in known:
            faults.error("check.placement", f"`{piece}` is placed in pool `{pool}`, which the plan does not have")
        elif known[pool] != placed["device"]:
            message = f"`{piece}` is placed on `{placed['device']}`, but pool `{pool}` has `{known[pool]}`"
            faults.error("check.placement", message)
    for piece in sorted(written):
        if not shares[piece]:
            faults.error("check.placement", f"`{piece}` is not placed")
        elif abs(sum(shares[piece]) - 1) > SHARE_ROUNDING * len(shares[piece]):
            faults.error("check.placement", f"the shares of `{piece}` sum to {sum(shares[piece]):g}, and not 1")
    for piece, n in sorted(times.items()):
        if n != 1 and shares[without_class(piece)]:
            faults.error("check.placement", f"`{piece}` is placed {n} times, and not once")


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
        if pool.devices_per_replica != in_parallel or (pool.tp * pool.dp) % pool.ep:
            message = (
                f"a replica of pool `{pool.id}` has {pool.devices_per_replica} devices, "
                f"but tp {pool.tp}, pp {pool.pp}, dp {pool.dp}, ep {pool.ep} take {in_parallel}"
            )
            faults.error("check.count", message)
        devices = 0 if spec.kind == "api" else pool.replicas * pool.devices_per_replica
        if spec.kind != "api" and not pool.replicas:
            faults.error("check.count", f"pool `{pool.id}` has no replica")
        if pool.devices != devices:
            message = f"pool `{pool.id}` has {pool.devices} devices, but its replicas take {devices}"
            faults.error("check.count", message)


def _check_split(subject: Subject, pool: Pool, faults: Diagnostics) -> None:
    """Phases share a device only as the fleet lets them, and both phases of every node are there."""
    stated = next(entry for entry in subject.plan["pools"] if entry["id"] == pool.id).get("split")
    if stated is None:
        return
    spec, name = subject.specs[pool.device], f"pool `{pool.id}`"
    if not any(abs(stated["prefill"] - share) < 1e-6 for share in spec.splits):
        faults.error("check.constraint", f"{name} gives prefill {stated['prefill']:g}, which `{pool.device}` has not")
    if abs(stated["prefill"] + stated["decode"] - 1) > 1e-6:
        faults.error(
            "check.placement", f"the phases of {name} have {stated['prefill'] + stated['decode']:g} of a device"
        )
    for node, _ in subject.hosted[pool.id]:
        if not node.is_llm or not subject.together(node):
            faults.error("check.placement", f"{name} is split between the phases, and `{node.name}` has not both there")


def devices_taken(subject: Subject) -> dict[str, int]:
    """Fleet name -> devices paid for: those in pools, whole chassis where sold so, and no fewer than the minimum."""
    in_pools: Counter[str] = Counter()
    for pool in subject.pools.values():
        in_pools[pool.device] += pool.replicas * pool.devices_per_replica
    taken = {}
    for spec in subject.specs.values():
        if spec.kind == "api":
            continue
        devices = in_pools[spec.name]
        # Without a rate nothing is bought.
        if subject.rate is not None:
            # Where all that there may be is owned nothing is bought, and so no chassis either.
            is_bought = spec.max_count is None or spec.max_count > spec.owned
            chassis = subject.chassis(spec.name) if spec.sold_by_chassis and is_bought else 1
            devices = math.ceil(max(devices, spec.min_count) / chassis) * chassis
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
        if subject.rate is None:
            # Devices are chosen and not counted: each pool must fit the fleet, and not all of them together.
            devices = max((pool.devices for pool in subject.pools.values() if pool.device == name), default=0)
        if spec.max_count is not None and devices > max(spec.max_count, spec.owned):
            most = max(spec.max_count, spec.owned)
            faults.error("check.count", f"the plan takes {devices} devices of `{name}`, and the fleet has {most}")


def _check_hosted(subject: Subject, pool: Pool, faults: Diagnostics) -> None:
    """Report pieces that the pool's device cannot run, and pieces that cannot share a pool."""
    spec, device = subject.specs[pool.device], subject.devices.get(pool.device)
    kinds: set[str] = set()
    for node, piece in subject.hosted[pool.id]:
        row = subject.row(piece)
        fault = None
        if row is not None:
            kinds.add("profile")
            fault = None if row else f"the profile of `{piece}` does not speak of `{pool.device}`"
        elif node.is_llm:
            kinds.add(f"{node.asks['model']}.{node.asks.get('precision')}.{node.asks.get('kv_precision')}")
            fault = _llm_fault(subject, node, pool)
        else:
            work = subject.works.get(node.name)
            is_host = node.kind != "model_call" or (device is not None and device.kind == "cpu")
            kinds.add("host" if is_host else work.key if work else node.name)
            if spec.kind == "api" or (node.kind != "model_call" and (device is None or device.kind != "cpu")):
                fault = f"`{piece}` cannot run on `{pool.device}`"
        if fault:
            faults.error("check.placement", fault)
    if len(kinds) > 1 and spec.kind != "api":
        faults.error("check.placement", f"pool `{pool.id}` mixes {', '.join(sorted(kinds))}")


def _llm_fault(subject: Subject, node: Node, pool: Pool) -> str | None:
    """Why the pool cannot run a language model's pieces, or None."""
    spec, device = subject.specs[pool.device], subject.devices.get(pool.device)
    if spec.kind == "api":
        name = node.adapter["name"] if node.adapter else node.asks["model"]
        if name not in spec.api_models:
            return f"`{pool.device}` does not serve the model of `{node.name}`"
        return None if subject.together(node) else f"`{node.name}` cannot be split between `{pool.device}` and others"
    if device is None or device.kind == "cpu":
        return f"`{node.name}` cannot run on `{pool.device}`"
    degrees = f"tp {pool.tp}, pp {pool.pp}, dp {pool.dp}, ep {pool.ep}"
    if (pool.tp * pool.dp) % pool.ep:
        return f"pool `{pool.id}` cannot have {degrees}: experts are spread over the devices of a stage"
    llm = subject.llms.get(node.asks["model"])
    if llm is not None and not fits_shape(llm, pool.cut):
        return f"`{node.asks['model']}` cannot be cut into {degrees}"
    if pool.dp > 1 and pool.ep != pool.tp * pool.dp:
        return f"pool `{pool.id}` has dp {pool.dp}, and its experts are not spread over all devices of a stage"
    return _chassis_fault(pool, device)


def _chassis_fault(pool: Pool, device: Device) -> str | None:
    """Why replicas do not stand in the chassis of the device, or None.

    An attention group stays in one, replicas of several take them whole, and links lead from each to the next.
    """
    chassis, stage = device.chassis, pool.tp * pool.dp
    if pool.tp > chassis:
        return f"pool `{pool.id}` has tp {pool.tp}, but a chassis of `{pool.device}` holds {chassis}"
    if pool.devices_per_replica <= chassis:
        return None
    if pool.devices_per_replica % chassis or (chassis % stage and stage % chassis):
        return f"pool `{pool.id}` does not fill the chassis of {chassis} that its replicas span"
    in_rack = device.rack_bandwidth_bytes_per_s and pool.devices_per_replica <= (device.rack_devices or 0)
    if not in_rack and not device.network_bandwidth_bytes_per_s:
        return f"pool `{pool.id}` spans chassis of `{pool.device}`, and no link joins them"
    return None


def _check_constraints(subject: Subject, node: Node, faults: Diagnostics) -> None:
    pools = [subject.pool_of[piece] for piece in node.pieces]
    if node.on:
        for pool in pools:
            if pool.device not in node.on:
                message = f"`{node.name}` is placed on `{pool.device}`, but only {', '.join(node.on)} is allowed"
                faults.error("check.constraint", message)
    for pool in pools if node.region is not None else ():
        if subject.specs[pool.device].region != node.region:
            message = f"`{node.name}` is placed on `{pool.device}`, which does not stand in `{node.region}`"
            faults.error("check.constraint", message)
    for degree, wanted in node.degrees.items():
        for pool in pools:
            if subject.specs[pool.device].kind != "api" and getattr(pool, degree) != wanted:
                message = f"`{node.name}` asks for {degree} {wanted}, but pool `{pool.id}` has {getattr(pool, degree)}"
                faults.error("check.constraint", message)
    _check_neighbours(subject, node, faults)


def _check_neighbours(subject: Subject, node: Node, faults: Diagnostics) -> None:
    here = [subject.location(piece) for piece in node.pieces]
    for other in node.beside:
        if set(here) != {subject.location(each.pieces[0]) for each in subject.placed(other)}:
            faults.error("check.constraint", f"`{node.name}` is to stand with `{other}`, but does not")
    for other in node.apart:
        if set(here) & {subject.location(piece) for each in subject.placed(other) for piece in each.pieces}:
            faults.error("check.constraint", f"`{node.name}` is to stand apart from `{other}`, but does not")
