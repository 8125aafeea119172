"""Fewer, larger pieces: a problem that a solver can prove, whose every answer is one of the problem it is made of."""

from __future__ import annotations

from collections import defaultdict
from statistics import fmean

from ...passes.pieces.choose import join_pieces
from .problem import OpPlacementProblem, Piece, Tensor


def coarsened(p: OpPlacementProblem, most: int) -> tuple[OpPlacementProblem, list[int]]:
    """
    The problem of at most `most` convex sets of pieces (more where fewer cannot be), and the set of each piece.

    Pieces of a set run one after another on one device. What a set holds is at least what its pieces hold: tensors that
    leave it from its start, others from when they are made to their last use, beside the work of what runs.
    """
    edges: dict[tuple[int, int], float] = defaultdict(float)
    for tensor in p.tensors:
        for user in tensor.users:
            edges[tensor.producer, user] += tensor.bytes
    work = [fmean(p.time_ns(i, d) for d in p.allowed[i]) for i in range(len(p.pieces))]
    piece_of = join_pieces(work, edges, most)
    members: list[list[int]] = [[] for _ in range(max(piece_of, default=-1) + 1)]
    for i, piece in enumerate(piece_of):
        members[piece].append(i)
    tensors = tuple(
        Tensor(t.name, piece_of[t.producer], users, t.bytes)
        for t in p.tensors
        if (users := tuple(sorted({piece_of[v] for v in t.users} - {piece_of[t.producer]}))) or not t.users
    )
    pieces = tuple(_joined(p, piece_of, inside) for inside in members)
    return OpPlacementProblem(pieces, tensors, p.devices, p.routes, p.links), piece_of


def _joined(p: OpPlacementProblem, piece_of: list[int], members: list[int]) -> Piece:
    """One piece that does what `members` do one after another."""
    times = tuple(
        sum(p.time_ns(i, d) for i in members) if all(d in p.allowed[i] for i in members) else None
        for d in range(len(p.devices))
    )
    place = {i: at for at, i in enumerate(members)}
    live = [p.pieces[i].work_bytes for i in members]
    for i in members:
        for t in p.outputs[i]:
            users = p.tensors[t].users
            if users and all(v in place for v in users):
                for at in range(place[i], max(place[v] for v in users) + 1):
                    live[at] += p.tensors[t].bytes
    name = p.pieces[members[0]].name if len(members) == 1 else f"{p.pieces[members[0]].name}..{len(members)}"
    return Piece(name, times, sum(p.pieces[i].weight_bytes for i in members), max(live))
