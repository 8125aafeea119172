"""The waits of a chosen plan: the planner bounds them by classes, the plan states what its own load gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..costmodel.interruptions import outage
from ..costmodel.queueing import wait
from ..ir.distribution import Distribution
from .placement.problem import NO_WAIT, Option, PlacementProblem, VisitTime
from .placement.result import PlacementResult


def pool_waits(problem: PlacementProblem, result: PlacementResult) -> dict[str, Distribution]:
    """Pool id -> law of waiting for a slot [s], M/M/n at the load that the plan puts on it.

    n is replicas x slots; a visit holds one slot for the pool's mean time, so that n slots offer
    rate x load x slots erlangs. Empty without a rate.
    """
    if problem.rate_per_s is None:
        return {}
    pools = {pool.id: pool for pool in problem.pools}
    nodes = {piece.id: (piece.node, piece.visits_per_request) for piece in problem.pieces}
    chosen = chosen_options(problem, result)
    laws = {}
    for pool_id, replicas in result.replicas.items():
        inside = [option for option in chosen.values() if option.pool == pool_id]
        slots = pools[pool_id].max_batch
        # Prefill and decode of one visit hold one slot, one after the other: they arrive once.
        arrivals = problem.rate_per_s * sum(dict(nodes[option.piece] for option in inside).values())
        offered = problem.rate_per_s * sum(option.load for option in inside) * slots
        laws[pool_id] = wait(replicas * slots, offered, offered / arrivals) if offered else NO_WAIT
    return laws


def pool_outages(problem: PlacementProblem, result: PlacementResult) -> dict[str, Distribution]:
    """Pool id -> law of waiting for replicas that were taken back [s], at the load that the plan puts on it."""
    if problem.rate_per_s is None:
        return {}
    pools = {pool.id: pool for pool in problem.pools}
    chosen = chosen_options(problem, result).values()
    laws = {}
    for pool_id, replicas in result.replicas.items():
        pool = pools[pool_id]
        offered = problem.rate_per_s * sum(o.load for o in chosen if o.pool == pool_id) * pool.max_batch
        laws[pool_id] = outage(replicas, pool.max_batch, offered, pool.availability, pool.down_s)
    return laws


def chosen_options(problem: PlacementProblem, result: PlacementResult) -> dict[str, Option]:
    """Piece id -> the option that the plan takes."""
    return {o.piece: o for o in problem.options if result.placements.get(o.piece) == o.pool}


def with_waits(problem: PlacementProblem, result: PlacementResult) -> PlacementProblem:
    """`problem` with nothing left to choose, and with the waits of the plan's own load."""
    laws, outages = pool_waits(problem, result), pool_outages(problem, result)
    chosen = (_waiting(option, laws, outages) for option in chosen_options(problem, result).values())
    return replace(problem, options=tuple(chosen))


def _waiting(option: Option, laws: Mapping[str, Distribution], outages: Mapping[str, Distribution]) -> Option:
    law, out = laws.get(option.pool), outages.get(option.pool, NO_WAIT)
    visits = option.visits if law is None else tuple(_visit(visit, law, out) for visit in option.visits)
    return replace(option, visits=visits)


def _visit(visit: VisitTime, law: Distribution, out: Distribution) -> VisitTime:
    if visit.wait == NO_WAIT:
        return visit
    own = tuple(lost for lost in visit.lost if lost.kind == "repeats")
    return replace(visit, wait=law, lost=own if out == NO_WAIT else (*own, out))
