"""What every plan still pays from a downset on: a table over all downsets, where they are few enough to list.

Only how many bytes are out is followed, not whose: running v from E, at least x = others + need(v) - M bytes must be
out. With k units out, the reloads to come are at least

    V(E, k) = min over ready v of  max(0, x - k) + V(E + v, max(x, min(k, others)))                                (28)

and the writes at least P(E) less what is paid already, where P(E) = min over v of max(x, P(E + v)) is the least peak
(29).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..compiled import compiled
from .bits import NONE, ONE, add, has
from .moves import is_ready
from .store import mix_row, same
from .tables import Ints, Tables, Words, words

LEVELS = 48
"""units out that are told apart, at most"""
FIRST_ROWS = 1 << 14


NEVER = 1e18
"""potential of a downset that no useful plan passes [bytes]"""
ROUNDING = 1e-6


class Priced(NamedTuple):
    """Prices of live tensors by downset, and potentials (see `prices.py`); empty where there are none."""

    start: Ints
    """the tensors of row d are `live[start[d] : start[d + 1]]`"""
    live: Ints
    dirty: NDArray[np.float64]
    clean: NDArray[np.float64]
    potential: NDArray[np.float64]
    """by row [bytes]"""
    grain: int
    """all costs are multiples of it [bytes]"""


class Ahead(NamedTuple):
    """The table; `rows` 0 where there is none."""

    rows: int
    unit: int
    """bytes"""
    done: Words
    slots: Ints
    reloads: NDArray[np.uint16]
    """V by downset and units out"""
    peak: Ints
    """P by downset [bytes], less what may leave unwritten"""
    share: NDArray[np.float64]
    """least bytes reloaded, and written, per byte out"""
    priced: Priced


def nothing_ahead(t: Tables) -> Ahead:
    """The table that knows nothing."""
    row = np.zeros((1, words(len(t.need))), np.uint64)
    levels = np.zeros((1, 1), np.uint16)
    return Ahead(0, 1, row, np.zeros(1, np.int32), levels, np.zeros(1, np.int64), np.zeros(2), _no_prices())


def _no_prices() -> Priced:
    none = np.zeros(0)
    return Priced(np.zeros(1, np.int64), np.zeros(0, np.int32), none, none, none, 1)


def list_downsets(t: Tables, most: int) -> tuple[Words, Ints] | None:
    """All downsets of a piece by rising size, and a hash table of their rows; None if there are more than `most`."""
    rows = min(FIRST_ROWS, most)
    while True:
        done = np.zeros((rows, words(len(t.need))), np.uint64)
        slots = np.zeros(1 << (2 * rows - 1).bit_length(), np.int32)
        count = int(_list(t, done, slots))
        if count >= 0:
            return done[:count], slots
        if rows >= most:
            return None
        rows = min(8 * rows, most)


def find_ahead(t: Tables, most: int) -> Ahead | None:
    """The table of a piece; None if it has more than `most` downsets."""
    downsets = list_downsets(t, most)
    if downsets is None:
        return None
    done, slots = downsets
    count = len(done)
    size, reload, write = (np.asarray(x) for x in (t.size, t.reload, t.write))
    unit = int(np.gcd.reduce(size)) if len(size) else 1
    total = int(size.sum())
    unit = max(unit, -(-total // LEVELS)) if total // unit > 4 * LEVELS else unit
    paid = write > 0
    share = np.array([np.min(reload / size), np.min(write[paid] / size[paid]) if paid.any() else 0.0])
    levels = _highest(t, done, count) // unit + 1
    reloads, peak = np.zeros((count, levels), np.uint16), np.zeros(count, np.int64)
    _fill(t, done, count, slots, unit, reloads, peak)
    return Ahead(count, unit, done, slots, reloads, peak, share, _no_prices())


@compiled
def locate(done_rows, slots, done):
    """The row of a downset; it must be there."""
    place = np.int64(mix_row(done, NONE) & np.uint64(len(slots) - 1))
    while slots[place] != 0 and not same(done_rows[slots[place] - 1], done):
        place = (place + 1) & (len(slots) - 1)
    return slots[place] - 1


@compiled
def _list(t, rows, slots):
    """List all downsets, by rising size; -1 if there is no room."""
    count, at = 1, 0
    slots[np.int64(mix_row(rows[0], NONE) & np.uint64(len(slots) - 1))] = 1
    done = np.zeros(rows.shape[1], np.uint64)
    while at < count:
        for v in range(len(t.need)):
            if not is_ready(t, rows[at], v):
                continue
            done[:] = rows[at]
            add(done, v)
            place = np.int64(mix_row(done, NONE) & np.uint64(len(slots) - 1))
            while slots[place] != 0 and not same(rows[slots[place] - 1], done):
                place = (place + 1) & (len(slots) - 1)
            if slots[place] == 0:
                if count == len(rows):
                    return -1
                rows[count] = done
                count += 1
                slots[place] = count
        at += 1
    return count


@compiled
def _live(t, done, live):
    """Mark tensors touched before and after; returns their bytes, and those of all that may leave unwritten."""
    total, free = 0, 0
    for a in range(len(t.size)):
        before = 0
        for k in range(t.use_start[a], t.use_start[a + 1]):
            if has(done, t.use[k]):
                before += 1
        uses = t.use_start[a + 1] - t.use_start[a]
        live[a] = 0 < before < uses
        if live[a]:
            total += t.size[a]
        if t.write[a] == 0 and before < uses:
            free += t.size[a]
    return total, free


@compiled
def _others(t, live, total, v):
    for i in range(t.touch_start[v], t.touch_start[v + 1]):
        if live[t.touch[i]]:
            total -= t.size[t.touch[i]]
    return total


@compiled
def _highest(t, rows, count):
    """The most bytes that must be out at any step from any downset."""
    live, best = np.zeros(len(t.size), np.bool_), np.int64(0)
    for d in range(count):
        total, _ = _live(t, rows[d], live)
        for v in range(len(t.need)):
            if is_ready(t, rows[d], v):
                best = max(best, _others(t, live, total, v) + t.need[v] - t.capacity)
    return best


@compiled
def _fill(t, rows, count, slots, unit, reloads, peak):
    levels = reloads.shape[1]
    live, done = np.zeros(len(t.size), np.bool_), np.zeros(rows.shape[1], np.uint64)
    least = np.zeros(count, np.int64)
    for d in range(count - 2, -1, -1):
        total, free = _live(t, rows[d], live)
        least[d] = 2**62
        reloads[d] = 65535
        for v in range(len(t.need)):
            if not is_ready(t, rows[d], v):
                continue
            done[:] = rows[d]
            add(done, v)
            after = locate(rows, slots, done)
            others = _others(t, live, total, v)
            over = max(0, others + t.need[v] - t.capacity)
            least[d] = min(least[d], max(over, least[after]))
            out = over // unit
            most = min(-(-others // unit), levels - 1)
            for k in range(levels):
                paid = max(0, out - k) + np.int64(reloads[after, max(out, min(k, most))])
                if paid < reloads[d, k]:
                    reloads[d, k] = paid
        peak[d] = max(0, least[d] - free)


@compiled
def ahead_of(t, table, row, live_bytes, resident, clean):
    """Bytes that every plan still pays from a state whose downset has this row (28, 29)."""
    inside, paid = 0, 0
    for w in range(len(resident)):
        bits = resident[w]
        a = w << 6
        while bits != NONE:
            if bits & ONE != NONE:
                inside += t.size[a]
                if has(clean, a):
                    paid += t.size[a]
            bits >>= ONE
            a += 1
    out = live_bytes - inside
    level = min(-(-out // table.unit), table.reloads.shape[1] - 1)
    reloads = np.int64(table.reloads[row, level]) * table.unit
    writes = max(0, table.peak[row] - out - paid)
    counted = np.int64(reloads * table.share[0]) + np.int64(writes * table.share[1])
    return max(counted, _priced(table.priced, row, resident, clean))


@compiled
def _priced(p, row, resident, clean):
    """h of `prices.py` [bytes]; more than any cost where no useful plan passes."""
    if len(p.potential) == 0:
        return np.int64(0)
    total = p.potential[row]
    if total >= NEVER / 2:
        return np.int64(1) << 60
    for i in range(p.start[row], p.start[row + 1]):
        a = p.live[i]
        if has(resident, a):
            total += p.clean[i] if has(clean, a) else p.dirty[i]
    return np.int64(np.ceil(total / p.grain - ROUNDING)) * p.grain


@compiled
def live_bytes(t, done):
    """Bytes of the tensors touched before and after."""
    return _live(t, done, np.zeros(len(t.size), np.bool_))[0]
