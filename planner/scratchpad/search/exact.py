"""The exact search: best first over states (E, R, C), order and eviction together, with a proved bound at any moment.

The least f = paid + ahead on the heap bounds every plan from below (26). A state is dropped when a closed one of the
same downset does at least as well after paying for the difference (27), and when f reaches the upper bound. Reversing
all precedences leaves the optimum unchanged (22) but not the number of states, so both directions run in turn.
"""

from __future__ import annotations

import numpy as np

from ..compiled import compiled
from .ahead import ahead_of, find_ahead, live_bytes, locate, nothing_ahead
from .bits import add
from .moves import Children, expand, mimics, room
from .prices import Prices
from .split import Piece
from .store import (
    BOUND,
    CROWDED,
    DONE,
    DOWNSETS,
    FULL,
    GOAL,
    HEAP,
    POPS,
    STATES,
    STATUS,
    empty_store,
    find_downset,
    find_state,
    grown,
    pop,
    push,
    row_bytes,
)
from .tables import tables

SCANNED = 4000
"""Closed states of a downset that are tried as dominators, newest first."""
CHILDREN = 1 << 15
FIRST_ROWS = 4 * CHILDREN


@compiled
def _is_dominated(t, s, i):
    p, tried = s.first_closed[s.downset[i]], 0
    while p > 0 and tried < SCANNED:
        q = p - 1
        if q != i and s.cost[q] <= s.cost[i]:
            spare = s.cost[i] - s.cost[q]
            if mimics(t, s.resident[q], s.clean[q], s.resident[i], s.clean[i], spare):
                return True
        p = s.closed[p - 1] - 1
        tried += 1
    return False


@compiled
def _insert_children(s, t, c, table, count, i, upper, done):
    n, d, last = len(t.need), np.int64(s.downset[i]), -1
    child_downset = np.int64(0)
    for k in range(count):
        cost = s.cost[i] + c.cost[k]
        if cost >= upper:
            continue
        if c.op[k] != last:
            last = c.op[k]
            done[:] = s.done[d]
            add(done, last)
            known = s.counters[DOWNSETS]
            child_downset = np.int64(find_downset(s, done, s.size[d] + 1))
            if child_downset == known and table.rows > 0:
                s.row[known] = locate(table.done, table.slots, done)
                s.live[known] = live_bytes(t, done)
        ahead = 0
        if table.rows > 0:
            ahead = ahead_of(t, table, s.row[child_downset], s.live[child_downset], c.resident[k], c.clean[k])
        f = max(cost + ahead, s.cost[i] + s.ahead[i])
        if f >= upper:
            continue
        j = find_state(s, child_downset, c.resident[k], c.clean[k])
        if cost < s.cost[j]:
            s.cost[j] = cost
            s.ahead[j] = f - cost
            s.is_closed[j] = False
            s.parent[j] = i
            s.op[j] = last
            push(s, f * (n + 1) + n - s.size[child_downset], j)


@compiled
def _start(s, t):
    done = np.zeros(s.done.shape[1], np.uint64)
    nobody = np.zeros(s.resident.shape[1], np.uint64)
    i = find_state(s, find_downset(s, done, 0), nobody, nobody)
    s.cost[i] = 0
    s.ahead[i] = 0
    s.parent[i] = -1
    s.counters[GOAL] = -1
    push(s, np.int64(len(t.need)), i)


@compiled
def _search(s, t, c, table, upper, pops):
    """Pop up to `pops` states; the status, bound and goal are left in `counters`."""
    n = len(t.need)
    done = np.zeros(s.done.shape[1], np.uint64)
    s.counters[STATUS] = 0
    work = 0
    while work < pops:
        if s.counters[HEAP] == 0 or s.heap_key[0] // (n + 1) >= upper:
            s.counters[STATUS] = DONE
            s.counters[BOUND] = upper
            return
        free = min(len(s.cost) - max(s.counters[STATES], s.counters[DOWNSETS]), len(s.heap_key) - s.counters[HEAP])
        if free < len(c.op):
            s.counters[STATUS] = FULL
            return
        f = s.heap_key[0] // (n + 1)
        i = pop(s)
        d = s.downset[i]
        if s.cost[i] + s.ahead[i] != f or s.is_closed[i]:
            continue
        s.counters[BOUND] = max(s.counters[BOUND], f)
        s.counters[POPS] += 1
        work += 1
        if s.size[d] == n:
            s.counters[GOAL] = i
            s.counters[STATUS] = DONE
            return
        if _is_dominated(t, s, i):
            s.is_closed[i] = True
            continue
        count = expand(t, s.done[d], s.resident[i], s.clean[i], c)
        if count < 0:
            push(s, f * (n + 1) + n - s.size[d], i)
            s.counters[STATUS] = CROWDED
            return
        s.is_closed[i] = True
        if s.closed[i] == 0:
            s.closed[i] = s.first_closed[d] + 1
            s.first_closed[d] = i + 1
        work += count >> 4
        _insert_children(s, t, c, table, count, i, upper, done)


