"""The waits of a chosen plan: the planner bounds them by classes, the plan states what its own load gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

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


def chosen_options(problem: PlacementProblem, result: PlacementResult) -> dict[str, Option]:
    """Piece id -> the option that the plan takes."""
    return {o.piece: o for o in problem.options if result.placements.get(o.piece) == o.pool}


def with_waits(problem: PlacementProblem, result: PlacementResult) -> PlacementProblem:
    """`problem` with nothing left to choose, and with the waits of the plan's own load."""
    laws = pool_waits(problem, result)
    chosen = (_waiting(option, laws) for option in chosen_options(problem, result).values())
    return replace(problem, options=tuple(chosen))


def _waiting(option: Option, laws: Mapping[str, Distribution]) -> Option:
    law = laws.get(option.pool)
    visits = option.visits if law is None else tuple(_visit(visit, law) for visit in option.visits)
    return replace(option, visits=visits)


def _visit(visit: VisitTime, law: Distribution) -> VisitTime:
    return visit if visit.wait == NO_WAIT else replace(visit, wait=law)
