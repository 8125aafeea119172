"""A plan kept as it is while the inputs change: its pools with their replicas, what they cost then and what breaks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import inf
from typing import Any

from ...ir.split import is_when, without_class
from ..placement.evaluate import Account, Books
from ..placement.model.memory import memory_bytes
from ..placement.model.racks import ROUNDING, Racks
from ..placement.model.survival import survivors
from ..placement.problem import Option, PlacementProblem, Pool
from ..placement.result import LatencySummary, PlacementResult
from ..placement.times.summary import summarise
from ..record.waits import with_waits

SLACK = 1e-3
"""A bound counts as broken beyond this share: latencies stand on a grid."""


@dataclass(frozen=True)
class Held:
    """One pool of a plan: its hardware, what runs in it, and how many replicas there are."""

    hardware: tuple[object, ...]
    pieces: tuple[str, ...]
    replicas: int

    @property
    def device(self) -> str:
        """Fleet name."""
        return str(self.hardware[0])

    @property
    def shown(self) -> list[str]:
        """The pieces as the user calls them, whatever class of visits is here."""
        return list(dict.fromkeys(map(without_class, self.pieces)))


@dataclass(frozen=True)
class Outcome:
    """What a plan comes to under some inputs."""

    value: float | None
    """The objective; None where the plan cannot be had at all."""
    broken: tuple[str, ...] = ()
    """Bounds, limits and capacities that it does not keep, by the names that plans give them."""


def held(problem: PlacementProblem, result: PlacementResult) -> tuple[Held, ...]:
    """The pools of a result."""
    pools = {pool.id: pool for pool in problem.pools}
    inside: dict[str, list[str]] = {}
    for piece, pool in result.placements.items():
        inside.setdefault(pool, []).append(piece)
    found = (
        Held(hardware(pools[id]), tuple(sorted(pieces)), result.replicas.get(id, 0)) for id, pieces in inside.items()
    )
    return tuple(sorted(found, key=in_order))


def held_by(plan: Mapping[str, Any], problem: PlacementProblem) -> tuple[Held, ...]:
    """The pools that plan.json states, as `problem` has them."""
    inside: dict[str, list[str]] = {}
    for entry in plan["placements"]:
        inside.setdefault(entry["pool"], []).extend(_pieces_of_row(problem, entry))
    found = []
    for entry in plan["pools"]:
        shape = (entry["device"], entry["devices_per_replica"], *entry["parallel"].values(), entry["max_batch"])
        keep_alive_s = entry["scale"]["keep_alive_s"] if "scale" in entry else None
        shape = (*shape, entry.get("split", {}).get("prefill"), keep_alive_s, entry.get("model", ""))
        tier = entry.get("tier", {"name": "", "weights": 0.0, "cache": 0.0})
        shape = (*shape, tier["name"], tier["weights"], tier["cache"])
        pieces = tuple(sorted(inside[entry["id"]]))
        replicas = entry["replicas"] if problem.rate_per_s is not None else 0
        found.append(Held(_hardware_like(problem, shape, pieces), pieces, replicas))
    return tuple(sorted(found, key=in_order))


def _pieces_of_row(problem: PlacementProblem, entry: Mapping[str, Any]) -> Iterator[str]:
    """What a row of plan.json places, by class where traffic is split."""
    for q in problem.pieces:
        if without_class(q.id) == entry["piece"] and (q.visit_class is None or is_when(entry["when"], q.visit_class)):
            yield q.id


def _hardware_like(problem: PlacementProblem, shape: tuple[object, ...], pieces: tuple[str, ...]) -> tuple[object, ...]:
    placed: dict[str, set[str]] = {}
    for option in problem.options:
        placed.setdefault(option.pool, set()).add(option.piece)
    nodes = {q.node for q in problem.pieces if q.id in pieces}
    complete = all(q.id in pieces for q in problem.pieces if q.node in nodes)
    for pool in problem.pools:
        idle = pool.keep_alive_s if pool.goes_down else None
        shared = (pool.tp, pool.pp, pool.ep, pool.dp, pool.max_batch, pool.split, idle, pool.model)
        own = (pool.device, pool.devices_per_replica, *shared, pool.tier, *pool.tier_shares)
        if own == shape and set(pieces) <= placed.get(pool.id, set()) and (complete or not pool.whole_nodes):
            return hardware(pool)
    raise ValueError(f"no pool of the problem is like the plan's pool of {', '.join(pieces)}")


def in_order(each: Held) -> tuple[str, tuple[str, ...]]:
    """Sorts the pools of a plan."""
    return str(each.hardware), each.pieces


def hardware(pool: Pool) -> tuple[object, ...]:
    """All of a pool but the load that it was sized for, and the memory of its device, which may change."""
    shape = (pool.devices_per_replica, pool.tp, pool.pp, pool.ep, pool.dp, pool.max_batch, pool.whole_nodes)
    idle = pool.keep_alive_s if pool.goes_down else None
    return (pool.device, pool.location, *shape, pool.split, idle, pool.tier, pool.tier_shares, pool.model)


def outcome(problem: PlacementProblem, plan: tuple[Held, ...]) -> Outcome:
    """What `plan` comes to in `problem`, which may be another than it was made for."""
    found = _found(problem, plan)
    if isinstance(found, str):
        return Outcome(None, (found,))
    placements, replicas = found
    books = Books(problem)
    account = books.account(placements, replicas)
    chosen = [books.options[each] for each in placements.items()]
    broken = [*_overflows(books, placements, replicas), *_limits(problem, account, chosen)]
    broken += _racks(books, account, placements)
    if any(name.startswith("capacity") for name in broken):
        return Outcome(None if problem.objective == "latency" else account.worth(problem.objective), tuple(broken))
    latency = _latency(problem, placements, replicas)
    broken += [b.name for b in problem.bounds if latency.bounds.get(b.name, 0.0) > b.limit_s * (1 + SLACK)]
    value = latency.end_to_end["mean"] if problem.objective == "latency" else account.worth(problem.objective)
    return Outcome(value, tuple(dict.fromkeys(broken)))


def _found(problem: PlacementProblem, plan: tuple[Held, ...]) -> tuple[dict[str, str], dict[str, int]] | str:
    """Placements and replicas of `plan` among the pools of `problem`; the name of what does not fit any more."""
    options = {(o.piece, o.pool) for o in problem.options if not o.excluded_by}
    placements: dict[str, str] = {}
    replicas: dict[str, int] = {}
    for each in plan:
        same = (p.id for p in problem.pools if hardware(p) == each.hardware and p.id not in placements.values())
        pool = next((id for id in same if all((piece, id) in options for piece in each.pieces)), None)
        if pool is None:
            return f"memory[{each.device}]"
        placements |= dict.fromkeys(each.pieces, pool)
        if each.replicas:
            replicas[pool] = each.replicas
    return {q.id: placements[q.id] for q in problem.pieces}, replicas


def _overflows(books: Books, placements: Mapping[str, str], replicas: Mapping[str, int]) -> Iterator[str]:
    """Pools asked for more than they can carry, or for more memory than their devices have."""
    pieces = {piece.id: piece for piece in books.p.pieces}
    for id in dict.fromkeys(placements.values()):
        pool, inside = books.pools[id], [books.options[q, g] for q, g in placements.items() if g == id]
        load = (books.p.rate_per_s or 0.0) * pool.load_of(inside)
        if id in replicas and load >= survivors(pool, replicas[id]):
            yield f"capacity[{pool.device}]"
        if memory_bytes(pieces, inside) > pool.memory_bytes * (1 + 1e-9):
            yield f"memory[{pool.device}]"


def _limits(problem: PlacementProblem, account: Account, chosen: list[Option]) -> Iterator[str]:
    limits = dict(problem.limits)
    if problem.rate_per_s is None:
        return
    if account.total > limits.get("usd_per_hour", inf) * (1 + 1e-6):
        yield "limits.usd_per_hour"
    idle_w = sum(d.idle_w * account.devices.get(d.name, 0) for d in problem.devices)
    if idle_w + problem.rate_per_s * sum(o.energy_j_per_request for o in chosen) > limits.get("power_w", inf):
        yield "limits.power_w"
    for name, of_request in (("energy_j_per_request", account.energy_j), ("gco2_per_request", account.carbon_g)):
        if of_request > limits.get(name, inf) * (1 + 1e-6):
            yield f"limits.{name}"


def _racks(books: Books, account: Account, placements: Mapping[str, str]) -> list[str]:
    """Racks that draw over their limits too often with the replicas that the plan has."""
    if books.p.rate_per_s is None:
        return []
    racks = Racks(books.p, books, account)
    return [f"racks[{r.name}]" for r in books.p.racks if racks.exceeded(r, placements) > r.exceed + ROUNDING]


def _latency(problem: PlacementProblem, placements: dict[str, str], replicas: dict[str, int]) -> LatencySummary:
    """Latencies with the waits of the plan's own load where all fail that may; broken bounds are not hidden."""
    pools = {pool.id: pool for pool in problem.pools}
    replicas = {id: survivors(pools[id], count) for id, count in replicas.items()}
    free = replace(problem, bounds=tuple(replace(b, limit_s=inf) for b in problem.bounds))
    loaded = with_waits(free, PlacementResult("feasible", placements=placements, replicas=replicas))
    return summarise(loaded, placements)
