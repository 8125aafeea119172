"""What every plan still pays, by whose bytes are in: prices of tensors by downset, and potentials that they imply.

A state (E, R, C) is held to still pay at least

    h(E, R, C) = pi(E) + sum of d_a(E) over a in R - C + sum of c_a(E) over a in C

with 0 <= c <= reload and c <= d <= c + write. Whatever these prices, h is a bound when no step gains more
than it costs, which pi may make sure of:

    pi(E) = min over ready v of  pi(E + v) + r(E, v)                                                               (34)
    r(E, v) = sum of d'_a started + sum of m_a touched before and after + least sum of min(0, m_a) over others     (35)

with m_a = min(d'_a - d_a, c'_a - c_a), primes at E + v, prices 0 where a tensor is not live, and `others` any that fit
beside v, parts of them counted (an other that is out, or leaves, adds nothing below 0). pi(nothing) is a bound on all
plans, concave in the prices: they rise along its gradient, taken with a soft minimum over the edges that matter now.
Edges of the graph of downsets through which every plan costs too much are dropped. This is the dual of a flow through
that graph, with flows of the tensors beside it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .ahead import NEVER, ROUNDING, Ahead, Priced, locate
from .moves import add, has, is_ready
from .tables import Ints, Tables

Floats = NDArray[np.float64]
FAR = 15
"""operators before the next use that are told apart, at most"""
SLOPE = 0.08
"""of its full price, per operator before the next use, at the start"""
FIRST_HEAT, LAST_HEAT, COOLING = 0.3, 0.05, 0.97
"""of the soft minimum, in units of the largest price; and how it falls"""
RATE = 0.2
"""share of the full price that a step moves, per heat"""
KEEP_MEAN, KEEP_SQUARE, RARE = 0.8, 0.95, 1e-4
"""of the gradient, by Adam's rule; prices met more rarely than RARE move less"""
ACTIVE = 10.0
"""units of heat above the least within which edges matter"""


class Graph(NamedTuple):
    """Downsets, by rising size: edges to one more operator, and live tensors, from `start` of each on."""

    edge_start: Ints
    op: Ints
    to: Ints
    live_start: Ints
    live: Ints
    far: Ints
    """by live tensor: operators before its next use, at most FAR"""


def graph_of(t: Tables, table: Ahead) -> Graph:
    """The graph of all downsets of a table."""
    edges, lives = np.zeros(table.rows + 1, np.int64), np.zeros(table.rows + 1, np.int64)
    _count(t, table.done, table.rows, edges, lives)
    edge_start, live_start = np.cumsum(edges), np.cumsum(lives)
    op, to = np.zeros(edge_start[-1], np.int32), np.zeros(edge_start[-1], np.int32)
    live, far = np.zeros(live_start[-1], np.int32), np.zeros(live_start[-1], np.int8)
    _list(t, table.done, table.rows, table.slots, edge_start, op, to, live_start, live, far)
    return Graph(edge_start, op, to, live_start, live, far)


@njit(cache=True)
def _uses_left(t, done, a):
    left = 0
    for k in range(t.use_start[a], t.use_start[a + 1]):
        left += not has(done, t.use[k])
    return left


@njit(cache=True)
def _count(t, rows, count, edges, lives):
    for d in range(count):
        for v in range(len(t.need)):
            edges[d + 1] += is_ready(t, rows[d], v)
        for a in range(len(t.size)):
            lives[d + 1] += 0 < _uses_left(t, rows[d], a) < t.use_start[a + 1] - t.use_start[a]


@njit(cache=True)
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


@njit(cache=True)
def _list(t, rows, count, slots, edge_start, op, to, live_start, live, far):
    done = np.zeros(rows.shape[1], np.uint64)
    for d in range(count):
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


