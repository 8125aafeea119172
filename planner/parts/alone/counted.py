"""The model of a part in which nodes that nothing tells apart are counted, not placed one by one.

Equation (64) of `docs/math/placement.md`. A thousand calls of a few kinds have as many variables here as a call of
each kind, and none of the orders in which equal calls could take their places.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count, repeat

import pulp

from ....ir.units import HOUR_S
from ...placement.evaluate import Books
from ...placement.model.memory import held_once
from ...placement.model.objective import price
from ...placement.model.survival import survivors
from ...placement.model.variables import LOAD_TOLERANCE, Expr, fewest_replicas, replica_numbers
from ...placement.problem import Option, PlacementProblem, Pool
from ...placement.search.engine import Plan
from .alike import Alike, Prices, alike_nodes, mean_s

Count = tuple[int, str, str]
"""Place of a kind among the kinds, part (empty in a pool that takes nodes whole) and pool."""


@dataclass
class Counted:
    """min (66), subject to (64): how many nodes of each kind are in each pool."""

    p: PlacementProblem
    prices: Prices = field(default_factory=dict)
    m: pulp.LpProblem = field(init=False)
    n: dict[Count, pulp.LpVariable] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._pools = {g.id: g for g in self.p.pools}
        self._devices = {d.name: d for d in self.p.devices}
        self._pieces = {q.id: q for q in self.p.pieces}
        self._taken: dict[str, Expr] = {}
        self._paid: dict[str, Expr] = {}
        self._replicas: dict[str, list[tuple[pulp.LpVariable, int]]] = {}
        self._any: dict[Count, pulp.LpVariable] = {}
        self._names = count(1)
        self.m = pulp.LpProblem("part", pulp.LpMinimize)
        self.kinds = alike_nodes(self.p, self.prices)
        in_pool: dict[str, list[Count]] = defaultdict(list)
        for here in self._counts():
            self.n[here] = self._variable("n", "Integer", len(self.kinds[here[0]].nodes))
            in_pool[here[2]].append(here)
        self._place_all()
        for g in self.p.pools:
            inside = in_pool[g.id]
            if inside and g.id in self.kinds[inside[0][0]].own:
                self._replicas[g.id] = [(self.n[inside[0]], fewest_replicas(g, self._load(inside[0])) or 1)]
                continue
            if inside and g.capacity:
                self._size(g, inside)
            self._fit(g, inside)
        self._pay()

    def plan(self, value: Callable[[pulp.LpVariable], float]) -> Plan:
        """Which node is where: those whose time is dearest at the fastest places of their kind."""
        found: Plan = {}
        for at, kind in enumerate(self.kinds):
            places = sorted(self._places(at, kind, value), key=lambda place: place[0])
            for node, (_, pools) in zip(kind.nodes, places, strict=False):
                own = (kind.pool_of(node, g) for g in pools)
                found.update((f"{node}.{part}", g) for part, g in zip(kind.parts, own, strict=True))
        return found

    @cached_property
    def cost(self) -> Expr:
        """[USD/h]"""
        calls = Expr([(n, self._usd_per_hour(here)) for here, n in self.n.items()])
        for name, taken in self._taken.items():
            d = self._devices[name]
            calls += taken * d.idle_usd_per_hour
            calls += self._paid[name] * price(d)
        return calls

    @cached_property
    def unit(self) -> float:
        """[USD/h] that the objective is in."""
        return max((abs(a) for a in self.cost.values()), default=0.0) or 1.0

    def minimise(self, most_usd: float) -> None:
        """(66) Cost and what time costs, no more than `most_usd` together; in units of `unit`."""
        times = ((n, self._seconds(here) * self.kinds[here[0]].usd_per_s) for here, n in self.n.items())
        worth = (self.cost + Expr(list(times))) * (1 / self.unit)
        self.m.setObjective(worth)
        if not math.isinf(most_usd):
            self.m.addConstraint(worth <= most_usd / self.unit, "most")

    def hasten(self, most_usd: float) -> None:
        """(17) The mean times of all visits, of plans that cost no more than `most_usd`."""
        visits = {here: sum(len(o.visits) * mean_s(o) for o in self._options(here)) for here in self.n}
        unit = max(visits.values(), default=0.0) or 1.0
        self.m.setObjective(Expr([(self.n[here], seconds / unit) for here, seconds in visits.items()]))
        self.m.addConstraint(self.cost * (1 / self.unit) <= most_usd / self.unit, "most")

    def worth(self, plan: Plan) -> float:
        """Cost of a plan and what its time costs [USD/h]."""
        books = Books(self.p)
        times = (self.prices.get(q.node, 0.0) * mean_s(books.options[q.id, plan[q.id]]) for q in self.p.pieces)
        return books.account(plan).total + sum(times)

    def _counts(self) -> Iterator[Count]:
        """What there is to count: in pools that take nodes whole only kinds all parts of which may be there."""
        for g in self.p.pools:
            for at, kind in enumerate(self.kinds):
                there = [part for part in kind.parts if (part, g.id) in kind.options]
                if not g.whole_nodes:
                    yield from ((at, part, g.id) for part in there)
                elif len(there) == len(kind.parts):
                    yield at, "", g.id

    def _options(self, here: Count) -> list[Option]:
        """Of one node that is counted so."""
        at, _, pool = here
        return [self.kinds[at].options[each, pool] for each in self._parts(here)]

    def _parts(self, here: Count) -> Sequence[str]:
        """Of a node, that are counted together."""
        at, part, _ = here
        return (part,) if part else self.kinds[at].parts

    def _load(self, here: Count) -> float:
        """[replica-seconds/s]"""
        return (self.p.rate_per_s or 0.0) * sum(o.load for o in self._options(here))

    def _usd_per_hour(self, here: Count) -> float:
        joule = self._devices[self._pools[here[2]].device].usd_per_joule
        usd = sum(o.usd_per_request + o.energy_j_per_request * joule for o in self._options(here))
        return HOUR_S * (self.p.rate_per_s or 0.0) * usd

    def _seconds(self, here: Count) -> float:
        return sum(mean_s(o) for o in self._options(here))

    def _variable(self, prefix: str, category: str, most: int | None) -> pulp.LpVariable:
        return self.m.add_variable(f"{prefix}{next(self._names)}", 0, most, category)

    def _row(self, row: pulp.LpConstraint) -> None:
        self.m.addConstraint(row, f"row{next(self._names)}")

    def _place_all(self) -> None:
        """sum over g of n[k, part, g] = |k| for every kind k and part."""
        rows: dict[tuple[int, str], list[tuple[pulp.LpVariable, int]]] = defaultdict(list)
        for here, n in self.n.items():
            for each in self._parts(here):
                rows[here[0], each].append((n, 1))
        for at, kind in enumerate(self.kinds):
            for part in kind.parts:
                self._row(Expr(rows[at, part]) == len(kind.nodes))

    def _size(self, g: Pool, inside: Sequence[Count]) -> None:
        """(4), (5) One number r of replicas at most, which carries what is counted.

        n[k, g] <= sum over r of min(|k|, floor(a[g, r] / load[k, g])) z[g, r]: no more than fit into it alone.
        """
        loads = {here: self._load(here) for here in inside}
        each = [load / (self.p.rate_per_s or 1.0) for here, load in loads.items() for _ in self.kinds[here[0]].nodes]
        numbers = replica_numbers(self.p, g, each)
        sizes = {r: self._variable("z", "Binary", 1) for r in numbers}
        self._replicas[g.id] = [(z, r) for r, z in sizes.items()]
        carried = {r: g.capacity[survivors(g, r) - 1] for r in numbers}
        unit = sum(loads[here] * len(self.kinds[here[0]].nodes) for here in inside) or 1.0
        self._row(Expr([(z, 1) for z in sizes.values()]) <= 1)
        most = Expr([(z, min(1.0, carried[r] / unit)) for r, z in sizes.items()])
        self._row(Expr([(self.n[here], loads[here] / unit) for here in inside]) - most <= LOAD_TOLERANCE)
        for here in inside:
            fit = {r: self._fitting(here, loads[here], carried[r]) for r in numbers}
            self._row(self.n[here] - Expr([(z, fit[r]) for r, z in sizes.items()]) <= 0)

    def _fitting(self, here: Count, load: float, carried: float) -> int:
        nodes = len(self.kinds[here[0]].nodes)
        return nodes if load <= 0 else min(nodes, int(carried * (1 + 2 * LOAD_TOLERANCE) / load + LOAD_TOLERANCE))

    def _fit(self, g: Pool, inside: Sequence[Count]) -> None:
        """(3) Memory of one device, in shares of it; no row where all that may come has room."""
        if math.isinf(g.memory_bytes) or not inside:
            return
        alone: dict[Count, float] = defaultdict(float)
        shared: dict[str, list[tuple[Count, float]]] = defaultdict(list)
        for here in inside:
            for key, size in self._held(here):
                if key is None:
                    alone[here] += size / g.memory_bytes
                else:
                    shared[key].append((here, size / g.memory_bytes))
        most = sum(size * len(self.kinds[here[0]].nodes) for here, size in alone.items())
        if most + sum(max(size for _, size in held) for held in shared.values()) <= 1:
            return
        need = Expr([(self.n[here], size) for here, size in alone.items()])
        for held in shared.values():
            room = self._variable("room", "Continuous", None)
            need.addterm(room, 1)
            for here, size in held:
                self._row(room - self._some(here) * size >= 0)
        self._row(need <= 1 + 1e-9)

    def _held(self, here: Count) -> Iterator[tuple[str | None, float]]:
        """What a node takes of a device's memory [bytes]: with a key once for all who have the same, else each."""
        node = self.kinds[here[0]].nodes[0]
        for part, o in zip(self._parts(here), self._options(here), strict=True):
            piece = self._pieces[f"{node}.{part}"]
            yield (f"state {piece.state_key}" if piece.state_key else None), o.state_bytes
            for key, size in held_once(piece, o):
                yield (None if key == f"piece {piece.id}" else key), size

    def _some(self, here: Count) -> Expr:
        """1 where any of a kind is there."""
        if here not in self._any:
            some = self._any[here] = self._variable("some", "Binary", 1)
            self._row(self.n[here] - some * len(self.kinds[here[0]].nodes) <= 0)
        return Expr([(self._any[here], 1)])

    def _pay(self) -> None:
        """(6), (7) Devices within their counts; those beyond the owned ones are paid for."""
        for d in self.p.devices:
            own = [g for g in self.p.pools if g.device == d.name and g.id in self._replicas]
            terms = [(n, r * g.devices_per_replica) for g in own for n, r in self._replicas[g.id]]
            if not terms:
                continue
            self._taken[d.name] = Expr(terms)
            self._paid[d.name] = Expr(terms)
            self._row(Expr(terms) <= d.max_count)
            if d.owned > 0:
                self._paid[d.name] = Expr([(self._variable("paid", "Continuous", None), 1)])
                self._row(self._paid[d.name] - self._taken[d.name] >= -d.owned)

    def _places(
        self, at: int, kind: Alike, value: Callable[[pulp.LpVariable], float]
    ) -> Iterator[tuple[float, tuple[str, ...]]]:
        """Mean time of a visit [s] and pool of each part, for each node of a kind."""
        counts = [(part, g, round(value(n))) for (k, part, g), n in self.n.items() if k == at]
        apart: list[list[tuple[float, str]]] = []
        for part in kind.parts:
            own = (repeat((kind.seconds(part, g), g), n) for each, g, n in counts if each == part)
            apart.append(sorted(place for some in own for place in some))
        for _, g, n in (each for each in counts if not each[0]):
            yield from repeat((sum(kind.seconds(part, g) for part in kind.parts), (g,) * len(kind.parts)), n)
        for places in zip(*apart, strict=False):
            yield sum(seconds for seconds, _ in places), tuple(g for _, g in places)
