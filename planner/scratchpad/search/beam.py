"""A beam over the states of the exact search: upper bounds where the search itself does not end.

Layer by layer of executed operators the best states are kept, by what is paid and, weighted, what is resident: bytes
that still want room. It proves nothing.
"""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np

from ..compiled import compiled
from .bits import NONE, ONE, add
from .moves import Children, expand, mimics, room
from .store import mix_row, same
from .tables import Ints, Tables, Words, words

SPREAD = 12
"""candidates for the next layer, per place in it"""
CHILDREN = 1 << 13
PARTS = 64
"""of the layers, after each of which the time is looked at; at the start more often"""
SCANNED = 500
"""states of a downset that are tried as dominators, newest first"""


class Layer(NamedTuple):
    """States of one layer, or candidates for the next."""

    done: Words
    resident: Words
    clean: Words
    cost: Ints
    parent: Ints
    op: Ints


def _layer(t: Tables, states: int) -> Layer:
    n, m = words(len(t.need)), words(len(t.size))
    return Layer(
        np.zeros((states, n), np.uint64),
        np.zeros((states, m), np.uint64),
        np.zeros((states, m), np.uint64),
        np.zeros(states, np.int64),
        np.zeros(states, np.int64),
        np.zeros(states, np.int64),
    )


def beam_order(
    t: Tables, width: int, weight: float, seed: int, upper: int, spare_s: float = np.inf
) -> tuple[int, tuple[int, ...]] | None:
    """Bytes of the best plan that a beam of this width meets, and its order; None if none is below `upper`, or once it
    is clear that the time [s] will not do.

    `weight` is what a resident byte counts beside a paid one; `seed` breaks ties.
    """
    children: Children = room(t, CHILDREN)
    slots = np.zeros(1 << (2 * SPREAD * width).bit_length(), np.int64)
    n = len(t.need)
    parents, ops = np.zeros((n, width), np.int32), np.zeros((n, width), np.int32)
    now, following = _layer(t, width), _layer(t, SPREAD * width)
    begin, count, last = time.perf_counter(), 1, 0
    while last < n:
        first, last = last, min(n, 2 * last + 1, last + -(-n // PARTS))
        count = _run(
            t, children, now, following, slots, parents, ops, weight, np.uint64(seed), upper, first, last, count
        )
        if count == 0 or (time.perf_counter() - begin) * n > spare_s * last:
            return None
    order, at = [], 0
    for layer in range(n - 1, -1, -1):
        order.append(int(ops[layer, at]))
        at = int(parents[layer, at])
    return int(now.cost[0]), tuple(reversed(order))


@compiled
def _put(t, c, k, now, i, following, found, slots):
    """Add child k of state i to the candidates unless it is there as cheaply; returns how many there are."""
    done, cost = following.done[found], now.cost[i] + c.cost[k]
    done[:] = now.done[i]
    add(done, c.op[k])
    h = mix_row(done, mix_row(c.resident[k], mix_row(c.clean[k], NONE)))
    place = np.int64(h & np.uint64(len(slots) - 1))
    j = found
    while slots[place] != 0:
        q = slots[place] - 1
        alike = same(following.done[q], done) and same(following.resident[q], c.resident[k])
        if alike and same(following.clean[q], c.clean[k]):
            if following.cost[q] <= cost:
                return found
            j = q
            break
        place = (place + 1) & (len(slots) - 1)
    slots[place] = j + 1
    following.resident[j] = c.resident[k]
    following.clean[j] = c.clean[k]
    following.cost[j] = cost
    following.parent[j] = i
    following.op[j] = c.op[k]
    return max(found, j + 1)


@compiled
def _keys(t, following, found, weight, seed):
    """What candidates are ranked by."""
    keys = np.empty(found, np.float64)
    for j in range(found):
        wanted = 0
        for a in range(len(t.size)):
            if (following.resident[j, a >> 6] >> np.uint64(a & 63)) & ONE != NONE:
                wanted += t.reload[a]
        noise = mix_row(following.resident[j], mix_row(following.done[j], seed)) >> np.uint64(40)
        keys[j] = following.cost[j] + weight * wanted + 1e-8 * np.float64(noise)
    return keys


@compiled
def _is_dominated(t, now, following, j, slots, chain, place):
    """Whether a candidate is dominated by one taken before it; if not it is chained to those of its downset."""
    slot = np.int64(mix_row(following.done[j], NONE) & np.uint64(len(slots) - 1))
    while slots[slot] != 0 and not same(now.done[slots[slot] - 1], following.done[j]):
        slot = (slot + 1) & (len(slots) - 1)
    p, tried = slots[slot], 0
    while p > 0 and tried < SCANNED:
        spare = following.cost[j] - now.cost[p - 1]
        if spare >= 0 and mimics(
            t, now.resident[p - 1], now.clean[p - 1], following.resident[j], following.clean[j], spare
        ):
            return True
        p = chain[p - 1]
        tried += 1
    chain[place] = slots[slot]
    slots[slot] = place + 1
    return False


@compiled
def _run(t, c, now, following, slots, parents, ops, weight, seed, upper, first, last, count):
    """Go on from `count` states of layer `first` up to layer `last`; returns how many states that has."""
    width = parents.shape[1]
    chain = np.zeros(width, np.int64)
    for layer in range(first, last):
        slots[:] = 0
        found = 0
        for i in range(count):
            children = expand(t, now.done[i], now.resident[i], now.clean[i], c)
            if found + children >= len(following.cost):
                break
            for k in range(children):
                if now.cost[i] + c.cost[k] < upper:
                    found = _put(t, c, k, now, i, following, found, slots)
        if found == 0:
            return 0
        best = np.argsort(_keys(t, following, found, weight, seed))
        slots[:] = 0
        count = 0
        for rank in range(found):
            j, place = best[rank], count
            if count == width:
                break
            if _is_dominated(t, now, following, j, slots, chain, count):
                continue
            count += 1
            now.done[place] = following.done[j]
            now.resident[place] = following.resident[j]
            now.clean[place] = following.clean[j]
            now.cost[place] = following.cost[j]
            parents[layer, place] = following.parent[j]
            ops[layer, place] = following.op[j]
    return count
