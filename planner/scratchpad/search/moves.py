"""The children of a state (E, R, C), compiled: what may happen when one more operator runs.

E are the operators that have run, R the tensors of use before and after that are resident, C those of R whose write is
paid. Leaving costs the reload at once, and the write if it is not paid (23); coming back is then free.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..compiled import compiled
from .bits import NONE, ONE, add, drop, has, place
from .tables import Ints, Tables, Words, words


class Children(NamedTuple):
    """Children of one state, and the room to find them in."""

    op: Ints
    resident: Words
    clean: Words
    cost: Ints
    left: Ints
    """by tensor: uses to come"""
    others: Ints
    """residents, by falling size"""
    own: NDArray[np.bool_]
    """by place in `others`: whether the operator touches it"""
    forbidden: Words
    chosen: Ints
    demanded: Words
    suffix: Ints


def room(t: Tables, children: int) -> Children:
    """Room for so many children."""
    m = len(t.size)
    return Children(
        np.empty(children, np.int64),
        np.empty((children, words(m)), np.uint64),
        np.empty((children, words(m)), np.uint64),
        np.empty(children, np.int64),
        np.empty(m + 1, np.int64),
        np.empty(m + 1, np.int64),
        np.empty(m + 1, np.bool_),
        np.empty(65, np.uint64),
        np.empty(m + 1, np.int64),
        np.empty(m + 2, np.uint64),
        np.empty(m + 2, np.int64),
    )


@compiled
def leaving(t, clean, a):
    """Bytes charged when tensor a leaves: its reload, and its write if not yet paid (23)."""
    return t.reload[a] if has(clean, a) else t.reload[a] + t.write[a]


@compiled
def is_ready(t, done, v):
    """Whether v has not run and all before it have."""
    if has(done, v):
        return False
    for w in range(len(done)):  # noqa: SIM110 (compiled)
        if t.before[v, w] & ~done[w] != NONE:
            return False
    return True


@compiled
def count_uses(t, done, c):
    """Fill `left`: the uses of each tensor that are to come."""
    for a in range(len(t.size)):
        uses = 0
        for k in range(t.use_start[a], t.use_start[a + 1]):
            if not has(done, t.use[k]):
                uses += 1
        c.left[a] = uses


@compiled
def list_residents(t, resident, c):
    """Fill `others` with all residents, by falling size; returns how many."""
    k = 0
    for w in range(len(resident)):
        bits = resident[w]
        while bits != NONE:
            low = bits & (~bits + ONE)
            bits ^= low
            a, j = (w << 6) + place(low), k - 1
            while j >= 0 and t.size[c.others[j]] < t.size[a]:
                c.others[j + 1] = c.others[j]
                j -= 1
            c.others[j + 1] = a
            k += 1
    return k


@compiled
def excess(t, resident, c, k, v):
    """Bytes that must leave before v runs, of the k residents."""
    total = t.need[v] - t.capacity
    for i in range(k):
        total += t.size[c.others[i]]
    for i in range(t.touch_start[v], t.touch_start[v + 1]):
        if has(resident, t.touch[i]):
            total -= t.size[t.touch[i]]
    return total


@compiled
def runs_at_once(t, resident, clean, c, k, v):
    """Whether v, ready, may be the only child (24).

    Nothing needs to leave, all it touches that has been touched before is resident, and what it starts, if anything,
    takes the place of something that ends: no larger than the smallest of these, no dearer to evict than all of
    them, and not used elsewhere before v. Any plan from here, v moved to the front, then costs no more.
    """
    started, started_cost, least_ending, ending_cost = 0, 0, np.int64(2**62), 0
    for i in range(t.touch_start[v], t.touch_start[v + 1]):
        a = t.touch[i]
        uses = t.use_start[a + 1] - t.use_start[a]
        if c.left[a] == uses:
            started += t.size[a]
            started_cost += t.reload[a] + t.write[a]
            for u in range(t.use_start[a], t.use_start[a + 1]):
                if not has(t.ancestors[t.use[u]], v):
                    return False
        elif not has(resident, a):
            return False
        elif c.left[a] == 1:
            least_ending = min(least_ending, t.size[a])
            ending_cost += leaving(t, clean, a)
    if started > 0 and (least_ending == 2**62 or started > least_ending or started_cost > ending_cost):
        return False
    return excess(t, resident, c, k, v) <= 0


@compiled
def keeps_rather(t, done, clean, c, x, y):
    """Order-free Belady (25): whether evicting x and keeping y, of equal size, is never better than the converse.

    Every use of y to come is, or has before it, a use of x; evicting y costs no more; and x gains nothing for later.
    """
    if t.size[x] != t.size[y] or leaving(t, clean, y) > leaving(t, clean, x):
        return False
    if t.write[x] > 0 and not has(clean, x) and c.left[x] > 1:
        return False
    for i in range(t.use_start[y], t.use_start[y + 1]):
        u = t.use[i]
        if has(done, u):
            continue
        found = False
        for k in range(t.use_start[x], t.use_start[x + 1]):
            if not has(done, t.use[k]) and has(t.ancestors[u], t.use[k]):
                found = True
                break
        if not found:
            return False
    return True


@compiled
def fill_forbidden(t, done, clean, c, k):
    """`forbidden[i]`: the others that must leave too if the i-th does; of two that are alike the first leaves."""
    for i in range(k):
        c.forbidden[i] = NONE
    for i in range(k):
        for j in range(k):
            if i != j and keeps_rather(t, done, clean, c, c.others[i], c.others[j]):
                alike = j > i and keeps_rather(t, done, clean, c, c.others[j], c.others[i])
                if not alike:
                    c.forbidden[i] |= ONE << np.uint64(j)


@compiled
def put_child(t, resident, clean, c, n, v, depth):
    """Write child n: the first `depth` of `chosen`, indices of `others`, leave, then v runs."""
    cost = 0
    c.op[n] = v
    after, paid = c.resident[n], c.clean[n]
    for w in range(len(resident)):
        after[w], paid[w] = resident[w], clean[w]
    for i in range(depth):
        a = c.others[c.chosen[i]]
        cost += leaving(t, clean, a)
        drop(after, a)
        drop(paid, a)
    for i in range(t.touch_start[v], t.touch_start[v + 1]):
        a = t.touch[i]
        if c.left[a] == 1:
            drop(after, a)
            drop(paid, a)
            continue
        if c.left[a] < t.use_start[a + 1] - t.use_start[a] and not has(resident, a) and t.write[a] > 0:
            add(paid, a)
        add(after, a)
    c.cost[n] = cost


@compiled
def fill_suffix(t, c, v, k):
    """Mark in `own` which of the k residents v touches, and fill `suffix`: the bytes of the others from each on.

    Returns the marks of the first 64 as bits.
    """
    bits = NONE
    c.suffix[k] = 0
    for i in range(k - 1, -1, -1):
        c.own[i] = False
        for q in range(t.touch_start[v], t.touch_start[v + 1]):
            if t.touch[q] == c.others[i]:
                c.own[i] = True
                bits |= ONE << np.uint64(i & 63)
                break
        c.suffix[i] = c.suffix[i + 1] + (0 if c.own[i] else t.size[c.others[i]])
    return bits


@compiled
def put_evictions(t, resident, clean, c, n, v, over, k):
    """Write a child for each inclusion-minimal set of at least `over` bytes of the k residents that v does not touch;
    returns their count, -1 if there is no room for them.

    Taken by falling size, a set is minimal just when its sum passes `over` with the last that was taken.
    """
    others = c.others
    ruled = k <= 64
    free = ~fill_suffix(t, c, v, k)
    depth, total, i, taken = 0, 0, 0, NONE
    c.demanded[0] = NONE
    while True:
        passed = (ONE << np.uint64(i)) - ONE if i < 64 else ~NONE
        alive = i < k and total + c.suffix[i] >= over
        if alive and ruled and c.demanded[depth] & passed & free & ~taken != NONE:
            alive = False
        if not alive:
            if depth == 0:
                return n
            depth -= 1
            i = c.chosen[depth]
            total -= t.size[others[i]]
            taken &= ~(ONE << np.uint64(i & 63))
            i += 1
            continue
        if c.own[i] or (ruled and c.forbidden[i] & passed & free & ~taken != NONE):
            i += 1
            continue
        c.chosen[depth] = i
        if total + t.size[others[i]] < over:
            total += t.size[others[i]]
            taken |= ONE << np.uint64(i & 63)
            c.demanded[depth + 1] = c.demanded[depth] | (c.forbidden[i] if ruled else NONE)
            depth += 1
        elif not ruled or (c.demanded[depth] | c.forbidden[i]) & free & ~(taken | ONE << np.uint64(i)) == NONE:
            if n == len(c.op):
                return -1
            put_child(t, resident, clean, c, n, v, depth + 1)
            n += 1
        i += 1


@compiled
def expand(t, done, resident, clean, c):
    """Write all children of a state; returns their count, -1 if there is no room for them."""
    count_uses(t, done, c)
    operators, k = len(t.need), list_residents(t, resident, c)
    for v in range(operators):
        if is_ready(t, done, v) and runs_at_once(t, resident, clean, c, k, v):
            put_child(t, resident, clean, c, 0, v, 0)
            return 1
    n, is_ruled = 0, k > 64
    for v in range(operators):
        if not is_ready(t, done, v):
            continue
        over = excess(t, resident, c, k, v)
        if over <= 0:
            if n == len(c.op):
                return -1
            put_child(t, resident, clean, c, n, v, 0)
            n += 1
        else:
            if not is_ruled:
                fill_forbidden(t, done, clean, c, k)
                is_ruled = True
            n = put_evictions(t, resident, clean, c, n, v, over, k)
            if n < 0:
                return -1
    return n


@compiled
def mimics(t, resident, clean, other_resident, other_clean, spare):
    """Whether a state can pay what sets it apart from another of the same downset out of `spare` bytes (27)."""
    for w in range(len(resident)):
        extra = resident[w] & ~other_resident[w]
        rest = extra | (resident[w] & other_clean[w] & ~clean[w])
        while rest != NONE:
            low = rest & (~rest + ONE)
            rest ^= low
            a = (w << 6) + place(low)
            spare -= leaving(t, clean, a) if extra & low != NONE else t.write[a]
            if spare < 0:
                return False
    return True
