"""The graph of all downsets of a piece: sets of operators closed under precedence, an edge for each next one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..compiled import compiled
from .ahead import NEVER, locate
from .bits import add, has
from .moves import is_ready
from .tables import Ints, Tables, Words

FAR = 15
"""operators before the next use that are told apart, at most"""


class Lattice(NamedTuple):
    """Downsets, by rising size: edges to one more operator, and live tensors, from `start` of each on."""

    done: Words
    """by downset: its operators"""
    slots: Ints
    """hash table: downset + 1"""
    edge_start: Ints
    op: Ints
    to: Ints
    live_start: Ints
    live: Ints
    far: Ints
    """by live tensor: operators before its next use, at most FAR"""


def lattice_of(t: Tables, done: Words, slots: Ints) -> Lattice:
    """The graph of these downsets, which are all, by rising size; `slots` is their hash table."""
    rows = len(done)
    edges, lives = np.zeros(rows + 1, np.int64), np.zeros(rows + 1, np.int64)
    _count(t, done, edges, lives)
    edge_start, live_start = np.cumsum(edges), np.cumsum(lives)
    op, to = np.zeros(edge_start[-1], np.int32), np.zeros(edge_start[-1], np.int32)
    live, far = np.zeros(live_start[-1], np.int32), np.zeros(live_start[-1], np.int8)
    _list(t, done, slots, edge_start, op, to, live_start, live, far)
    return Lattice(done, slots, edge_start, op, to, live_start, live, far)


def without(g: Lattice, pi: NDArray[np.float64], r: NDArray[np.float64], limit: float) -> Lattice:
    """The graph without edges through which every path costs more than `limit`, where an edge costs r and from each
    downset on the rest costs pi."""
    useful = np.zeros(len(g.op), np.bool_)
    _mark_useful(g, pi, r, limit, useful)
    kept = np.concatenate([[0], np.cumsum(useful)])[g.edge_start]
    return g._replace(edge_start=kept, op=g.op[useful], to=g.to[useful])


@compiled
def _uses_left(t, done, a):
    left = 0
    for k in range(t.use_start[a], t.use_start[a + 1]):
        left += not has(done, t.use[k])
    return left


@compiled
def _count(t, rows, edges, lives):
    for d in range(len(rows)):
        for v in range(len(t.need)):
            edges[d + 1] += is_ready(t, rows[d], v)
        for a in range(len(t.size)):
            lives[d + 1] += 0 < _uses_left(t, rows[d], a) < t.use_start[a + 1] - t.use_start[a]


@compiled
def _far(t, done, a):
    """Operators before the next use of a tensor, this included, at most FAR."""
    far = FAR
    for k in range(t.use_start[a], t.use_start[a + 1]):
        if has(done, t.use[k]):
            continue
        steps = 0
        for v in range(len(t.need)):
            steps += has(t.ancestors[t.use[k]], v) and not has(done, v)
        far = min(far, steps)
    return far


@compiled
def _list(t, rows, slots, edge_start, op, to, live_start, live, far):
    done = np.zeros(rows.shape[1], np.uint64)
    for d in range(len(rows)):
        e, i = edge_start[d], live_start[d]
        for v in range(len(t.need)):
            if is_ready(t, rows[d], v):
                done[:] = rows[d]
                add(done, v)
                op[e], to[e] = v, locate(rows, slots, done)
                e += 1
        for a in range(len(t.size)):
            if 0 < _uses_left(t, rows[d], a) < t.use_start[a + 1] - t.use_start[a]:
                live[i], far[i] = a, _far(t, rows[d], a)
                i += 1


@compiled
def _mark_useful(g, pi, r, limit, useful):
    reached = np.full(len(pi), NEVER)
    reached[0] = 0.0
    for d in range(len(pi) - 1):
        if reached[d] + pi[d] > limit:
            continue
        for e in range(g.edge_start[d], g.edge_start[d + 1]):
            paid = reached[d] + r[e]
            if paid + pi[g.to[e]] <= limit:
                useful[e] = True
                reached[g.to[e]] = min(reached[g.to[e]], paid)


@compiled
def project(t, coarse_t, g, coarse, ranks, tensors, prices, coarse_prices):
    """Prices of a piece from those of the same piece with fewer operators (38): each downset takes those of what is
    left of it. Operator k of the coarse piece is `ranks[k]`, tensor a of the fine one `tensors[a]`, or -1."""
    done, at = np.zeros(coarse.done.shape[1], np.uint64), np.full(len(coarse_t.size) + 1, -1, np.int64)
    for d in range(len(g.done)):
        done[:] = np.uint64(0)
        for k in range(len(ranks)):
            if has(g.done[d], ranks[k]):
                add(done, k)
        c = locate(coarse.done, coarse.slots, done)
        for i in range(coarse.live_start[c], coarse.live_start[c + 1]):
            at[coarse.live[i]] = i
        for i in range(g.live_start[d], g.live_start[d + 1]):
            a = tensors[g.live[i]]
            prices[i] = 0.0
            if at[a] >= 0:
                prices[i] = coarse_prices[at[a]]
            elif a >= 0 and _uses_left(coarse_t, done, a) > 0:
                prices[i, 1] = t.write[g.live[i]]
        for i in range(coarse.live_start[c], coarse.live_start[c + 1]):
            at[coarse.live[i]] = -1
