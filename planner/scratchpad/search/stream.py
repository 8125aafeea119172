"""What every plan pays at least, over all downsets layer by layer: twenty-eight million of them need 0.3 GB.

As (28) and (29), but reloads and writes along one and the same order, and forward, so that two layers of downsets are
all that is kept. By downset E, budget w and level k, in units: the least reloads of what led to E if no more than w
units of what has to be written were ever out at once, and k are out now:

    L(E + v, w, k) = min of L(E, w, k) over ready v with  x(E, v) <= k <= others(E, v),  y(E, v) <= w            (39)

x are the units that must be out while v runs, y = x less those others that leave for free. Between steps L is closed:
one more unit out costs a reload, fewer out or a larger budget nothing. The bound is the least of reloads and writes of
w over all budgets. Levels count down where sizes are no multiples of the unit, `others` up.
"""

from __future__ import annotations

import math
import time
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..compiled import compiled
from .bits import NONE, add
from .moves import is_ready
from .split import Piece
from .store import mix_row, same
from .tables import Ints, Tables, Words, tables, words

MOST_UNITS = 255
"""reloads that are told apart; a byte each, which stands for all above it too"""
LEVELS = 48
"""units out that are told apart, at most"""
BUDGETS = 4
"""above the least one"""
FIRST_ROWS = 1 << 12


class Layer(NamedTuple):
    """Room for downsets of equally many operators."""

    done: Words
    live: Ints
    """by downset: bytes of what is touched before and after, and of that what leaves for free"""
    reloads: NDArray[np.uint8]
    """L by downset, budget and level"""


class Streamed(NamedTuple):
    """What a pass over all downsets found."""

    bound_bytes: int
    least: int
    """no plan that costs less than the upper bound makes do with a smaller budget [units]"""
    downsets: int


