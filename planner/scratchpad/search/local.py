"""Local search over orders: one operator moves within its window, what stays is Belady's choice; upper bounds only.

The window of an operator lies between the last of its predecessors and the first of its successors. A move is taken
if it costs no more than the order before it, or than the order that was held so many moves ago (late acceptance, Burke
and Bykov 2017), which needs no temperatures. Belady's rule is not the best for unequal sizes or writes, so that what
is found goes to GAP afterwards.
"""

from __future__ import annotations

import numpy as np

from ..compiled import compiled
from .belady import belady_cost
from .bits import has
from .tables import Tables

LATE = (50, 400, 5000)
"""moves after which an order that was held no longer counts, by turns of walks"""
STALE = 400
"""moves per operator without a better order, after which a walk begins again from the best"""
TIRED = 12
"""walks without a better order, after which none is begun"""


class LocalSearch:
    """A walk over the orders of a piece from a given one; resumable, the same for the same seed."""

    def __init__(self, t: Tables, order: tuple[int, ...], seed: int) -> None:
        self.tables = t
        self.best = np.array(order, np.int64)
        self._out = np.zeros(len(t.use), np.bool_)
        self.best_bytes = int(belady_cost(t, self.best, self._out, np.int64(2**62)))
        """by Belady's rule"""
        self._random = np.array([2 * seed + 1], np.uint64)
        self._walks = 0
        self._idle_walks = self._idle_moves = 0
        self._begin()

    def _begin(self) -> None:
        """Begin a walk from the best order."""
        self._order = self.best.copy()
        self._held = np.full(LATE[self._walks % len(LATE)], self.best_bytes, np.int64)
        self._counters = np.array([self.best_bytes, self.best_bytes, 0], np.int64)
        self._walks += 1
        self._idle_moves = 0

    @property
    def is_tired(self) -> bool:
        """Whether many walks found nothing."""
        return self._idle_walks >= TIRED

    def run(self, moves: int) -> bool:
        """Try so many moves; whether a better order was found."""
        _walk(self.tables, self._order, self.best, self._held, self._counters, self._random, self._out, moves)
        found = int(self._counters[1]) < self.best_bytes
        self.best_bytes = int(self._counters[1])
        self._idle_moves = 0 if found else self._idle_moves + moves
        self._idle_walks = 0 if found else self._idle_walks
        if self._idle_moves > STALE * len(self.best):
            self._idle_walks += 1
            self._begin()
        return found


@compiled(inline="always")
def _draw(random, below):
    """A number from 0 on, by xorshift (Marsaglia)."""
    x = random[0]
    x ^= x << np.uint64(13)
    x ^= x >> np.uint64(7)
    x ^= x << np.uint64(17)
    random[0] = x
    return np.int64((x >> np.uint64(11)) % np.uint64(below))


@compiled
def _window(t, order, place):
    """First and last place at which the operator at `place` may stand, the others in their order."""
    v, first, last = order[place], place, place
    while first > 0 and not has(t.before[v], order[first - 1]):
        first -= 1
    while last < len(order) - 1 and not has(t.before[order[last + 1]], v):
        last += 1
    return first, last


@compiled
def _shift(order, here, there):
    """Move the operator at `here` to `there`."""
    v, step = order[here], 1 if there > here else -1
    for place in range(here, there, step):
        order[place] = order[place + step]
    order[there] = v


@compiled
def _walk(t, order, best, held, counters, random, out, moves):
    """`counters`: bytes of the present order and of the best, and moves so far."""
    if len(order) < 2:
        return
    for _ in range(moves):
        here = _draw(random, len(order))
        first, last = _window(t, order, here)
        if first == last:
            continue
        there = first + _draw(random, last - first)
        there += there >= here
        at = counters[2] % len(held)
        counters[2] += 1
        _shift(order, here, there)
        limit = max(counters[0], held[at]) + 1
        cost = belady_cost(t, order, out, limit)
        if cost < limit:
            counters[0] = cost
            if cost < counters[1]:
                counters[1] = cost
                best[:] = order
        else:
            _shift(order, there, here)
        held[at] = counters[0]
