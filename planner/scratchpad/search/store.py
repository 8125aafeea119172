"""What the exact search remembers: states, downsets, a hash table of each and a heap; compiled, of bounded size."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..compiled import compiled
from .bits import NONE, ONE
from .tables import Ints, Tables, Words, words

STATES, DOWNSETS, HEAP, BOUND, GOAL, POPS, STATUS = range(7)
"""Places in `counters`."""
RUNNING, DONE, FULL, CROWDED = range(4)
"""Statuses: DONE when no plan cheaper than the upper bound is left, FULL when rows ran out, CROWDED when one state has
too many children."""


class Store(NamedTuple):
    """Rows by state and by downset (set of operators closed under precedence)."""

    resident: Words
    clean: Words
    cost: Ints
    downset: Ints
    parent: Ints
    op: Ints
    closed: Ints
    """the next closed state of the same downset plus 2, 1 at the end; 0 if not among them"""
    is_closed: NDArray[np.bool_]
    ahead: Ints
    """by state: a lower bound on what is still to be paid"""
    slots: Ints
    """hash table: state + 1"""
    heap_key: Ints
    heap_state: Ints
    done: Words
    size: Ints
    """by downset: operators in it"""
    first_closed: Ints
    """by downset: its last closed state plus 1"""
    row: Ints
    """by downset: its row in the table of what is ahead"""
    live: Ints
    """by downset: bytes of the tensors touched before and after"""
    downset_slots: Ints
    counters: Ints


def empty_store(t: Tables, rows: int) -> Store:
    """A store for so many states."""
    m, n = words(len(t.size)), words(len(t.need))
    slots = 1 << (2 * rows - 1).bit_length()
    return Store(
        np.empty((rows, m), np.uint64),
        np.empty((rows, m), np.uint64),
        np.empty(rows, np.int64),
        np.empty(rows, np.int32),
        np.empty(rows, np.int32),
        np.empty(rows, np.int16 if len(t.need) < 2**15 else np.int32),
        np.zeros(rows, np.int32),
        np.zeros(rows, np.bool_),
        np.empty(rows, np.int64),
        np.zeros(slots, np.int32),
        np.empty(rows + rows // 2, np.int64),
        np.empty(rows + rows // 2, np.int32),
        np.empty((rows, n), np.uint64),
        np.empty(rows, np.int32),
        np.zeros(rows, np.int32),
        np.zeros(rows, np.int32),
        np.zeros(rows, np.int64),
        np.zeros(slots, np.int32),
        np.zeros(7, np.int64),
    )


def row_bytes(t: Tables) -> int:
    """Bytes of memory per state, at most: downsets are counted as if each state had its own."""
    return 16 * words(len(t.size)) + 8 * words(len(t.need)) + 8 + 4 + 4 + 4 + 4 + 9 + 16 + 18 + 4 + 4 + 12 + 16


def grown(store: Store, t: Tables, rows: int) -> Store:
    """The same contents with more rows."""
    new = empty_store(t, rows)
    for old, fresh in zip(store, new, strict=True):
        if old is not store.slots and old is not store.downset_slots:
            fresh[: len(old)] = old
    rehash(new)
    return new


@compiled
def rehash(s):
    """Fill the hash tables from the rows."""
    for d in range(s.counters[DOWNSETS]):
        place = np.int64(mix_row(s.done[d], NONE) & np.uint64(len(s.downset_slots) - 1))
        while s.downset_slots[place] != 0:
            place = (place + 1) & (len(s.downset_slots) - 1)
        s.downset_slots[place] = d + 1
    for i in range(s.counters[STATES]):
        place = _state_hash(s, s.downset[i], s.resident[i], s.clean[i])
        while s.slots[place] != 0:
            place = (place + 1) & (len(s.slots) - 1)
        s.slots[place] = i + 1


@compiled(inline="always")
def _mix(h, word):
    h = (h ^ word) * np.uint64(0x9E3779B97F4A7C15)
    return h ^ (h >> np.uint64(29))


@compiled
def mix_row(row, h):
    """A hash of a row, from another."""
    for w in range(len(row)):
        h = _mix(h, row[w])
    return _mix(h, ONE)


@compiled
def _state_hash(s, d, resident, clean):
    h = mix_row(clean, mix_row(resident, np.uint64(d)))
    return np.int64(h & np.uint64(len(s.slots) - 1))


@compiled
def same(a, b):
    """Whether two rows are equal."""
    for w in range(len(a)):  # noqa: SIM110 (compiled)
        if a[w] != b[w]:
            return False
    return True


@compiled
def find_downset(s, done, size):
    """The downset with these operators, added if new."""
    place = np.int64(mix_row(done, NONE) & np.uint64(len(s.downset_slots) - 1))
    while s.downset_slots[place] != 0:
        d = s.downset_slots[place] - 1
        if same(s.done[d], done):
            return d
        place = (place + 1) & (len(s.downset_slots) - 1)
    d = s.counters[DOWNSETS]
    s.counters[DOWNSETS] = d + 1
    s.downset_slots[place] = d + 1
    s.done[d] = done
    s.size[d] = size
    return d


@compiled
def find_state(s, d, resident, clean):
    """The state of a downset with these tensors, added with a cost beyond all if new."""
    place = _state_hash(s, d, resident, clean)
    while s.slots[place] != 0:
        i = s.slots[place] - 1
        if s.downset[i] == d and same(s.resident[i], resident) and same(s.clean[i], clean):
            return i
        place = (place + 1) & (len(s.slots) - 1)
    i = s.counters[STATES]
    s.counters[STATES] = i + 1
    s.slots[place] = i + 1
    s.resident[i] = resident
    s.clean[i] = clean
    s.downset[i] = d
    s.cost[i] = 2**62
    s.closed[i] = 0
    return i


@compiled
def push(s, key, state):
    """Put a state on the heap."""
    i = s.counters[HEAP]
    s.counters[HEAP] = i + 1
    while i > 0:
        up = (i - 1) >> 1
        if s.heap_key[up] <= key:
            break
        s.heap_key[i], s.heap_state[i] = s.heap_key[up], s.heap_state[up]
        i = up
    s.heap_key[i], s.heap_state[i] = key, state


@compiled
def pop(s):
    """Take the state of the least key off the heap, whose key is at its top."""
    state = s.heap_state[0]
    last = s.counters[HEAP] - 1
    s.counters[HEAP] = last
    key, moved, i = s.heap_key[last], s.heap_state[last], 0
    while True:
        down = 2 * i + 1
        if down >= last:
            break
        if down + 1 < last and s.heap_key[down + 1] < s.heap_key[down]:
            down += 1
        if s.heap_key[down] >= key:
            break
        s.heap_key[i], s.heap_state[i] = s.heap_key[down], s.heap_state[down]
        i = down
    s.heap_key[i], s.heap_state[i] = key, moved
    return state
