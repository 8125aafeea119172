"""The pools of plan.json: what each is, what it holds, and how long visits wait in it."""

from __future__ import annotations

from collections.abc import Sequence

from ...ir.distribution import Distribution
from ..placement.model.memory import memory_bytes
from ..placement.model.survival import survivors
from ..placement.problem import Option, Pool
from .solved import Json, Solved
from .waits import class_waits, pool_waits


def pool_record(solved: Solved, number: str, pool: Pool) -> Json:
    """One pool of the plan under its number."""
    replicas, inside = solved.replicas(pool), solved.inside(pool)
    pieces = {piece.id: piece for piece in solved.problem.pieces}
    laws = pool_waits(solved.problem, solved.result).get(pool.id, ())
    return {
        "id": number,
        "device": pool.device,
        "replicas": replicas,
        "devices_per_replica": pool.devices_per_replica,
        "devices": replicas * pool.devices_per_replica,
        "parallel": {"tp": pool.tp, "pp": pool.pp, "ep": pool.ep, "dp": pool.dp},
        "max_batch": pool.max_batch,
        "memory_bytes_per_device": memory_bytes(pieces, inside),
        "utilisation": solved.result.utilisation.get(pool.id),
        "wait": _wait(laws[0] if laws else None),
        **_waits(solved, pool),
        **_split(pool, laws),
        **_tier(solved, pool, inside),
        **_survival(solved, pool, replicas),
        **scale_of(pool, inside),
        **({"availability": pool.availability} if pool.availability < 1 else {}),
        **({"model": pool.model} if pool.model else {}),
        **_adapters(inside),
    }


def _adapters(inside: Sequence[Option]) -> Json:
    """How many different adapters share the weights of a pool, where there are any."""
    count = len({option.adapter_key for option in inside} - {""})
    return {"adapters": count} if count else {}


def _tier(solved: Solved, pool: Pool, inside: Sequence[Option]) -> Json:
    """What of a pool lies beyond its devices' own memory."""
    if not pool.tier:
        return {}
    keys = {piece.id: piece.memory_key or piece.id for piece in solved.problem.pieces}
    weights = {option.weights_key or keys[option.piece]: option.tier_bytes[0] for option in inside}
    held = sum(weights.values()) + sum(option.tier_bytes[1] for option in inside)
    ways = dict(zip(("weights", "cache"), pool.tier_shares, strict=True))
    return {"tier": {"name": pool.tier, **ways, "bytes_per_device": held}}


def _split(pool: Pool, laws: Sequence[Distribution]) -> Json:
    """How a pool's devices are split between the phases; decode has a queue of its own there."""
    if pool.split is None:
        return {}
    return {
        "split": {"prefill": pool.split, "decode": 1 - pool.split},
        "decode_wait": _wait(laws[1] if laws else None),
    }


def _survival(solved: Solved, pool: Pool, replicas: int) -> Json:
    """How many replicas may fail at once, and in which zone how many stand; nothing where nothing is asked."""
    if solved.problem.rate_per_s is None or not pool.capacity:
        return {}
    zones = next(d.zones for d in solved.fleet.devices if d.name == pool.device)
    each, fuller = divmod(replicas, max(1, len(zones)))
    lost = replicas - survivors(pool, replicas)
    found: Json = {"spare": lost} if lost else {}
    return found | ({"zones": {zone: each + (k < fuller) for k, zone in enumerate(zones)}} if zones else {})


def scale_of(pool: Pool, inside: list[Option]) -> Json:
    """When a pool goes down, and what that does: the share of visits that wait for it, and of the time that is paid."""
    if not pool.goes_down:
        return {}
    waits = [law for option in inside for visit in option.visits for law in visit.lost if law.kind == "quantiles"]
    found = {"min_replicas": 0, "keep_alive_s": pool.keep_alive_s, "start_s": pool.start_s}
    return {"scale": {**found, "cold": 1 - waits[0].cdf(0.0) if waits else 0.0, "billed": pool.billed}}


def _waits(solved: Solved, pool: Pool) -> Json:
    """By priority, the highest first, where visits of several wait in the pool."""
    laws = next(iter(class_waits(solved.problem, solved.result).get(pool.id, ())), {})
    if len(laws) < 2:
        return {}
    rows = sorted(laws.items(), reverse=True, key=lambda row: row[0])
    return {"waits": [{"priority": priority, **(_wait(law) or {})} for priority, law in rows]}


def _wait(law: Distribution | None) -> Json | None:
    """Share of visits that wait for a slot, and how long those wait on average [s]."""
    if law is None:
        return None
    probability, mean_s = law.params if law.kind == "wait" else (0.0, 0.0)
    return {"probability": probability, "mean_s": mean_s}
