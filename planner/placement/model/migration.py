"""Equations (50) to (52) of `docs/math/placement.md`: replicas brought up in place of those that run, and their cost.

A replica goes on where the new plan has one of its kind: device, model, cut and role are equal, and only its batch and
its tenants may differ. What is brought up holds its devices for its start time before it serves; where old and new do
not fit side by side, old replicas go first, and the requests that they would have served meanwhile are lost or late.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import pulp

from ....ir.units import HOUR_S
from ..problem import UNLIMITED, DeviceType, Kind, Option, Piece, PlacementProblem, Pool, Previous
from .variables import Expr, PlacementVars


@dataclass(frozen=True)
class Moves:
    """What becomes of the replicas that run, and what that costs."""

    now: Mapping[Kind, int]
    """Replicas of each kind in the plan."""
    started: Mapping[Kind, int]
    stopped: Mapping[Kind, int]
    usd: Mapping[Kind, float]
    """Devices held by the replicas brought up, until they serve [USD]."""
    requests_late: float
    """Requests lost or late, at most, since old and new do not fit side by side."""
    usd_late: float
    """What those are worth [USD]."""

    @property
    def total_usd(self) -> float:
        return sum(self.usd.values()) + self.usd_late


def kind_of(g: Pool, piece: Piece, o: Option) -> Kind:
    """What a replica of the pool is with that piece in it, by the option `o`."""
    role = "both" if g.whole_nodes else piece.part
    return Kind(g.device, o.weights_key or piece.memory_key, role, g.devices_per_replica, g.tp, g.pp, g.ep, g.dp)


def kinds_by_pool(p: PlacementProblem) -> dict[str, dict[str, Kind]]:
    """Pool -> piece -> kind, of pools whose replicas are counted."""
    pools, pieces = {g.id: g for g in p.pools if g.capacity}, {q.id: q for q in p.pieces}
    found: dict[str, dict[str, Kind]] = defaultdict(dict)
    for o in p.options:
        if o.pool in pools:
            found[o.pool][o.piece] = kind_of(pools[o.pool], pieces[o.piece], o)
    return found


def starts_no_more(p: PlacementProblem, by: Mapping[str, Kind], of: Mapping[str, Kind]) -> bool:
    """Whether a pool that holds `by` may replace one that holds `of` on as many devices, and no start takes longer.

    Either every piece makes a replica of the same kind in both, or both hold one model each, none of the old kind runs,
    and the new kind starts as soon.
    """
    if p.previous is None or by == of:
        return True
    (ours, *others), (theirs, *more) = set(by.values()) or {None}, set(of.values()) or {None}
    if ours is None or theirs is None or others or more or dict(p.previous.running).get(theirs):
        return False
    return p.previous.start_s[ours] <= p.previous.start_s[theirs]


def moves(p: PlacementProblem, previous: Previous, placements: Mapping[str, str], replicas: Mapping[str, int]) -> Moves:
    """(50) to (52) of a plan."""
    by_pool, now = kinds_by_pool(p), dict[Kind, int]()
    for id, n in replicas.items():
        for kind in dict.fromkeys(kind for q, kind in by_pool[id].items() if placements[q] == id):
            now[kind] = now.get(kind, 0) + n
    running = dict(previous.running)
    started = {kind: n - running.get(kind, 0) for kind, n in now.items() if n > running.get(kind, 0)}
    stopped = {kind: n - now.get(kind, 0) for kind, n in running.items() if n > now.get(kind, 0)}
    start_s, devices = previous.start_s, {d.name: d for d in p.devices}
    usd = {kind: n * _usd_of_start(devices[kind.device], kind, start_s[kind]) for kind, n in started.items()}
    late = sum(
        _late_requests(p, d, previous, {k: n for k, n in started.items() if k.device == d.name}) for d in p.devices
    )
    return Moves(now, started, stopped, usd, late, late * previous.usd_per_request)


def usd_per_hour(p: PlacementProblem, placements: Mapping[str, str], replicas: Mapping[str, int]) -> float:
    """(52) What a plan's changes cost, spread over time [USD/h]; 0 where nothing runs already."""
    if p.previous is None or p.rate_per_s is None or len(placements) < len(p.pieces):
        return 0.0
    return moves(p, p.previous, placements, replicas).total_usd * HOUR_S / p.previous.over_s


def _usd_of_start(d: DeviceType, kind: Kind, seconds: float) -> float:
    """Devices of one replica held while it starts [USD]; devices all of which are owned cost their idle energy."""
    held = 0.0 if d.max_count <= d.owned else sum(usd for _, usd in d.usd_per_hour)
    return kind.devices * (held + d.idle_usd_per_hour) * seconds / HOUR_S


