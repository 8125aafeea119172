"""What every plan still pays, by whose bytes are in: prices of tensors by downset, and potentials that they imply.

A state (E, R, C) is held to still pay at least

    h(E, R, C) = pi(E) + sum of d_a(E) over a in R - C + sum of c_a(E) over a in C

with 0 <= c <= reload and c <= d <= c + write. Whatever these prices, h is a bound when no step gains more
than it costs, which pi may make sure of:

    pi(E) = min over ready v of  pi(E + v) + r(E, v)                                                               (34)
    r(E, v) = sum of d'_a started + sum of m_a touched before and after + least sum of min(0, m_a) over others     (35)

with m_a = min(d'_a - d_a, c'_a - c_a), primes at E + v, prices 0 where a tensor is not live (of one that ends, d_a is
charged), and `others` any that fit beside v, parts of them counted (an other that is out, or leaves, adds nothing below
0). pi(nothing) is a bound on all plans, concave in the prices: they rise along its gradient, taken with a soft minimum
over the edges that matter now. Edges of the graph of downsets through which every plan costs too much are dropped. This
is the dual of a flow through that graph, with flows of the tensors beside it.

Far fewer steps are needed from good prices. Those of the same piece with fewer operators are (38): a downset E takes
the prices of what is left of E, a tensor that only operators taken out have touched c = 0 and d = write, one that only
they will touch 0; what h said of the smaller piece then holds of this.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .ahead import NEVER, ROUNDING, Ahead, Priced
from .ascent import potentials, slopes, step
from .lattice import Lattice, lattice_of, project, without
from .tables import Ints, Tables, Words

SLOPE = 0.08
"""of its full price, per operator before the next use, at the start"""
FIRST_HEAT, LATER_HEAT, LAST_HEAT, COOLING = 0.3, 0.06, 0.02, 0.96
"""of the soft minimum, in units of the largest price: at first, with good prices, at last; and how it falls"""
RATE = 0.4
"""share of the full price that a step moves, per heat"""
ACTIVE, WIDTH = 10.0, 1.0
"""edges matter within so many units of heat, and of the largest price, above the least"""


class Prices:
    """Prices of a piece and the potentials they imply; better with every `improve`."""

    def __init__(self, t: Tables, done: Words, slots: Ints) -> None:
        self.tables = t
        self.graph: Lattice = lattice_of(t, done, slots)
        self._active = self.graph
        live = self.graph.live
        costs = np.concatenate([t.reload, t.write])
        self.grain = max(1, int(np.gcd.reduce(costs))) if len(costs) else 1
        self.scale = float((t.reload + t.write).max()) if len(costs) else 1.0
        self._touches = np.zeros((len(t.need), len(t.size)), np.bool_)
        for v in range(len(t.need)):
            self._touches[v, t.touch[t.touch_start[v] : t.touch_start[v + 1]]] = True
        self._prices = np.empty((len(live), 2))
        """by live tensor: clean, dirty [bytes]"""
        self.set_shares(np.tile(np.minimum(1.0, SLOPE * self.graph.far), (2, 1)))
        self._slope, self._moments = np.zeros((len(live), 2)), np.zeros((len(live), 4), np.float32)
        self._met, self._age = np.zeros(len(done)), np.zeros(len(done), np.int32)
        self._pi, self._r = np.empty(len(done)), np.empty(len(self.graph.op))
        self.heat = FIRST_HEAT
        self.bound_bytes, self.value_bytes = -1, 0.0
        self._potential, self._best = np.zeros(0), np.zeros((0, 2))

    def set_shares(self, shares: NDArray[np.float64]) -> None:
        """Take other prices: shares of the full reload, and of the full write, by live tensor."""
        live = self.graph.live
        self._prices[:, 0] = self.tables.reload[live] * shares[0]
        self._prices[:, 1] = self._prices[:, 0] + self.tables.write[live] * shares[1]

    def start_from(self, coarse: Prices, ranks: Sequence[int], tensors: Sequence[int]) -> None:
        """Take the best prices of the piece with fewer operators: its operator k is `ranks[k]` here, and a tensor a
        is `tensors[a]` there, or -1."""
        ours, theirs = np.array(ranks, np.int64), np.array(tensors, np.int64)
        g, smaller = self.graph, coarse.graph
        project(self.tables, coarse.tables, g, smaller, ours, theirs, self._prices, coarse._best)
        self.heat = LATER_HEAT

    def improve(self) -> None:
        """One step along the gradient (Adam's), on the edges that matter now."""
        t, g, heat = self.tables, self._active, self.heat * self.scale
        potentials(t, g, self._touches, self._prices, heat, self._pi, self._r)
        slopes(t, g, self._touches, self._prices, heat, self._pi, self._r, self._slope, self._met)
        rate = RATE * self.heat
        step(t, g, self._met, self._slope, self.scale, self._moments, self._age, self._prices, rate)
        self.heat = max(LAST_HEAT, self.heat * COOLING)

    def settle(self, upper: int) -> None:
        """Take the present prices if they prove more, and drop the edges that no plan below `upper` bytes uses."""
        g = self.graph
        pi, r = np.empty(len(g.edge_start) - 1), np.empty(len(g.op))
        potentials(self.tables, g, self._touches, self._prices, 0.0, pi, r)
        value = float(pi[0])
        if len(self._potential) == 0 or value > self.value_bytes:
            self.value_bytes = value
            self._potential, self._best = pi, self._prices.copy()
        bound = upper if value >= NEVER else max(0, int(np.ceil(value / self.grain - ROUNDING))) * self.grain
        self.bound_bytes = max(self.bound_bytes, min(bound, upper))
        self.graph = without(g, pi, r, ((upper - 1) // self.grain + ROUNDING) * self.grain)
        self._active = without(g, pi, r, value + (ACTIVE * self.heat + WIDTH) * self.scale)

    def told(self, table: Ahead) -> Ahead:
        """The table with the best prices and potentials so far."""
        g, best = self.graph, self._best
        clean, dirty = np.ascontiguousarray(best[:, 0]), np.ascontiguousarray(best[:, 1])
        return table._replace(priced=Priced(g.live_start, g.live, dirty, clean, self._potential, self.grain))
