"""Plans of a part that need no search: all nodes in one pool, or all prefills in one and all decodes in another."""

from __future__ import annotations

import math
from collections import defaultdict

from ....ir.units import HOUR_S
from ...placement.evaluate import Books
from ...placement.model.memory import memory_bytes
from ...placement.model.objective import price
from ...placement.model.variables import fewest_replicas
from ...placement.problem import Option, PlacementProblem, Pool
from ...placement.search.engine import Plan
from .alike import Prices, mean_s


def simple_plan(p: PlacementProblem, prices: Prices) -> Plan:
    """The best of these plans, by cost and what time costs; empty where there is none."""
    inside: dict[str, list[Option]] = defaultdict(list)
    for o in p.options:
        if not o.excluded_by:
            inside[o.pool].append(o)
    parts: dict[str, set[str]] = defaultdict(set)
    node, part = {q.id: q.node for q in p.pieces}, {q.id: q.part for q in p.pieces}
    for q in p.pieces:
        parts[q.part].add(q.id)
    best: dict[frozenset[str], tuple[float, Plan]] = {}
    for g in p.pools:
        held = frozenset(part[o.piece] for o in inside[g.id])
        if len(inside[g.id]) < sum(len(parts[name]) for name in held) or (g.whole_nodes and len(held) < len(parts)):
            continue
        seconds = sum(prices.get(node[o.piece], 0.0) * mean_s(o) for o in inside[g.id])
        worth = _usd_per_hour(p, g, inside[g.id]) + seconds
        if worth < best.get(held, (math.inf, {}))[0]:
            best[held] = worth, {o.piece: g.id for o in inside[g.id]}
    whole = best.pop(frozenset(parts), (math.inf, {}))
    apart = [best.get(frozenset({name}), (math.inf, {})) for name in parts]
    if whole[0] <= sum(worth for worth, _ in apart):
        return whole[1]
    both = {piece: pool for _, plan in apart for piece, pool in plan.items()}
    return both if len(both) == len(p.pieces) and _are_there(p, both) else whole[1]


def _are_there(p: PlacementProblem, plan: Plan) -> bool:
    """Whether the fleet has the devices of a plan."""
    taken = Books(p).account(plan).devices
    return all(taken.get(d.name, 0) <= d.max_count for d in p.devices)


def _usd_per_hour(p: PlacementProblem, g: Pool, inside: list[Option]) -> float:
    """What a pool costs with all of these pieces, alone on its kind of device; infinite where they do not fit."""
    d = next(d for d in p.devices if d.name == g.device)
    rate = p.rate_per_s or 0.0
    calls = HOUR_S * rate * sum(o.usd_per_request + o.energy_j_per_request * d.usd_per_joule for o in inside)
    if not g.capacity:
        return calls
    n = fewest_replicas(g, rate * sum(o.load for o in inside))
    taken = math.inf if n is None else n * g.devices_per_replica
    if taken > d.max_count or memory_bytes({q.id: q for q in p.pieces}, inside) > g.memory_bytes:
        return math.inf
    return calls + max(0, taken - d.owned) * price(d) + taken * d.idle_usd_per_hour
