"""A first plan of a large problem, from few of its pools: the cheapest, the fastest and some between of each kind."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection
from dataclasses import replace

from ....ir.units import HOUR_S
from ..model.objective import price
from ..problem import Option, PlacementProblem, Pool
from ..times.laws import mean

FEW_OPTIONS = 2000
"""At most about so many are left."""
WEIGHTS = (0.0, 0.3, 1.0, 3.0, 30.0)
"""How much a share of time counts against the same share of cost: one pool of a kind is kept for each, in steps."""


def few_options(p: PlacementProblem, many: int, keep: Collection[str] = ()) -> PlacementProblem | None:
    """A small part of a problem of more than `many` options, whose plans are plans of the problem; None of others.

    Pools of one device, place and set of pieces are of one kind; those that are cheapest, fastest or the best
    compromise of their kind stay, and those to `keep`. Its optimum says nothing of what else the problem has.
    """
    if len(p.options) <= many:
        return None
    rows: dict[str, list[Option]] = defaultdict(list)
    for o in p.options:
        rows[o.pool].append(o)
    alike: dict[tuple[object, ...], list[Pool]] = defaultdict(list)
    for g in p.pools:
        tenants = frozenset((o.piece, o.score) for o in rows[g.id])
        alike[g.device, g.location, g.whole_nodes, bool(g.capacity), g.goes_down, tenants].append(g)
    per_kind = sum(len(rows[pools[0].id]) for pools in alike.values())
    weights = WEIGHTS[: max(1, FEW_OPTIONS // max(1, per_kind))]
    kept = set(keep)
    for pools in alike.values():
        kept |= _compromises(p, pools, rows, weights)
    options = tuple(o for o in p.options if o.pool in kept)
    return replace(p, options=options, pools=tuple(g for g in p.pools if g.id in kept))


def _compromises(
    p: PlacementProblem, pools: list[Pool], rows: dict[str, list[Option]], weights: tuple[float, ...]
) -> set[str]:
    """The best pools of one kind, each at one weight of time against cost."""
    costs = [_cost(p, g, rows[g.id]) for g in pools]
    times = [
        sum(mean(t.wait) + sum(map(mean, t.lost)) + mean(t.total) for o in rows[g.id] for t in o.visits) for g in pools
    ]
    least_cost, least_time = min(costs) or 1.0, min(times) or 1.0
    found: set[str] = set()
    for weight in weights:
        worth = [c / least_cost + weight * t / least_time for c, t in zip(costs, times, strict=True)]
        found.add(pools[worth.index(min(worth))].id)
    return found


def _cost(p: PlacementProblem, g: Pool, rows: list[Option]) -> float:
    """About what a pool costs with all of its pieces [USD/h, or USD/request]: replicas need not be whole above one."""
    calls = sum(o.usd_per_request for o in rows)
    if p.rate_per_s is None:
        return calls
    d = next(d for d in p.devices if d.name == g.device)
    energy = sum(o.energy_j_per_request for o in rows) * d.usd_per_joule
    usd = HOUR_S * p.rate_per_s * (calls + energy)
    if not g.capacity:
        return usd
    each = g.capacity[-1] / len(g.capacity)
    load = p.rate_per_s * sum(o.load for o in rows)
    share = g.zones / (g.zones - g.lost_zones) if g.zones > g.lost_zones else math.inf
    replicas = share * (g.spare + max(1.0, load / each)) if each > 0 else math.inf
    return usd + replicas * g.devices_per_replica * g.billed * (price(d) + d.idle_usd_per_hour)
