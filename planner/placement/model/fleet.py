"""Equations (1) to (10) and (24) of `docs/math/placement.md`: where pieces run and what the fleet allows."""

from __future__ import annotations

import math
from collections import defaultdict
from itertools import pairwise

import pulp

from ..problem import PlacementProblem
from ..times.mixture import ROUNDING
from .memory import held_once
from .survival import survivors
from .variables import LOAD_TOLERANCE, Expr, PlacementVars


def constrain_each_piece_placed_once(m: pulp.LpProblem, p: PlacementProblem, v: PlacementVars) -> None:
    """(1) sum_g x[p,g] = 1 for every piece p."""
    for q in p.pieces:
        placed = Expr([(v.x[q.id, g], 1) for g in v.pools_of[q.id]])
        m.addConstraint(placed == 1, v.name("placed", q.id))


def constrain_exclusions(m: pulp.LpProblem, p: PlacementProblem, v: PlacementVars) -> None:
    """(2) x[p,g] = 0 for every option that a constraint of the user's rules out."""
    for o in p.options:
        if o.excluded_by:
            m.addConstraint(v.x[o.piece, o.pool] == 0, v.name("excluded", o.piece, o.pool))


def constrain_memory(m: pulp.LpProblem, p: PlacementProblem, v: PlacementVars) -> None:
    """(3) sum_k W[g,k] + sum_s S[g,s] <= M[g];  W[g,k] >= weight[p,g] x[p,g] for p with key k, S likewise of states.

    For every pool g; pieces without a key share with none; (41) adapters have keys of their own. In shares of a
    device's memory.
    """
    for g in p.pools:
        if math.isinf(g.memory_bytes) or not v.pieces_of[g.id]:
            continue
        need = Expr()
        by_key: dict[str, list[tuple[str, float]]] = defaultdict(list)
        for q in v.pieces_of[g.id]:
            share = v.options[q, g.id].state_bytes / g.memory_bytes
            by_key[f"state {v.pieces[q].state_key or q}"].append((q, share))
        for q in v.pieces_of[g.id]:
            for key, size in held_once(v.pieces[q], v.options[q, g.id]):
                by_key[key].append((q, size / g.memory_bytes))
        for key, held in by_key.items():
            if len(held) == 1:
                q, share = held[0]
                need.addterm(v.x[q, g.id], share)
                continue
            shared = v.real("W", g.id, key)
            need.addterm(shared, 1)
            for q, share in held:
                m.addConstraint(shared - share * v.x[q, g.id] >= 0, v.name("shared", g.id, q))
        m.addConstraint(need <= 1 + 1e-9, v.name("memory", g.id))


def constrain_replicas(m: pulp.LpProblem, p: PlacementProblem, v: PlacementVars) -> None:
    """(4) sum_n z[g,n] <= 1;  x[p,g] <= sum_n z[g,n]: a pool in use has one number of replicas."""
    for g in p.pools:
        if not v.counted(g.id) or not v.pieces_of[g.id]:
            continue
        some = Expr([(v.z[g.id, n], 1) for n in v.numbers[g.id]])
        if len(v.numbers[g.id]) > 1:
            m.addConstraint(some <= 1, v.name("replicas", g.id))
        for q in v.pieces_of[g.id]:
            m.addConstraint(v.x[q, g.id] - some <= 0, v.name("replicas", g.id, q))


def constrain_capacity(m: pulp.LpProblem, p: PlacementProblem, v: PlacementVars) -> None:
    """(5) rate sum_p load[p,g] x[p,g] <= sum_n a[g,s(n)] z[g,n] for every counted pool g, s(n) of n replicas surviving;

    in shares of the load of all.
    """
    for g in p.pools:
        if not v.counted(g.id) or not v.pieces_of[g.id]:
            continue
        assert p.rate_per_s is not None
        loads = {q: p.rate_per_s * v.options[q, g.id].load for q in v.pieces_of[g.id]}
        unit = sum(loads.values()) or 1.0
        load = Expr([(v.x[q, g.id], one / unit) for q, one in loads.items()])
        # Beyond the load of all pieces more capacity is of no use, and large coefficients are bad for the solver.
        most = Expr([(v.z[g.id, n], min(1.0, g.capacity[survivors(g, n) - 1] / unit)) for n in v.numbers[g.id]])
        m.addConstraint(load - most <= LOAD_TOLERANCE, v.name("capacity", g.id))


def constrain_device_count(m: pulp.LpProblem, p: PlacementProblem, v: PlacementVars) -> None:
    """(6) sum_{g on d, n} n size[g] z[g,n] <= D[d], min[d] <= D[d] <= max[d], D[d] a multiple of the chassis."""
    for d in p.devices:
        if d.name not in v.taken:
            continue
        taken = v.taken[d.name]
        used = Expr(
            [(z, n * v.pools[g].devices_per_replica) for (g, n), z in v.z.items() if v.pools[g].device == d.name]
        )
        if d.chassis > 1 or d.min_count > 0:
            m.addConstraint(used - taken <= 0, v.name("taken", d.name))
            m.addConstraint(taken >= d.min_count, v.name("count_least", d.name))
        m.addConstraint(taken <= d.max_count, v.name("count", d.name))


