"""Options too dear for a plan below a given cost: this one as it is and each other piece at its least is too much."""

from __future__ import annotations

import math
from collections import defaultdict

from ....ir.units import HOUR_S
from ..model.objective import price
from ..model.variables import fewest_replicas
from ..problem import DeviceType, Option, PlacementProblem, Pool


def affordable(p: PlacementProblem, below: float) -> list[Option]:
    """(21) least[p,g] + sum over the other pieces of their least cost <= below, for every option that stays.

    No plan that costs less than `below` [USD/h, or USD/request] takes any other.
    """
    pools = {g.id: g for g in p.pools}
    node = {q.id: q.node for q in p.pieces}
    single, whole = _costs(p)
    apart = _apart(p, single)
    least = _least(apart, whole)
    slack = below - sum(least.values())
    return [o for o in p.options if _excess(o, pools[o.pool], node[o.piece], single, whole, apart, least) <= slack]


def least_cost(p: PlacementProblem) -> float:
    """What no plan costs less than: all pieces at their least, or one with its devices [USD/h or USD/request]."""
    single, whole = _costs(p)
    pools = {g.id: g for g in p.pools}
    alone: dict[str, float] = {}
    for o in p.options:
        cost = _least_cost(p, pools[o.pool], [o], alone=True)
        alone[o.piece] = min(alone.get(o.piece, math.inf), cost)
    return max(sum(_least(_apart(p, single), whole).values()), *alone.values())


Costs = dict[str, dict[str, float]]
"""Piece, or node, and pool -> what it costs there at least."""


def _costs(p: PlacementProblem) -> tuple[Costs, Costs]:
    """Least costs of pieces by themselves, and of nodes in pools that take them whole."""
    pools = {g.id: g for g in p.pools}
    node = {q.id: q.node for q in p.pieces}
    tenants: dict[str, list[Option]] = defaultdict(list)
    for o in p.options:
        tenants[o.pool].append(o)
    single: Costs = defaultdict(dict)
    whole: Costs = defaultdict(dict)
    for pool, rows in tenants.items():
        alone = len({node[o.piece] if pools[pool].whole_nodes else o.piece for o in rows}) == 1
        for unit in _units(pools[pool], rows, node):
            cost = _least_cost(p, pools[pool], unit, alone)
            (whole[node[unit[0].piece]] if pools[pool].whole_nodes else single[unit[0].piece])[pool] = cost
    return single, whole


def _apart(p: PlacementProblem, single: Costs) -> Costs:
    """Node -> piece -> its least cost by itself."""
    found: Costs = {q.node: {} for q in p.pieces}
    for q in p.pieces:
        found[q.node][q.id] = min(single[q.id].values(), default=math.inf)
    return found


def _least(apart: Costs, whole: Costs) -> dict[str, float]:
    """Node -> its least cost."""
    return {n: min(sum(apart[n].values()), *whole[n].values(), math.inf) for n in apart}


def _units(g: Pool, rows: list[Option], node: dict[str, str]) -> list[list[Option]]:
    """Options that are taken together: those of one node where the pool takes nodes whole."""
    found: dict[str, list[Option]] = defaultdict(list)
    for o in rows:
        found[node[o.piece] if g.whole_nodes else o.piece].append(o)
    return list(found.values())


def _least_cost(p: PlacementProblem, g: Pool, unit: list[Option], alone: bool) -> float:
    """What a unit costs at least: its calls and energy, and its devices where nothing else may share them."""
    d = next(d for d in p.devices if d.name == g.device)
    if p.rate_per_s is None:
        return sum(o.usd_per_request for o in unit)
    calls = sum(o.usd_per_request + o.energy_j_per_request * d.usd_per_joule for o in unit)
    usd = HOUR_S * p.rate_per_s * calls
    if not alone or not g.capacity:
        return usd
    n = fewest_replicas(g, p.rate_per_s * sum(o.load for o in unit))
    return usd + (n or 0) * g.devices_per_replica * g.billed * _device_cost(d)


def _device_cost(d: DeviceType) -> float:
    """What one device of those in use costs at least [USD/h]: owned ones may be free but for energy."""
    return d.idle_usd_per_hour + (0.0 if d.owned else price(d))


def _excess(
    o: Option,
    g: Pool,
    node: str,
    single: Costs,
    whole: Costs,
    apart: Costs,
    least: dict[str, float],
) -> float:
    """How much the option makes the least cost of its node rise."""
    if g.whole_nodes:
        return whole[node][g.id] - least[node]
    others = sum(cost for q, cost in apart[node].items() if q != o.piece)
    return single[o.piece][g.id] + others - least[node]
