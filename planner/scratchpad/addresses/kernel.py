"""The compiled depth-first search over layouts in which nothing can sink; `canonical.py` says what it does and why.

Arrays are int64 unless said otherwise. `value[b]` is 2 x (least offset of b) + (1 if b was postponed and nothing placed
holds it up), and -1 once b is placed.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..compiled import compiled

OPEN, FOUND, EXHAUSTED, FULL = 0, 1, 2, 3
"""What `search` returns: out of nodes, a layout, a proof that there is none, no room left for trail or choices"""

TRAIL, CHOICES, FRAMES, FAILING, NODES, OVERFULL = 0, 1, 2, 3, 4, 5
"""Places in the array of counters"""

NAMED = 4096
"""In longer lists of buffers states are not remembered: their names would cost more than the rest"""


class Instance(NamedTuple):
    """What does not change: buffers sorted by their first clique, maximal cliques in order of time."""

    capacity: int
    size: Any
    first: Any
    last: Any
    """buffer b is in cliques first[b] <= k < last[b]"""
    start: Any
    neighbour: Any
    """int32; neighbours of b at start[b] <= i < start[b + 1]"""
    twin: Any
    """the next buffer with the same stretch and size, or -1"""
    member_start: Any
    """members of clique k at member_start[k] <= i < member_start[k + 1]"""


class State(NamedTuple):
    """What changes along the search, and what is kept from one search to the next (`failed`, `blame`)."""

    count: Any
    value: Any
    offset: Any
    dirty: Any
    """cliques to look at again"""
    queue: Any
    queued: Any
    member: Any
    """within each clique in no fixed order"""
    trail: Any
    """rows: buffer, its value before"""
    choice: Any
    """rows: buffer, length of the trail, whether its second branch is taken"""
    choice_key: Any
    """uint64, two words a row: the state in which it was made"""
    frame: Any
    """rows: a group of buffers from, to, and the number of choices made before it"""
    failed: Any
    """uint64, two words a row: states without a layout"""
    blame: Any
    """float64: how often each clique was the one that did not fit"""


@compiled
def _set(g, s, b, new):
    top = s.count[TRAIL]
    if top >= s.trail.shape[0]:
        s.count[OVERFULL] = 1
        return
    s.trail[top, 0] = b
    s.trail[top, 1] = s.value[b]
    s.count[TRAIL] = top + 1
    s.value[b] = new
    for k in range(g.first[b], g.last[b]):
        s.dirty[k] = 1


@compiled
def _enqueue(s, b, tail):
    if s.queued[b]:
        return tail
    s.queued[b] = 1
    s.queue[tail % s.queue.shape[0]] = b
    return tail + 1


@compiled
def _support(g, s, b):
    """Equation (42): the lowest top that a neighbour still to be placed can have; -1 if there is no such neighbour."""
    least = np.int64(-1)
    for i in range(g.start[b], g.start[b + 1]):
        d = g.neighbour[i]
        if s.value[d] >= 0:
            top = (s.value[d] >> 1) + g.size[d]
            if least < 0 or top < least:
                least = top
    return least


@compiled
def _follow(g, s, b, tail):
    """Raise what follows at once from a change of `b`; the new end of the queue, -1 on a contradiction."""
    if s.value[b] >= 0:
        top = (s.value[b] >> 1) + g.size[b]
        if top > g.capacity:
            return -1
        twin = g.twin[b]
        if twin >= 0 and s.value[twin] >> 1 < top:
            _set(g, s, twin, 2 * top + (s.value[twin] & 1))
            tail = _enqueue(s, twin, tail)
    for i in range(g.start[b], g.start[b + 1]):
        c = g.neighbour[i]
        if s.value[c] >= 0 and s.value[c] & 1:
            support = _support(g, s, c)
            if support < 0:
                return -1
            if support > s.value[c] >> 1:
                _set(g, s, c, 2 * support + 1)
                tail = _enqueue(s, c, tail)
    return tail


@compiled
def _propagate(g, s, tail):
    """Draw what follows from the `tail` buffers in the queue; False on a contradiction."""
    head = 0
    while head < tail:
        b = s.queue[head % s.queue.shape[0]]
        s.queued[b] = 0
        head += 1
        tail = _follow(g, s, b, tail)
        if tail < 0 or s.count[OVERFULL]:
            s.queued[:] = 0
            s.dirty[:] = 0
            return False
    for k in range(s.dirty.shape[0]):
        if s.dirty[k]:
            s.dirty[k] = 0
            if not _fits(g, s, k):
                s.blame[k] += 1.0
                s.dirty[:] = 0
                return False
    return True


@compiled
def _fits(g, s, k):
    """Equation (43): stacked by least offset, what clique k still has to place ends below the capacity."""
    lo = g.member_start[k]
    used = lo
    for i in range(lo, g.member_start[k + 1]):
        b = s.member[i]
        v = s.value[b]
        if v < 0:
            continue
        # an insertion sort in place: the order of the time before is nearly right, and placed members drift to the end
        s.member[i] = s.member[used]
        j = used - 1
        while j >= lo and s.value[s.member[j]] > v:
            s.member[j + 1] = s.member[j]
            j -= 1
        s.member[j + 1] = b
        used += 1
    end = np.int64(0)
    for i in range(lo, used):
        b = s.member[i]
        end = max(end, s.value[b] >> 1) + g.size[b]
    return end <= g.capacity


@compiled
def _place(g, s, b):
    """Place `b` at its least offset; False on a contradiction."""
    s.offset[b] = s.value[b] >> 1
    top = s.offset[b] + g.size[b]
    _set(g, s, b, -1)
    tail = _enqueue(s, b, 0)
    for i in range(g.start[b], g.start[b + 1]):
        c = g.neighbour[i]
        if 0 <= s.value[c] < 2 * top or s.value[c] == 2 * top + 1:
            _set(g, s, c, 2 * top)
            tail = _enqueue(s, c, tail)
    return _propagate(g, s, tail)


@compiled
def _postpone(g, s, b):
    """Put `b` off: it will lie on a neighbour that is still to be placed. False on a contradiction."""
    support = _support(g, s, b)
    if support < 0:
        return False
    _set(g, s, b, 2 * max(support, s.value[b] >> 1) + 1)
    return _propagate(g, s, _enqueue(s, b, 0))


@compiled
def _mix(x):
    """Spread the bits of a word (the finaliser of splitmix64)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@compiled