@njit(cache=True)
def _pay(t, g, dirty, clean, e, here, mark, gains, items, weight, slope):
    """r of an edge (35); its gradient times `weight` is added to `slope`, by price (dirty, clean)."""
    v, after, total, k, fill = g.op[e], g.to[e], 0.0, 0, 0
    for q in range(t.touch_start[v], t.touch_start[v + 1]):
        mark[t.touch[q]] = 2 * e
    for i in range(g.live_start[after], g.live_start[after + 1]):
        a = g.live[i]
        j = here[a]
        if j < 0:
            total += dirty[i]
            if weight > 0:
                slope[0, i] += weight
            continue
        best = min(dirty[i] - dirty[j], clean[i] - clean[j])
        if mark[a] == 2 * e:
            total += best
            if weight > 0:
                _add_slope(dirty, clean, i, j, weight, slope)
        elif best < 0:
            gains[k], items[k] = best / t.size[a], i
            fill += t.size[a]
            k += 1
        mark[a] = 2 * e + 1
    for q in range(t.touch_start[v], t.touch_start[v + 1]):
        j = here[t.touch[q]]
        if j >= 0 and mark[t.touch[q]] == 2 * e:
            total -= dirty[j]
            mark[t.touch[q]] = 2 * e + 1
            if weight > 0:
                slope[0, j] -= weight
    free = t.capacity - t.need[v]
    if fill > free:
        for x in range(1, k):
            gain, item, y = gains[x], items[x], x - 1
            while y >= 0 and gains[y] > gain:
                gains[y + 1], items[y + 1] = gains[y], items[y]
                y -= 1
            gains[y + 1], items[y + 1] = gain, item
    for x in range(k):
        a = g.live[items[x]]
        part = min(free, t.size[a])
        if part <= 0:
            break
        free -= part
        total += gains[x] * part
        if weight > 0:
            _add_slope(dirty, clean, items[x], here[a], weight * part / t.size[a], slope)
    return total


@njit(cache=True)
def _add_slope(dirty, clean, i, j, weight, slope):
    row = 0 if dirty[i] - dirty[j] < clean[i] - clean[j] else 1
    slope[row, i] += weight
    slope[row, j] -= weight


@njit(cache=True)
def _potentials(t, g, dirty, clean, heat, pi, r):
    """Fill `r` by edge and `pi` by downset (34); its minimum is soft where there is heat."""
    m = len(t.size)
    here, mark = np.full(m, -1, np.int64), np.full(m, -1, np.int64)
    gains, items, slope = np.zeros(m), np.zeros(m, np.int64), np.zeros((2, 1))
    last = len(pi) - 1
    pi[last] = 0.0
    for d in range(last - 1, -1, -1):
        pi[d] = NEVER
        if g.edge_start[d] == g.edge_start[d + 1]:
            continue
        for i in range(g.live_start[d], g.live_start[d + 1]):
            here[g.live[i]] = i
        for e in range(g.edge_start[d], g.edge_start[d + 1]):
            if pi[g.to[e]] < NEVER:
                r[e] = _pay(t, g, dirty, clean, e, here, mark, gains, items, 0.0, slope)
                pi[d] = min(pi[d], r[e] + pi[g.to[e]])
            else:
                r[e] = NEVER
        if heat > 0 and pi[d] < NEVER:
            total = 0.0
            for e in range(g.edge_start[d], g.edge_start[d + 1]):
                total += np.exp((pi[d] - r[e] - pi[g.to[e]]) / heat)
            pi[d] -= heat * np.log(total)
        for i in range(g.live_start[d], g.live_start[d + 1]):
            here[g.live[i]] = -1


@njit(cache=True)
def _slopes(t, g, dirty, clean, heat, pi, r, slope):
    """The gradient of the soft pi(nothing), by price: edges weigh as often as they are met."""
    m = len(t.size)
    here, mark = np.full(m, -1, np.int64), np.full(m, -1, np.int64)
    gains, items = np.zeros(m), np.zeros(m, np.int64)
    met = np.zeros(len(pi))
    met[0] = 1.0
    for d in range(len(pi) - 1):
        if met[d] < 1e-5:
            continue
        for i in range(g.live_start[d], g.live_start[d + 1]):
            here[g.live[i]] = i
        for e in range(g.edge_start[d], g.edge_start[d + 1]):
            weight = met[d] * np.exp((pi[d] - r[e] - pi[g.to[e]]) / heat)
            if weight > 1e-6:
                met[g.to[e]] += weight
                _pay(t, g, dirty, clean, e, here, mark, gains, items, weight, slope)
        for i in range(g.live_start[d], g.live_start[d + 1]):
            here[g.live[i]] = -1


@njit(cache=True)
def _mark_useful(g, pi, r, limit, useful):
    """Mark edges through which some plan may cost no more than `limit`."""
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