def stream(
    piece: Piece, upper: int, least: int | None, most_downsets: int, deadline: float = math.inf
) -> Streamed | None:
    """The bound of (39), at most `upper` bytes; None if more than so many downsets are met, or if `time.perf_counter`
    passes the deadline. `least` is that of the same piece with fewer operators."""
    t = tables(piece)
    if len(t.size) == 0:
        return Streamed(0, 0, 1)
    size, reload, write = (np.asarray(x) for x in (t.size, t.reload, t.write))
    unit = max(int(np.gcd.reduce(size)), -(-int(size.sum()) // (4 * LEVELS)))
    first = 0 if least is None else least
    free = -(-int(size[write == 0].sum()) // unit)
    shape = (LEVELS, LEVELS) if least is None else (BUDGETS, min(LEVELS, first + BUDGETS + free))
    paid = write > 0
    each = unit * float(np.min(reload / size))
    writes = unit * (float(np.min(write[paid] / size[paid])) if paid.any() else 0.0) * (first + np.arange(shape[0]))
    limits = np.clip(np.ceil((upper - writes) / each), 0, MOST_UNITS).astype(np.int64)
    met = _pass(t, unit, first, shape, limits, most_downsets, deadline)
    if met is None:
        return None
    reloads, downsets = met
    found = float(np.min(reloads.astype(np.float64) * each + np.where(reloads < MOST_UNITS, writes, np.inf)))
    reached = np.flatnonzero(reloads < MOST_UNITS)
    bound = min(float(upper), MOST_UNITS * each, found)
    return Streamed(int(bound), first + (int(reached[0]) if len(reached) else 0), downsets)


def _pass(
    t: Tables, unit: int, first: int, shape: tuple[int, int], limits: Ints, most_downsets: int, deadline: float
) -> tuple[NDArray[np.uint8], int] | None:
    """L of all operators by budget, and downsets met; paths with so many reloads as `limits` says end."""
    uses = np.zeros((len(t.size), words(len(t.need))), np.uint64)
    _mark_uses(t, uses)
    now, after = _room(t, 1, shape), _room(t, FIRST_ROWS, shape)
    now.reloads[:] = MOST_UNITS
    now.reloads[0, 0, 0] = 0
    slots, count, met = np.zeros(4 * FIRST_ROWS, np.int32), 1, 1
    for _ in range(len(t.need)):
        while (found := int(_advance(t, uses, unit, first, limits, now, count, after, slots))) < 0:
            if len(after.done) > most_downsets:
                return None
            after = _room(t, 3 * len(after.done), shape)
            slots = np.zeros(1 << (2 * len(after.done) - 1).bit_length(), np.int32)
        now, after, count = after, now, found
        met += count
        if met > most_downsets or time.perf_counter() > deadline:
            return None
        if count == 0:
            return np.full(shape[0], MOST_UNITS, np.uint8), met
        if len(after.done) < len(now.done):
            after = _room(t, len(now.done), shape)
    return now.reloads[0].min(axis=1), met


def _room(t: Tables, rows: int, shape: tuple[int, int]) -> Layer:
    done = np.zeros((rows, words(len(t.need))), np.uint64)
    return Layer(done, np.zeros((rows, 2), np.int64), np.empty((rows, *shape), np.uint8))


@compiled
def _mark_uses(t, uses):
    for a in range(len(t.size)):
        for k in range(t.use_start[a], t.use_start[a + 1]):
            add(uses[a], t.use[k])


@compiled
def _close(reloads, limits):
    """Close L of one downset, and end what is at the limits; returns whether anything goes on."""
    for w in range(len(reloads)):
        row = reloads[w]
        if w > 0:
            for k in range(len(row)):
                row[k] = min(row[k], reloads[w - 1, k])
        for k in range(len(row) - 2, -1, -1):
            row[k] = min(row[k], row[k + 1])
        for k in range(1, len(row)):
            row[k] = min(np.int64(row[k]), np.int64(row[k - 1]) + 1)
        for k in range(len(row)):
            if row[k] >= limits[w]:
                row[k] = MOST_UNITS
    return reloads[:, 0].min() < MOST_UNITS


@compiled
def _run(t, uses, v, done, after, live, live_after):
    """Bytes that stay beside v, of those what leaves for free, and fill `live_after`."""
    others, free = live[0], live[1]
    live_after[:] = live
    for i in range(t.touch_start[v], t.touch_start[v + 1]):
        a = t.touch[i]
        size = t.size[a]
        unpaid = size if t.write[a] == 0 else 0
        begun, goes_on = False, False
        for q in range(len(done)):
            begun |= uses[a, q] & done[q] != NONE
            goes_on |= uses[a, q] & ~after[q] != NONE
        if begun:
            others -= size
            free -= unpaid
        change = int(goes_on) - int(begun)
        live_after[0] += change * size
        live_after[1] += change * unpaid
    return others, free


@compiled
def _find(slots, rows, done):
    """The place of a downset in the hash table, or the empty one for it."""
    place = np.int64(mix_row(done, NONE) & np.uint64(len(slots) - 1))
    while slots[place] != 0 and not same(rows[slots[place] - 1], done):
        place = (place + 1) & (len(slots) - 1)
    return place


@compiled
def _advance(t, uses, unit, first, limits, now, count, after, slots):
    """The next layer (39); returns its downsets, or -1 if there is no room."""
    budgets, levels = now.reloads.shape[1], now.reloads.shape[2]
    slots[:] = 0
    done, live, found = np.zeros(now.done.shape[1], np.uint64), np.zeros(2, np.int64), 0
    for d in range(count):
        reloads = now.reloads[d]
        if not _close(reloads, limits):
            continue
        for v in range(len(t.need)):
            if not is_ready(t, now.done[d], v):
                continue
            done[:] = now.done[d]
            add(done, v)
            others, free = _run(t, uses, v, now.done[d], done, now.live[d], live)
            over = max(0, others + t.need[v] - t.capacity)
            low, high = min(over // unit, levels - 1), min(-(-others // unit), levels - 1)
            least = min(max(0, max(0, over - free) // unit - first), budgets - 1)
            if reloads[least:, low].min() >= MOST_UNITS:
                continue
            place = _find(slots, after.done, done)
            if slots[place] == 0:
                if found == len(after.done):
                    return -1
                after.done[found], after.live[found], after.reloads[found] = done, live, MOST_UNITS
                found += 1
                slots[place] = found
            to = after.reloads[slots[place] - 1]
            for w in range(least, budgets):
                for k in range(low, high + 1):
                    if reloads[w, k] < to[w, k]:
                        to[w, k] = reloads[w, k]
    return found
