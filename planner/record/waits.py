"""The waits of a chosen plan: the planner bounds them by classes, the plan states what its own load gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from ...costmodel.interruptions import outage
from ...costmodel.queueing import class_wait, wait
from ...ir.distribution import Distribution
from ..placement.problem import NO_WAIT, Option, PlacementProblem, Pool, VisitTime
from ..placement.result import PlacementResult

Law = TypeVar("Law")


@dataclass(frozen=True)
class Queue:
    """Visits that wait for slots of one kind in a pool: all of its pieces, or those of one phase where it is split."""

    pieces: tuple[Option, ...]
    slots: int
    """of one replica"""
    load: float
    """of one request [replica-s]"""


def queues(pool: Pool, inside: Sequence[Option]) -> Iterator[Queue]:
    """The queues of a pool with these options in it, that of prefill before that of decode."""
    if pool.split is None:
        yield Queue(tuple(inside), pool.slots, pool.load_of(inside))
        return
    for phase, slots in (("prefill", 1), ("decode", pool.max_batch)):
        pieces = tuple(option for option in inside if option.piece.endswith(f".{phase}"))
        yield Queue(pieces, slots, pool.load_of(pieces))


def pool_waits(problem: PlacementProblem, result: PlacementResult) -> dict[str, tuple[Distribution, ...]]:
    """Pool id -> laws of waiting for a slot in each of its queues [s], M/M/n at the load that the plan puts on it.

    n is replicas x slots; a visit holds one slot, of a pipeline its first stage, for the queue's mean time, so that n
    slots offer rate x load x slots erlangs. Empty without a rate.
    """
    nodes = {piece.id: (piece.node, piece.visits_per_request) for piece in problem.pieces}

    def law(queue: Queue, pool: Pool, replicas: int) -> Distribution:
        rate = problem.rate_per_s or 0.0
        # Prefill and decode of one visit hold one slot, one after the other: they arrive once.
        arrivals = rate * sum(dict(nodes[option.piece] for option in queue.pieces).values())
        offered = rate * queue.load * queue.slots
        return wait(replicas * queue.slots, offered, offered / arrivals) if offered else NO_WAIT

    return _of_queues(problem, result, law)


def class_waits(problem: PlacementProblem, result: PlacementResult) -> dict[str, tuple[dict[int, Distribution], ...]]:
    """(48) Pool id -> for each of its queues, the law of waiting for a slot [s] of visits of each priority.

    It is that of `pool_waits` where all in the queue have one priority. Otherwise waits are never longer than it says,
    and it is exact for the highest.
    """
    pieces, rate = {piece.id: piece for piece in problem.pieces}, problem.rate_per_s or 0.0
    whole = pool_waits(problem, result)

    def laws(queue: Queue, pool: Pool, replicas: int) -> dict[int, Distribution]:
        loads: dict[int, float] = {}
        for option in queue.pieces:
            priority = pieces[option.piece].priority
            loads[priority] = loads.get(priority, 0.0) + rate * option.load * queue.slots
        offered = sum(loads.values())
        if len(loads) < 2 or not offered:
            second = int(bool(queue.pieces) and _is_second(pool, queue.pieces[0]))
            return dict.fromkeys(loads, whole[pool.id][second])
        visits = {pieces[o.piece].node: pieces[o.piece].visits_per_request for o in queue.pieces}
        found, before, service_s = {}, 0.0, offered / (rate * sum(visits.values()))
        for priority in sorted(loads, reverse=True):
            upto = before + loads[priority]
            found[priority] = class_wait(replicas * queue.slots, offered, before, upto, service_s)
            before = upto
        return found

    return _of_queues(problem, result, laws)


def _is_second(pool: Pool, option: Option) -> bool:
    """Whether a piece waits in the second queue of its pool."""
    return pool.split is not None and option.piece.endswith(".decode")


def pool_outages(problem: PlacementProblem, result: PlacementResult) -> dict[str, tuple[Distribution, ...]]:
    """Pool id -> laws of waiting for replicas that were taken back in each of its queues [s], at the plan's load."""

    def law(queue: Queue, pool: Pool, replicas: int) -> Distribution:
        offered = (problem.rate_per_s or 0.0) * queue.load * queue.slots
        return outage(replicas, queue.slots, offered, pool.availability, pool.down_s)

    return _of_queues(problem, result, law)


def _of_queues(
    problem: PlacementProblem, result: PlacementResult, law: Callable[[Queue, Pool, int], Law]
) -> dict[str, tuple[Law, ...]]:
    if problem.rate_per_s is None:
        return {}
    pools = {pool.id: pool for pool in problem.pools}
    chosen = chosen_options(problem, result).values()
    return {
        id: tuple(law(q, pools[id], replicas) for q in queues(pools[id], [o for o in chosen if o.pool == id]))
        for id, replicas in result.replicas.items()
    }


def chosen_options(problem: PlacementProblem, result: PlacementResult) -> dict[str, Option]:
    """Piece id -> the option that the plan takes."""
    return {o.piece: o for o in problem.options if result.placements.get(o.piece) == o.pool}


def with_waits(problem: PlacementProblem, result: PlacementResult) -> PlacementProblem:
    """`problem` with nothing left to choose, and with the waits of the plan's own load."""
    laws, outages = class_waits(problem, result), pool_outages(problem, result)
    pools, priority = {pool.id: pool for pool in problem.pools}, {piece.id: piece.priority for piece in problem.pieces}

    def waiting(option: Option) -> Option:
        if option.pool not in laws:
            return option
        queue = int(_is_second(pools[option.pool], option))
        law, out = laws[option.pool][queue][priority[option.piece]], outages[option.pool][queue]
        return replace(option, visits=tuple(_visit(visit, law, out) for visit in option.visits))

    return replace(problem, options=tuple(map(waiting, chosen_options(problem, result).values())))


def _visit(visit: VisitTime, law: Distribution, out: Distribution) -> VisitTime:
    if visit.wait == NO_WAIT:
        return visit
    # Interruptions and starts of idle pools are the same at any load that the pool may have; outages are told anew.
    own = tuple(lost for lost in visit.lost if lost.kind != "wait")
    return replace(visit, wait=law, lost=own if out == NO_WAIT else (*own, out))