class Search:
    """One direction of the exact search over a piece; resumable."""

    def __init__(self, piece: Piece) -> None:
        self.piece = piece
        self.tables = tables(piece)
        self.children: Children = room(self.tables, CHILDREN)
        self.table = nothing_ahead(self.tables)
        self.store = empty_store(self.tables, FIRST_ROWS)
        self.path: tuple[tuple[int, ...], list[list[bool]]] | None = None
        """the order found and what it keeps, once the optimum is proved by a plan cheaper than the upper bound"""
        self.is_done = False
        self.is_stuck = False
        _start(self.store, self.tables)

    def look_ahead(self, most_downsets: int) -> bool:
        """Start again with the table of what is still to be paid, if the piece has no more downsets than this."""
        table = find_ahead(self.tables, most_downsets)
        if table is not None:
            self.table = table
            self.store = empty_store(self.tables, FIRST_ROWS)
            _start(self.store, self.tables)
        return table is not None

    def price(self, prices: Prices) -> None:
        """Start again with prices, which are those of its table."""
        self.table = prices.told(self.table)
        self.store = empty_store(self.tables, FIRST_ROWS)
        self.is_stuck = False
        _start(self.store, self.tables)

    @property
    def bound(self) -> int:
        """A proved lower bound on every plan [bytes], or the upper bound it was run with, if none is cheaper."""
        return int(self.store.counters[BOUND])

    @property
    def pops(self) -> int:
        """States taken up so far."""
        return int(self.store.counters[POPS])

    @property
    def memory_bytes(self) -> int:
        """Bytes of its tables."""
        return len(self.store.cost) * row_bytes(self.tables)

    def run(self, upper: int, pops: int, memory_bytes: int) -> None:
        """Go on for about so many states, looking for plans cheaper than `upper`, its tables within the memory."""
        _search(self.store, self.tables, self.children, self.table, upper, pops)
        status = self.store.counters[STATUS]
        rows, most = len(self.store.cost), memory_bytes // row_bytes(self.tables)
        if status == FULL and rows * 5 // 4 < most:
            self.grow(min(4 * rows, most, 2**30))
        elif status in (FULL, CROWDED):
            self.is_stuck = True
        self.is_done = status == DONE
        if self.store.counters[GOAL] >= 0:
            self.path = self._read_path(int(self.store.counters[GOAL]))

    def drop(self) -> None:
        """Give up this direction, and its memory."""
        self.store = empty_store(self.tables, 1)
        self.is_stuck = True

    def grow(self, rows: int) -> None:
        """Make room for so many states."""
        self.store = grown(self.store, self.tables, rows)

    def _read_path(self, state: int) -> tuple[tuple[int, ...], list[list[bool]]]:
        states = []
        while state >= 0:
            states.append(state)
            state = int(self.store.parent[state])
        states.reverse()
        order = tuple(int(self.store.op[i]) for i in states[1:])
        kept: list[list[bool]] = [[] for _ in self.piece.tensors]
        seen = [0] * len(self.piece.tensors)
        for i, op in zip(states[1:], order, strict=True):
            touched = self.piece.touched[op]
            for tensor in touched:
                seen[tensor] += 1
                if seen[tensor] > 1:
                    kept[tensor].append(True)
            row = self.store.resident[i]
            for tensor, uses in enumerate(self.piece.uses):
                if 0 < seen[tensor] < len(uses) and not int(row[tensor >> 6]) >> (tensor & 63) & 1:
                    kept[tensor].append(False)
        return order, [_merged(flags) for flags in kept]


def _merged(flags: list[bool]) -> list[bool]:
    """One flag for each gap from the marks along a path: a gap ends with True at the touch, after a False for each
    state in which the tensor was out."""
    gaps, out = [], False
    for flag in flags:
        if flag:
            gaps.append(not out)
            out = False
        else:
            out = True
    return gaps
