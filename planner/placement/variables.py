"""Variables of the placement model and the index sets that its equations range over."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import pulp

from .problem import DeviceType, Option, Piece, PlacementProblem, Pool, Route, Transfer

Expr = pulp.LpAffineExpression


@dataclass
class PlacementVars:
    """Variables, and the sets of `problem` by key. Times are in units of `time_scale` [s]."""

    p: PlacementProblem
    drop: frozenset[str]
    """Names of bounds and limits that are left out (to find conflicts and what binds)."""
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
    taken: dict[str, Expr] = field(default_factory=dict)
    """Devices taken."""
    paid: dict[str, Expr] = field(default_factory=dict)
    """Devices paid for: those taken beyond the owned ones."""
    mean: pulp.LpVariable | None = None
    """Mean end to end, where it is the objective."""
    names: set[str] = field(default_factory=set)
    count: int = 0

    def name(self, prefix: str, *parts: object) -> str:
        """A solver name, unique even where sanitising makes two names equal."""
        raw = f"{prefix}[{','.join(str(q) for q in parts)}]" if parts else prefix
        safe = "".join(c if c.isalnum() or c == "." else "_" for c in raw)
        unique, k = safe, 1
        while unique in self.names:
            k += 1
            unique = f"{safe}_{k}"
        self.names.add(unique)
        return unique

    def binary(self, prefix: str, *parts: object) -> pulp.LpVariable:
        """A new 0-1 variable."""
        self.count += 1
        return pulp.LpVariable(self.name(prefix, *parts), cat="Binary")

    def real(self, prefix: str, *parts: object) -> pulp.LpVariable:
        """A new variable of at least 0."""
        self.count += 1
        return pulp.LpVariable(self.name(prefix, *parts), lowBound=0)

    def integer(self, high: int, prefix: str, *parts: object) -> pulp.LpVariable:
        """A new integer variable from 0 to `high`."""
        self.count += 1
        return pulp.LpVariable(self.name(prefix, *parts), lowBound=0, upBound=high, cat="Integer")

    def at(self, piece: str, location: str) -> Expr:
        """1 where the piece runs at the location."""
        return Expr([(self.x[piece, g], 1) for g in self.pools_of[piece] if self.pools[g].location == location])

    def locations(self, piece: str) -> list[str]:
        """Where the piece may run."""
        return list(dict.fromkeys(self.pools[g].location for g in self.pools_of[piece]))

    def require(self, m: pulp.LpProblem, constraint: pulp.LpConstraint, name: str, *groups: str) -> None:
        """Add a constraint unless one of the bounds or limits that it stands for is dropped."""
        if not self.drop.intersection(groups):
            m.addConstraint(constraint, name)

    def delayed(self, a: str, b: str) -> bool:
        """Whether a transfer between the two pieces is modelled."""
        return (a, b) in self.routes

    def counted(self, pool: str) -> bool:
        """Whether replicas of the pool are counted: there is a rate, and it has a capacity."""
        return self.p.rate_per_s is not None and bool(self.pools[pool].capacity)


def transfer_group(p: PlacementProblem, t: Transfer) -> str:
    """`kv_transfer` inside a node, `transfer[a->b]` between nodes."""
    nodes = {q.id: q.node for q in p.pieces}
    a, b = nodes[t.from_piece], nodes[t.to_piece]
    return f"kv_transfer[{a}]" if a == b else f"transfer[{a}->{b}]"


def add_variables(p: PlacementProblem, drop: frozenset[str]) -> tuple[pulp.LpProblem, PlacementVars]:
    """Empty model and variables; pairs without an option have none."""
    m = pulp.LpProblem("placement", pulp.LpMinimize)
    v = PlacementVars(p, drop, time_scale=max((b.limit_s for b in p.bounds), default=1.0))
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
            for n in range(1, len(g.capacity) + 1):
                v.z[g.id, n] = v.binary("z", g.id, n)
    for t in p.transfers:
        if transfer_group(p, t) not in drop:
            _add_routes(v, t)
    if p.rate_per_s is not None:
        for d in p.devices:
            _add_devices(v, d)
    return m, v


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