def _next_group(g, s, lo, hi, rank, key):
    """The first group among lo <= b < hi that hangs together in time and is still to be placed: from (-1 if none is
    left), to, and its buffer of least offset, ties by rank. Sets `key` to the name of the group's state, or to 0."""
    begin, end, reach = np.int64(-1), hi, np.int64(0)
    best, least = np.int64(-1), np.int64(0)
    one, two = np.uint64(0), np.uint64(0)
    for b in range(lo, hi):
        v = s.value[b]
        if v < 0:
            continue
        if begin < 0:
            begin = b
        elif g.first[b] >= reach:
            end = b
            break
        reach = max(reach, g.last[b])
        if best < 0 or v >> 1 < least or (v >> 1 == least and rank[b] < rank[best]):
            best, least = b, v >> 1
        if hi - lo > NAMED:
            continue
        token = _mix(np.uint64(v) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(b + 1))
        one ^= token
        two += _mix(token + np.uint64(0x5851F42D4C957F2D))
    key[0], key[1] = one, two
    return begin, end, best


@compiled
def _backtrack(g, s):
    """Undo to the last choice with a branch left and take it; False if there is none."""
    mask = np.uint64(s.failed.shape[0] - 1)
    while s.count[CHOICES] > 0:
        at = s.count[CHOICES] - 1
        for top in range(s.count[TRAIL] - 1, s.choice[at, 1] - 1, -1):
            s.value[s.trail[top, 0]] = s.trail[top, 1]
        s.count[TRAIL] = s.choice[at, 1]
        while s.frame[s.count[FRAMES] - 1, 2] > at:
            s.count[FRAMES] -= 1
        if s.choice[at, 2] == 0:
            s.choice[at, 2] = 1
            if _postpone(g, s, s.choice[at, 0]) or s.count[OVERFULL]:
                return True
            continue
        if s.choice_key[at, 0] != 0:
            s.failed[s.choice_key[at, 0] & mask] = s.choice_key[at]
        s.count[CHOICES] = at
    return False


@compiled
def _choose(s, b, key):
    at = s.count[CHOICES]
    s.choice[at, 0] = b
    s.choice[at, 1] = s.count[TRAIL]
    s.choice[at, 2] = 0
    s.choice_key[at] = key
    s.count[CHOICES] = at + 1


@compiled
def _enter(s, begin, end):
    """From here on, only this group: what was chosen before is not to blame for how it is placed."""
    top = s.count[FRAMES]
    s.frame[top, 0] = begin
    s.frame[top, 1] = end
    s.frame[top, 2] = s.count[CHOICES]
    s.count[FRAMES] = top + 1


@compiled
def begin(g, s):
    """The first deductions; False if there is no layout."""
    s.dirty[:] = 1
    tail = 0
    for b in range(s.value.shape[0]):
        tail = _enqueue(s, b, tail)
    _enter(s, 0, s.value.shape[0])
    return _propagate(g, s, tail)


@compiled
def search(g, s, rank, nodes):
    """Go on with the search for so many nodes more."""
    mask = np.uint64(s.failed.shape[0] - 1)
    key = np.zeros(2, np.uint64)
    stop = s.count[NODES] + nodes
    while s.count[NODES] < stop:
        if s.count[FAILING]:
            s.count[FAILING] = 0
            if not _backtrack(g, s):
                return EXHAUSTED
        if s.count[OVERFULL]:
            return FULL
        top = s.count[FRAMES] - 1
        group, end, b = _next_group(g, s, s.frame[top, 0], s.frame[top, 1], rank, key)
        if group < 0:
            # the whole group is placed: its choices never need to be changed
            s.count[CHOICES] = s.frame[top, 2]
            s.count[FRAMES] = top
            if top == 0:
                return FOUND
            continue
        if end < s.frame[top, 1]:
            _enter(s, group, end)
        s.count[NODES] += 1
        known = s.failed[key[0] & mask]
        if key[0] != 0 and known[0] == key[0] and known[1] == key[1]:
            s.count[FAILING] = 1
            continue
        if s.count[CHOICES] >= s.choice.shape[0]:
            return FULL
        _choose(s, b, key)
        s.count[FAILING] = 0 if _place(g, s, b) else 1
    return OPEN
