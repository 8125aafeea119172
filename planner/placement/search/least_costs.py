"""What pieces, nodes, options and pools of a problem cost at least, whatever else a plan does."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from ....ir.units import HOUR_S
from ..model.objective import price
from ..model.survival import replicas_for
from ..model.variables import LOAD_TOLERANCE, fewest_replicas
from ..problem import DeviceType, Option, PlacementProblem, Pool

Key = tuple[str, str]
"""piece and pool"""
Costs = dict[str, dict[str, float]]
"""Piece, or node, and pool -> what it costs there at least."""


@dataclass
class LeastCosts:
    """What pieces and nodes of a problem cost at least, whatever else a plan does."""

    p: PlacementProblem
    pools: dict[str, Pool] = field(init=False)
    devices: dict[str, DeviceType] = field(init=False)
    node: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.pools = {g.id: g for g in self.p.pools}
        self.devices = {d.name: d for d in self.p.devices}
        self.node = {q.id: q.node for q in self.p.pieces}
        self.tenants: dict[str, list[Option]] = defaultdict(list)
        for o in self.p.options:
            self.tenants[o.pool].append(o)
        self.single: Costs = defaultdict(dict)
        """of pieces by themselves"""
        self.whole_nodes: Costs = defaultdict(dict)
        """of nodes in pools that take them whole"""
        for pool, rows in self.tenants.items():
            g = self.pools[pool]
            units = list(self._units(g, rows))
            for unit in units:
                costs = self.whole_nodes[self.node[unit[0].piece]] if g.whole_nodes else self.single[unit[0].piece]
                costs[pool] = self.least_of(unit, g, alone=len(units) == 1)

    @cached_property
    def apart(self) -> Costs:
        """Node -> piece -> its least cost by itself."""
        found: Costs = {q.node: {} for q in self.p.pieces}
        for q in self.p.pieces:
            found[q.node][q.id] = min(self.single[q.id].values(), default=math.inf)
        return found

    @cached_property
    def nodes(self) -> dict[str, float]:
        """Node -> its least cost."""
        return {n: min(sum(own.values()), *self.whole_nodes[n].values(), math.inf) for n, own in self.apart.items()}

    @cached_property
    def whole(self) -> float:
        """All nodes at their least."""
        return sum(self.nodes.values())

    def _units(self, g: Pool, rows: list[Option]) -> Iterator[list[Option]]:
        """Options that are taken together: those of one node where the pool takes nodes whole."""
        found: dict[str, list[Option]] = defaultdict(list)
        for o in rows:
            found[self.node[o.piece] if g.whole_nodes else o.piece].append(o)
        yield from found.values()

    def least_of(self, unit: list[Option], g: Pool, alone: bool) -> float:
        """(70) What a unit costs at least: its calls and energy, and of the devices all where nothing else may share
        them, or else its part: n replicas carry a[g,n] at most, so that each load pays for min_n n / a[g,n] of one."""
        calls = self.calls(unit, g)
        if self.p.rate_per_s is None or not g.capacity:
            return calls
        load = self.p.rate_per_s * sum(o.load for o in unit)
        replicas = (fewest_replicas(g, load) or 0) if alone else load * (1 - LOAD_TOLERANCE) * _replicas_per_load(g)
        return calls + replicas * self.replica(g)

    def calls(self, unit: list[Option], g: Pool) -> float:
        """What is paid for each request, devices left out."""
        if self.p.rate_per_s is None:
            return sum(o.usd_per_request for o in unit)
        per_joule = self.devices[g.device].usd_per_joule
        return HOUR_S * self.p.rate_per_s * sum(o.usd_per_request + o.energy_j_per_request * per_joule for o in unit)

    def replica(self, g: Pool) -> float:
        """What one replica costs at least [USD/h]."""
        return g.devices_per_replica * g.billed * device_cost(self.devices[g.device])

    def excess(self, o: Option) -> float:
        """How much the option makes the least cost of its node rise."""
        node = self.node[o.piece]
        if self.pools[o.pool].whole_nodes:
            return self.whole_nodes[node][o.pool] - self.nodes[node]
        others = sum(cost for q, cost in self.apart[node].items() if q != o.piece)
        return self.single[o.piece][o.pool] + others - self.nodes[node]

    def excess_of_pool(self, g: Pool) -> float:
        """(71) min_n n price[g] - max { sum_{v in S} (l[v] - calls[v,g]) : rate sum_{v in S} load[v,g] <= a[g,n] }.

        How much the least cost of all nodes rises with the pool in use; the maximum is that of parts of nodes.
        """
        if self.p.rate_per_s is None or not g.capacity or not self.tenants[g.id]:
            return 0.0
        gains = sorted(self._gains(g), key=lambda gain: gain[1] / gain[0] if gain[0] else math.inf)
        total, excess = sum(gain[1] for gain in gains), math.inf
        for left, most in enumerate(g.capacity, 1):
            n = replicas_for(g, left) if most > 0 or not total else None
            if n is not None:
                excess = min(excess, n * self.replica(g) - _filled(gains, most * (1 + LOAD_TOLERANCE)))
            if most >= total:
                break
        return excess

    def _gains(self, g: Pool) -> Iterator[tuple[float, float]]:
        """Of each node that may be in a pool: what it costs less elsewhere at most, and its load here at least."""
        rate = self.p.rate_per_s or 0.0
        by_node: dict[str, list[Option]] = defaultdict(list)
        for o in self.tenants[g.id]:
            by_node[self.node[o.piece]].append(o)
        for node, rows in by_node.items():
            if g.whole_nodes:
                gain, load = self.nodes[node] - self.calls(rows, g), sum(o.load for o in rows)
            elif len(rows) == 1:
                others = sum(cost for q, cost in self.apart[node].items() if q != rows[0].piece)
                gain, load = self.nodes[node] - others - self.calls(rows, g), rows[0].load
            else:
                gain, load = self.nodes[node], min(o.load for o in rows)
            if gain > 0:
                yield gain, rate * load


def _replicas_per_load(g: Pool) -> float:
    """min_n n / a[g,s(n)], the replicas that a load takes at least where it shares them with others."""
    found = ((replicas_for(g, left), most) for left, most in enumerate(g.capacity, 1) if most > 0)
    return min((n / most for n, most in found if n is not None), default=0.0)


def _filled(gains: list[tuple[float, float]], room: float) -> float:
    """The most that parts of `gains`, those of least load for what they gain first, add up to within a load."""
    whole = 0.0
    for gain, load in gains:
        if load > room:
            return whole + gain * room / load
        whole, room = whole + gain, room - load
    return whole


def device_cost(d: DeviceType) -> float:
    """What one device of those in use costs at least [USD/h]: owned ones may be free but for energy."""
    return d.idle_usd_per_hour + (0.0 if d.owned else price(d))
