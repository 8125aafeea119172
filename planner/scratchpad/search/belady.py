"""Belady's rule along an order, compiled: evict what is used last.

Optimal only for equal sizes without writes; elsewhere an upper bound, and what the local search walks by.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..compiled import compiled
from .split import Piece
from .tables import Tables, tables

Kept = list[list[bool]]
"""By tensor and gap between touches in order: whether it stays."""


def check_fits(piece: Piece) -> None:
    """ValueError if an operator of the piece needs more than the scratchpad."""
    if piece.need and max(piece.need) > piece.capacity:
        raise ValueError(f"an operator needs {max(piece.need)} bytes and the scratchpad has {piece.capacity}")


def belady_piece(piece: Piece, order: Sequence[int], t: Tables | None = None) -> tuple[Kept, int]:
    """What Belady's rule keeps along an order of a piece, and its bytes."""
    check_fits(piece)
    t = t or tables(piece)
    out = np.zeros(len(t.use), np.bool_)
    cost = int(belady_cost(t, np.array(order, np.int64), out, np.int64(2**62)))
    kept = [[not out[k] for k in range(t.use_start[a] + 1, t.use_start[a + 1])] for a in range(len(t.size))]
    return kept, cost


@compiled
def belady_cost(t, order, out, limit):
    """Bytes that Belady's rule moves along an order, or some that are no fewer than `limit`; `out[k]` is set where the
    gap before the k-th touch is not kept, touches of each tensor counted in order from `use_start`."""
    n, m = len(order), len(t.size)
    next_use = _steps(t, order)
    clean, live, place = np.zeros(m, np.bool_), np.empty(m, np.int64), np.full(m, -1, np.int64)
    reached = np.zeros(m, np.int64)
    count, total, cost = 0, 0, 0
    for step in range(n):
        v = order[step]
        over = total + t.need[v] - t.capacity
        for i in range(t.touch_start[v], t.touch_start[v + 1]):
            if place[t.touch[i]] >= 0:
                over -= t.size[t.touch[i]]
        while over > 0:
            worst, far = -1, -1
            for q in range(count):
                a = live[q]
                when = next_use[t.use_start[a] + reached[a]]
                if when > step and (
                    when > far
                    or (when == far and t.size[a] >= over and (t.size[worst] < over or t.size[a] < t.size[worst]))
                ):
                    worst, far = a, when
            cost += t.reload[worst] + (0 if clean[worst] else t.write[worst])
            if cost >= limit:
                return cost
            clean[worst] = True
            out[t.use_start[worst] + reached[worst]] = True
            over -= t.size[worst]
            total -= t.size[worst]
            count -= 1
            live[place[worst]] = live[count]
            place[live[count]] = place[worst]
            place[worst] = -1
        for i in range(t.touch_start[v], t.touch_start[v + 1]):
            a = t.touch[i]
            reached[a] += 1
            if place[a] < 0:
                live[count], place[a] = a, count
                count += 1
                total += t.size[a]
            if reached[a] == t.use_start[a + 1] - t.use_start[a]:
                total -= t.size[a]
                count -= 1
                live[place[a]] = live[count]
                place[live[count]] = place[a]
                place[a] = -1
    return cost


@compiled
def _steps(t, order):
    """By tensor: the steps of its touches, in order, from `use_start`."""
    at = np.empty(len(order), np.int64)
    for step in range(len(order)):
        at[order[step]] = step
    steps = np.empty(len(t.use), np.int64)
    for a in range(len(t.size)):
        for k in range(t.use_start[a], t.use_start[a + 1]):
            step, j = at[t.use[k]], k
            while j > t.use_start[a] and steps[j - 1] > step:
                steps[j] = steps[j - 1]
                j -= 1
            steps[j] = step
    return steps