def _room(previous: Previous, d: DeviceType) -> int | None:
    """Devices free beside those that run, less than 0 where some of these have to go; None where nothing runs or any
    number is to be had."""
    up = dict(previous.devices).get(d.name, 0)
    return None if not up or d.max_count >= UNLIMITED else max(0, d.max_count - up)


def _late_requests(p: PlacementProblem, d: DeviceType, previous: Previous, started: Mapping[Kind, int]) -> float:
    """(51) Requests lost or late while replicas on `d` start in the place of others: those that start soonest do."""
    room, start_s, late = _room(previous, d), previous.start_s, 0.0
    slow = sorted((start_s[kind], kind.devices * n) for kind, n in started.items() if start_s[kind])
    short = sum(n for _, n in slow) - (room or 0)
    for seconds, devices in slow if room is not None else ():
        late += max(0, min(short, devices)) * _late_per_device(p, previous, d, seconds)
        short -= devices
    return late


def _late_per_device(p: PlacementProblem, previous: Previous, d: DeviceType, seconds: float) -> float:
    """Requests that one device of those that run serves in that time, all of which run through devices like it."""
    return (p.rate_per_s or 0.0) * seconds / dict(previous.devices)[d.name]


def constrain_starts(m: pulp.LpProblem, p: PlacementProblem, v: PlacementVars) -> None:
    """(50) started[r] >= sum_{g of kind r, n} n z[g,n] - running[r], for every kind r that takes time to start."""
    if p.previous is None or p.rate_per_s is None:
        return
    start_s, per_hour = p.previous.start_s, HOUR_S / p.previous.over_s
    for kind, replicas in _replicas_by_kind(m, p, v).items():
        if start_s[kind]:
            v.started[kind] = _started(m, p.previous, v, kind, replicas)
            v.migration += v.started[kind] * (_usd_of_start(v.devices[kind.device], kind, start_s[kind]) * per_hour)


def constrain_side_by_side(m: pulp.LpProblem, p: PlacementProblem, v: PlacementVars) -> None:
    """(51) sum_{r on d} size[r] (started[r] - late[r]) <= room[d],  late[r] <= started[r], for every d that is full."""
    if p.previous is None:
        return
    for d in p.devices:
        on, room = {kind: count for kind, count in v.started.items() if kind.device == d.name}, _room(p.previous, d)
        if not on or room is None:
            continue
        beside = Expr()
        for kind, count in on.items():
            late = v.real("late", d.name, kind.model, kind.role)
            m.addConstraint(late - count <= 0, v.name("late_of", d.name, kind.model, kind.role))
            beside += (count - late) * kind.devices
            usd = _late_per_device(p, p.previous, d, p.previous.start_s[kind]) * p.previous.usd_per_request
            v.migration += late * (kind.devices * usd * HOUR_S / p.previous.over_s)
        m.addConstraint(beside <= room, v.name("side_by_side", d.name))


def _replicas_by_kind(m: pulp.LpProblem, p: PlacementProblem, v: PlacementVars) -> dict[Kind, list[Expr]]:
    """Kind -> replicas of it in each pool that may hold it, n or 0.

    Where a pool may hold several kinds, those of a piece count if the piece is in it: R >= sum_n n z[g,n] - N (1 - x).
    """
    found: dict[Kind, list[Expr]] = defaultdict(list)
    for id, by_piece in kinds_by_pool(p).items():
        size = Expr([(v.z[id, n], n) for n in v.numbers[id]])
        if len(set(by_piece.values())) == 1:
            found[next(iter(by_piece.values()))].append(size)
            continue
        most = max(v.numbers[id], default=0)
        counts: dict[Kind, Expr] = {}
        for piece, kind in by_piece.items():
            if kind not in counts:
                counts[kind] = Expr(v.real("loaded", id, kind.model, kind.role))
                found[kind].append(counts[kind])
            held = counts[kind] - size - most * v.x[piece, id] >= -most
            m.addConstraint(held, v.name("loaded_by", id, piece))
    return found


def _started(m: pulp.LpProblem, previous: Previous, v: PlacementVars, kind: Kind, replicas: list[Expr]) -> Expr:
    """(50) Replicas of a kind brought up."""
    whole = Expr()
    for each in replicas:
        whole += each
    running = dict(previous.running).get(kind, 0)
    if not running:
        return whole
    started = v.real("started", kind.device, kind.model, kind.role)
    m.addConstraint(started - whole >= -running, v.name("started_of", kind.device, kind.model, kind.role))
    return Expr(started)
