"""
List scheduling: pieces by priority, each to the device that suits it best now, in the first gap that holds it.

HEFT: Topcuoglu, Hariri, Wu, "Performance-Effective and Low-Complexity Task Scheduling for Heterogeneous Computing",
IEEE TPDS 13(3), 2002, section 5.1. PEFT: Arabnejad, Barbosa, "List Scheduling Algorithm for Heterogeneous Systems by an
Optimistic Cost Table", IEEE TPDS 25(3), 2014. Both are stated for links without bounds; here a transfer also waits for
the first gap of its link, and a device whose memory the weights would fill is passed over.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from statistics import fmean

from .problem import OpPlacementProblem, Schedule
from .timeline import Timelines

Priority = Sequence[float]
Bonus = Sequence[Sequence[float]]


def heft(p: OpPlacementProblem) -> Schedule | None:
    """Upward ranks, earliest finish; None where a piece found no device."""
    return list_schedule(p, upward_ranks(p))


def peft(p: OpPlacementProblem) -> Schedule | None:
    """Ranks and devices by the optimistic cost table; None where a piece found no device."""
    table = optimistic_costs(p)
    ranks = [fmean(row[d] for d in p.allowed[i]) for i, row in enumerate(table)]
    return list_schedule(p, ranks, table)


def upward_ranks(p: OpPlacementProblem) -> list[float]:
    """[ns] from the start of each piece to the end, with means of times and transfers. Equation (3) of the paper."""
    ranks = [0.0] * len(p.pieces)
    for i in reversed(range(len(p.pieces))):
        ahead = 0.0
        for t in p.outputs[i]:
            sent = mean_transfer_ns(p, t)
            ahead = max(ahead, *(sent + ranks[v] for v in p.tensors[t].users), 0.0)
        ranks[i] = fmean(p.time_ns(i, d) for d in p.allowed[i]) + ahead
    return ranks


def mean_transfer_ns(p: OpPlacementProblem, tensor: int) -> float:
    """[ns] of a tensor over all routes: mean latency, and its bytes over the mean bandwidth."""
    if not p.routes:
        return 0.0
    latency = fmean(route.latency_ns for route in p.routes.values())
    return latency + p.tensors[tensor].bytes * 1e9 / fmean(route.bytes_per_s for route in p.routes.values())


def optimistic_costs(p: OpPlacementProblem) -> list[list[float]]:
    """[ns] from the end of each piece on each device to the end of all, if devices were always free."""
    table = [[0.0] * len(p.devices) for _ in p.pieces]
    for i in reversed(range(len(p.pieces))):
        for d in p.allowed[i]:
            for t in p.outputs[i]:
                for v in p.tensors[t].users:
                    ways = []
                    for e in p.allowed[v]:
                        sent = p.transfer_ns(t, d, e)
                        if sent is not None:
                            ways.append(table[v][e] + p.time_ns(v, e) + sent)
                    table[i][d] = max(table[i][d], min(ways, default=float("inf")))
    return table


def list_schedule(p: OpPlacementProblem, priority: Priority, bonus: Bonus | None = None) -> Schedule | None:
    """
    Pieces whose inputs are placed, the highest priority first, each where its finish and `bonus` are least.

    None where no device is left that holds the weights of a piece and is reached by its inputs.
    """

    def where(i: int, lines: Timelines) -> list[int]:
        rated = []
        for d in p.allowed[i]:
            finish = lines.finish_ns(i, d)
            if finish is not None:
                rated.append((finish + (bonus[i][d] if bonus else 0.0), d))
        return [d for _, d in sorted(rated)[:1]]

    return schedule_by(p, priority, where)


def retimed(p: OpPlacementProblem, device: Sequence[int], start_ns: Sequence[int]) -> Schedule | None:
    """The pieces on these devices in the order of these starts, each as early as then can be."""
    return schedule_by(p, [-float(s) for s in start_ns], lambda i, _: [device[i]])


def schedule_by(
    p: OpPlacementProblem, priority: Priority, where: Callable[[int, Timelines], Sequence[int]]
) -> Schedule | None:
    """Pieces whose inputs are placed, the highest priority first, each on the first of `where`; None if it has none."""
    lines = Timelines(p)
    missing = [len({p.tensors[t].producer for t in p.inputs[i]}) for i in range(len(p.pieces))]
    ready = [(-priority[i], i) for i, count in enumerate(missing) if not count]
    heapq.heapify(ready)
    while ready:
        _, i = heapq.heappop(ready)
        devices = where(i, lines)
        if not devices or not lines.place(i, devices[0]):
            return None
        for v in {v for t in p.outputs[i] for v in p.tensors[t].users}:
            missing[v] -= 1
            if not missing[v]:
                heapq.heappush(ready, (-priority[v], v))
    return lines.schedule()