@njit(cache=True)
def _step(slope, reload, write, moments, shares, rate):
    """Move the shares of all prices that were met by Adam's rule; rows of `moments`: two means, two squares, steps."""
    for i in range(slope.shape[1]):
        if slope[0, i] == 0.0 and slope[1, i] == 0.0:
            continue
        moments[4, i] += 1
        age = moments[4, i]
        for k in range(2):
            x = reload[i] * (slope[0, i] + slope[1, i]) if k == 0 else write[i] * slope[0, i]
            moments[k, i] += (1 - KEEP_MEAN) * (x - moments[k, i])
            moments[2 + k, i] += (1 - KEEP_SQUARE) * (x * x - moments[2 + k, i])
            size = np.sqrt(moments[2 + k, i] / (1 - KEEP_SQUARE**age)) + RARE
            step = rate * moments[k, i] / (1 - KEEP_MEAN**age) / size
            shares[k, i] = min(1.0, max(0.0, shares[k, i] + step))


class Prices:
    """Prices of a piece and the potentials they imply; better with every `improve`."""

    def __init__(self, t: Tables, table: Ahead) -> None:
        self.tables = t
        self.graph = self._active = graph_of(t, table)
        live = self.graph.live
        self.reload, self.write = t.reload[live].astype(float), t.write[live].astype(float)
        self.grain = int(np.gcd.reduce(np.concatenate([t.reload, t.write])))
        self.scale = float((t.reload + t.write).max())
        self._shares = np.tile(np.minimum(1.0, SLOPE * self.graph.far), (2, 1))
        self._moments = np.zeros((5, len(live)))
        self.heat = FIRST_HEAT
        self.bound_bytes, self.value_bytes = -1, 0.0
        self.potential, self.dirty, self.clean = np.zeros(0), np.zeros(0), np.zeros(0)

    def _prices(self) -> tuple[Floats, Floats]:
        clean = self.reload * self._shares[0]
        return clean + self.write * self._shares[1], clean

    def set_shares(self, shares: Floats) -> None:
        """Take other prices: shares of the full reload, and of the full write, by row of the table and live tensor."""
        self._shares[:] = shares

    def improve(self) -> None:
        """One step along the gradient (Adam's), on the edges that matter now."""
        g, heat = self._active, self.heat * self.scale
        dirty, clean = self._prices()
        pi, r, slope = np.empty(len(g.edge_start) - 1), np.empty(len(g.op)), np.zeros((2, len(dirty)))
        _potentials(self.tables, g, dirty, clean, heat, pi, r)
        _slopes(self.tables, g, dirty, clean, heat, pi, r, slope)
        _step(slope, self.reload / self.scale, self.write / self.scale, self._moments, self._shares, RATE * self.heat)
        self.heat = max(LAST_HEAT, self.heat * COOLING)

    def settle(self, upper: int) -> None:
        """Take the present prices if they prove more, and drop the edges that no plan below `upper` bytes uses."""
        g = self.graph
        dirty, clean = self._prices()
        pi, r = np.empty(len(g.edge_start) - 1), np.empty(len(g.op))
        _potentials(self.tables, g, dirty, clean, 0.0, pi, r)
        self.value_bytes = float(pi[0])
        bound = upper if pi[0] >= NEVER else max(0, int(np.ceil(pi[0] / self.grain - ROUNDING))) * self.grain
        if min(bound, upper) > self.bound_bytes:
            self.potential, self.dirty, self.clean = pi, dirty, clean
            self.bound_bytes = min(bound, upper)
        self.graph = _without(g, pi, r, ((upper - 1) // self.grain + ROUNDING) * self.grain)
        self._active = _without(g, pi, r, pi[0] + ACTIVE * self.heat * self.scale)

    def told(self, table: Ahead) -> Ahead:
        """The table with the best prices and potentials so far."""
        prices = Priced(self.graph.live_start, self.graph.live, self.dirty, self.clean, self.potential, self.grain)
        return table._replace(priced=prices)


def _without(g: Graph, pi: Floats, r: Floats, limit: float) -> Graph:
    """The graph without edges through which every plan costs more than `limit`."""
    useful = np.zeros(len(g.op), np.bool_)
    _mark_useful(g, pi, r, limit, useful)
    kept = np.concatenate([[0], np.cumsum(useful)])[g.edge_start]
    return g._replace(edge_start=kept, op=g.op[useful], to=g.to[useful])
