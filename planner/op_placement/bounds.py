"""What no placement can beat: the longest way through the graph, with the best device for each piece of it."""

from __future__ import annotations

from math import inf

from .problem import OpPlacementProblem

Table = list[list[float]]


def heads_ns(p: OpPlacementProblem) -> Table:
    """
    [ns] before which each piece cannot start on each device, if devices and links were free. Equation (11).

    inf: it cannot be there.
    """
    heads = [[inf] * len(p.devices) for _ in p.pieces]
    for v in range(len(p.pieces)):
        for d in p.allowed[v]:
            heads[v][d] = max((_arrival_ns(p, heads, t, d) for t in p.inputs[v]), default=0.0)
    return heads


def tails_ns(p: OpPlacementProblem) -> Table:
    """[ns] that are left at least after the end of each piece on each device; inf: never there. Equation (12)."""
    tails = [[inf] * len(p.devices) for _ in p.pieces]
    for u in reversed(range(len(p.pieces))):
        for d in p.allowed[u]:
            users = ((t, v) for t in p.outputs[u] for v in p.tensors[t].users)
            tails[u][d] = max((_left_ns(p, tails, t, v, d) for t, v in users), default=0.0)
    return tails


def _arrival_ns(p: OpPlacementProblem, heads: Table, tensor: int, device: int) -> float:
    """[ns] the earliest arrival of a tensor on a device."""
    u = p.tensors[tensor].producer
    ways = ((p.transfer_ns(tensor, d, device), d) for d in p.allowed[u])
    return min((heads[u][d] + p.time_ns(u, d) + sent for sent, d in ways if sent is not None), default=inf)


def _left_ns(p: OpPlacementProblem, tails: Table, tensor: int, user: int, device: int) -> float:
    """[ns] at least from the end of a tensor's producer on a device to the end of all, by way of one user."""
    ways = ((p.transfer_ns(tensor, device, d), d) for d in p.allowed[user])
    return min((sent + p.time_ns(user, d) + tails[user][d] for sent, d in ways if sent is not None), default=inf)


def through_ns(p: OpPlacementProblem, heads: Table, tails: Table) -> Table:
    """[ns] that all takes at least if a piece is on a device: inf where it cannot be. Equation (13)."""
    rows = range(len(p.pieces))
    return [
        [heads[i][d] + p.time_ns(i, d) + tails[i][d] if d in p.allowed[i] else inf for d in range(len(p.devices))]
        for i in rows
    ]


def shared_bound_ns(p: OpPlacementProblem) -> int:
    """[ns] that the busiest device takes if every piece were as fast everywhere as where it is fastest."""
    least = [min(p.time_ns(i, d) for d in allowed) for i, allowed in enumerate(p.allowed)]
    return max(-(-sum(least) // len(p.devices)), max(least, default=0))


def path_bound_ns(through: Table) -> float:
    """[ns] that the longest way through the graph takes with the best devices; inf: no placement. Equation (13)."""
    return max((min(row) for row in through), default=0.0)
