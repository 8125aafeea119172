"""Variables of the placement model and the index sets that its equations range over."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

import pulp

from ..problem import DeviceType, Kind, Option, Piece, PlacementProblem, Pool, Route, Transfer
from .survival import replicas_for

Expr = pulp.LpAffineExpression
MANY_PIECES = 8
"""Pools that more pieces than this may choose get a variable for every number of replicas."""
LOAD_TOLERANCE = 1e-9
"""Relative rounding allowed when a load is held against a capacity."""


@dataclass
class PlacementVars:
    """Variables, and the sets of `problem` by key. Times are in units of `time_scale` [s]."""

    p: PlacementProblem
    m: pulp.LpProblem
    time_scale: float
    pieces: dict[str, Piece] = field(default_factory=dict)
    pools: dict[str, Pool] = field(default_factory=dict)
    devices: dict[str, DeviceType] = field(default_factory=dict)
    options: dict[tuple[str, str], Option] = field(default_factory=dict)
    pools_of: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    pieces_of: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    routes: dict[tuple[str, str], dict[tuple[str, str], Route]] = field(default_factory=dict)
    x: dict[tuple[str, str], pulp.LpVariable] = field(default_factory=dict)
    """x[piece, pool] = 1: the piece runs there."""
    z: dict[tuple[str, int], pulp.LpVariable] = field(default_factory=dict)
    """z[pool, n] = 1: the pool has n replicas."""
    y: dict[tuple[str, str, str, str], pulp.LpVariable] = field(default_factory=dict)
    """y[from, to, here, there] = 1: that transfer takes that route; continuous, integral by (8)."""
    numbers: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    """Numbers of replicas that have a z, by pool."""
    taken: dict[str, Expr] = field(default_factory=dict)
    """Devices taken."""
    paid: dict[str, Expr] = field(default_factory=dict)
    """Devices paid for: those taken beyond the owned ones."""
    mean: pulp.LpVariable | None = None
    """Mean end to end, where it is the objective."""
    started: dict[Kind, Expr] = field(default_factory=dict)
    """Replicas brought up where others run already, of kinds that take time to start."""
    migration: Expr = field(default_factory=Expr)
    """What changing the replicas that run already costs, spread over time [USD/h]."""
    slowest: dict[Hashable, float] = field(default_factory=dict)
    """Level of random times -> all visits in a row at their slowest [time_scale]."""
    times: dict[Hashable, Expr] = field(default_factory=dict)
    """Piece, visit, part and level of random times -> how long it takes where the plan has it [time_scale]."""
    names: set[str] = field(default_factory=set)
    count: int = 0

    def plan(self, value: Callable[[pulp.LpVariable], float]) -> dict[str, str]:
        """Piece -> pool."""
        return {q: g for (q, g), x in self.x.items() if value(x) > 0.5}

    def name(self, prefix: str, *parts: object) -> str:
        """A solver name, unique even where sanitising makes two names equal."""
        raw = f"{prefix}[{','.join(str(q) for q in parts)}]" if parts else prefix
        safe = re.sub(r"[^0-9A-Za-z.]", "_", raw)
        unique, k = safe, 1
        while unique in self.names:
            k += 1
            unique = f"{safe}_{k}"
        self.names.add(unique)
        return unique

    def binary(self, prefix: str, *parts: object) -> pulp.LpVariable:
        """A new 0-1 variable."""
        self.count += 1
        return self.m.add_variable(self.name(prefix, *parts), cat="Binary")

    def real(self, prefix: str, *parts: object) -> pulp.LpVariable:
        """A new variable of at least 0."""
        self.count += 1
        return self.m.add_variable(self.name(prefix, *parts), lowBound=0)

    def integer(self, high: int, prefix: str, *parts: object) -> pulp.LpVariable:
        """A new integer variable from 0 to `high`."""
        self.count += 1
        return self.m.add_variable(self.name(prefix, *parts), lowBound=0, upBound=high, cat="Integer")

    def at(self, piece: str, location: str) -> Expr:
        """1 where the piece runs at the location."""
        return Expr([(self.x[piece, g], 1) for g in self.pools_of[piece] if self.pools[g].location == location])

    def locations(self, piece: str) -> list[str]:
        """Where the piece may run."""
        return list(dict.fromkeys(self.pools[g].location for g in self.pools_of[piece]))

    def delayed(self, a: str, b: str) -> bool:
        """Whether a transfer between the two pieces is modelled."""
        return (a, b) in self.routes

    def counted(self, pool: str) -> bool:
        """Whether replicas of the pool are counted: there is a rate, and it has a capacity."""
        return self.p.rate_per_s is not None and bool(self.pools[pool].capacity)


def add_variables(p: PlacementProblem) -> tuple[pulp.LpProblem, PlacementVars]:
    """Empty model and variables; pairs without an option have none."""
    m = pulp.LpProblem("placement", pulp.LpMinimize)
    v = PlacementVars(p, m, time_scale=max((b.limit_s for b in p.bounds), default=1.0))
    v.pieces = {q.id: q for q in p.pieces}
    v.pools = {g.id: g for g in p.pools}
    v.devices = {d.name: d for d in p.devices}
    for o in p.options:
        v.options[o.piece, o.pool] = o
        v.pools_of[o.piece].append(o.pool)
        v.pieces_of[o.pool].append(o.piece)
        v.x[o.piece, o.pool] = v.binary("x", o.piece, o.pool)
    for g in p.pools:
        if v.counted(g.id) and v.pieces_of[g.id]:
            for n in replica_numbers(p, g, [v.options[q, g.id].load for q in v.pieces_of[g.id]]):
                v.numbers[g.id].append(n)
                v.z[g.id, n] = v.binary("z", g.id, n)
    for t in p.transfers:
        _add_routes(v, t)
    if p.rate_per_s is not None:
        for d in p.devices:
            _add_devices(v, d)
    return m, v


def replica_numbers(p: PlacementProblem, g: Pool, loads: list[float]) -> list[int]:
    """Numbers of replicas worth a variable: the fewest that carry some set of the pool's pieces.

    More replicas than that cost more and let nothing else happen.
    """
    if len(loads) > MANY_PIECES:
        return [n for left in range(1, len(g.capacity) + 1) if (n := replicas_for(g, left)) is not None]
    sums = {0.0}
    for load in loads:
        sums |= {s + load for s in sums}
    needed = (fewest_replicas(g, (p.rate_per_s or 0.0) * s) for s in sums)
    return sorted({n for n in needed if n is not None})


def fewest_replicas(g: Pool, load: float) -> int | None:
    """Fewest replicas, at least one, that carry `load` [replica-seconds/s] while others are lost or down.

    None where no number does.
    """
    left = next((left for left, most in enumerate(g.capacity, 1) if most >= load * (1 - LOAD_TOLERANCE)), None)
    return None if left is None else replicas_for(g, left)


def _add_routes(v: PlacementVars, t: Transfer) -> None:
    a, b = t.from_piece, t.to_piece
    v.routes[a, b] = {(r.from_location, r.to_location): r for r in t.routes}
    for here in v.locations(a):
        for there in v.locations(b):
            if here == there or (here, there) in v.routes[a, b]:
                v.y[a, b, here, there] = v.real("y", a, b, here, there)


def _add_devices(v: PlacementVars, d: DeviceType) -> None:
    used = Expr([(z, n * v.pools[g].devices_per_replica) for (g, n), z in v.z.items() if v.pools[g].device == d.name])
    if not used and d.min_count == 0:
        return
    if d.chassis > 1 or d.min_count > 0:
        most = max(d.max_count, sum(int(c) for c in used.values())) // d.chassis + 1
        v.taken[d.name] = d.chassis * v.integer(most, "chassis", d.name)
    else:
        v.taken[d.name] = used
    v.paid[d.name] = Expr(v.real("paid", d.name)) if d.owned > 0 else v.taken[d.name]