def constrain_payment(m: pulp.LpProblem, p: PlacementProblem, v: PlacementVars) -> None:
    """(7) P[d] >= D[d] - owned[d] for every device type d of which some are owned."""
    for d in p.devices:
        if d.name in v.taken and d.owned > 0:
            m.addConstraint(v.paid[d.name] - v.taken[d.name] >= -d.owned, v.name("paid", d.name))


def constrain_transfers(m: pulp.LpProblem, p: PlacementProblem, v: PlacementVars) -> None:
    """(8) sum_l' y[e,l,l'] = sum_{g at l} x[a,g];  sum_l y[e,l,l'] = sum_{g at l'} x[b,g], for every edge e = (a,b).

    y exists for equal locations and for pairs with a route; since x is binary, y is the product of both sides.
    """
    for t in p.transfers:
        a, b = t.from_piece, t.to_piece
        if not v.delayed(a, b):
            continue
        for here in v.locations(a):
            out = Expr([(v.y[a, b, here, there], 1) for there in v.locations(b) if (a, b, here, there) in v.y])
            m.addConstraint(out - v.at(a, here) == 0, v.name("route_from", a, b, here))
        for there in v.locations(b):
            into = Expr([(v.y[a, b, here, there], 1) for here in v.locations(a) if (a, b, here, there) in v.y])
            m.addConstraint(into - v.at(b, there) == 0, v.name("route_to", a, b, there))


def constrain_company(m: pulp.LpProblem, p: PlacementProblem, v: PlacementVars) -> None:
    """(9) sum_{g at l} x[a,g] = sum_{g at l} x[b,g] for pairs together, the sum of both <= 1 for pairs apart."""
    for a, b in p.together:
        for here in dict.fromkeys([*v.locations(a), *v.locations(b)]):
            same = v.at(a, here) - v.at(b, here) == 0
            m.addConstraint(same, v.name("together", a, b, here))
    for a, b in p.apart:
        for here in v.locations(a):
            if here in v.locations(b):
                one = v.at(a, here) + v.at(b, here) <= 1
                m.addConstraint(one, v.name("apart", a, b, here))


def constrain_whole_nodes(m: pulp.LpProblem, p: PlacementProblem, v: PlacementVars) -> None:
    """(10) x[p,g] = x[q,g] for pieces p, q of one node and every pool g that takes nodes whole."""
    for g in p.pools:
        if not g.whole_nodes:
            continue
        by_node: dict[str, list[str]] = defaultdict(list)
        for q in p.pieces:
            by_node[q.node].append(q.id)
        for pieces in by_node.values():
            here = [Expr([(v.x[q, g.id], 1)] if (q, g.id) in v.x else []) for q in pieces]
            for one, other in pairwise(here):
                if one or other:
                    m.addConstraint(one - other == 0, v.name("whole", g.id, pieces[0]))


def constrain_idle_pools(m: pulp.LpProblem, p: PlacementProblem, v: PlacementVars) -> None:
    """(43) x[p,g] = x[q,g] for all pieces p, q of every pool g that goes down when it is idle."""
    for g in p.pools:
        for a, b in pairwise(v.pieces_of[g.id]) if g.goes_down else ():
            m.addConstraint(v.x[a, g.id] - v.x[b, g.id] == 0, v.name("all_in", g.id, a))


def constrain_order_of_alike(m: pulp.LpProblem, p: PlacementProblem, v: PlacementVars) -> None:
    """(38) sum_g rank[g] x[a,g] <= sum_g rank[g] x[b,g] for neighbours a, b of pieces that nothing tells apart.

    Of the plans that only exchange them one is left; rank is the place among the pools.
    """
    rank = {g.id: n / max(1, len(p.pools)) for n, g in enumerate(p.pools)}
    for group in p.alike:
        for a, b in pairwise(group):
            first, second = (Expr([(v.x[q, g], rank[g]) for g in v.pools_of[q]]) for q in (a, b))
            m.addConstraint(first - second <= ROUNDING, v.name("alike", a, b))


def constrain_one_of(m: pulp.LpProblem, p: PlacementProblem, v: PlacementVars) -> None:
    """(24) sum_{(p,g) in S} x[p,g] >= 1 for every set S of options of which a plan takes one."""
    for i, options in enumerate(p.one_of):
        taken = Expr([(v.x[key], 1) for key in v.x if key in options])
        m.addConstraint(taken >= 1, v.name("one_of", i))
