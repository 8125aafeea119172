"""Racks whose devices together pass a power limit only so often: equations (28) to (30) of `docs/math/placement.md`.

The linear model has a bound that every plan within the limit keeps; a plan that it lets through is then held against
the law of its power, and cut off where that breaks the limit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import exp, lgamma, log, log1p

import numpy as np
import pulp

from ..evaluate import Account, Books
from ..problem import DeviceType, PlacementProblem, Rack
from .variables import Expr, PlacementVars

MOST_VALUES = 20_000
"""Powers of a rack that are told apart; more are rounded up to so many."""
ROUNDING = 1e-9


@dataclass(frozen=True)
class Draw:
    """A pool that draws power: `replicas` that are busy or not, each by itself."""

    replicas: int
    busy: float
    """Share of the time that one replica works."""
    step_w: float
    """Power of one busy replica above idle [W]."""
    devices: int
    """Devices of all replicas."""


def constrain_racks(m: pulp.LpProblem, p: PlacementProblem, v: PlacementVars) -> None:
    """(28) sum_d idle[d] D[d] + rate sum energy[p,g] x[p,g] <= (1 - e) L + e sum_d peak[d] D[d] for every rack.

    e = 0 admits no time over the limit at all: sum_d idle[d] D[d] + sum_g (peak - idle) size[g] n z[g,n] <= L.
    """
    if p.rate_per_s is None:
        return
    for rack in p.racks:
        here = {d.name: d for d in p.devices if d.rack == rack.name}
        whole = Expr()
        for name, taken in v.taken.items():
            if name in here:
                whole += taken * (here[name].idle_w - rack.exceed * here[name].peak_w)
        if rack.exceed:
            for key, o in v.options.items():
                if v.counted(key[1]) and v.pools[key[1]].device in here:
                    whole.addterm(v.x[key], p.rate_per_s * o.energy_j_per_request)
        else:
            for (g, n), z in v.z.items():
                if v.pools[g].device in here:
                    whole.addterm(z, n * v.pools[g].devices_per_replica * above_idle_w(here[v.pools[g].device]))
        limit = (1 - rack.exceed) * rack.power_w
        m.addConstraint(whole * (1 / rack.power_w) <= limit / rack.power_w + ROUNDING, v.name("rack", rack.name))


def above_idle_w(d: DeviceType) -> float:
    """What one busy device draws beyond an idle one [W]."""
    return max(0.0, d.peak_w - d.idle_w)


class Racks:
    """Holds plans of one problem against the power limits of its racks.

    Plans have the fewest replicas that carry their load, or those of `held` where a plan is kept as it is.
    """

    def __init__(self, p: PlacementProblem, books: Books | None = None, held: Account | None = None) -> None:
        self.p, self.held = p, held
        self.books = books or Books(p)
        self.devices = {d.name: d for d in p.devices}

    def exceeded(self, rack: Rack, plan: Mapping[str, str]) -> float:
        """(29) Share of the time that the plan's devices in the rack draw more than its limit."""
        return share_over(rack, self._idle_w(rack, plan), self._draws(rack, plan).values())

    def mean_w(self, rack: Rack, plan: Mapping[str, str]) -> float:
        """Mean power of the plan's devices in the rack [W]."""
        return self._idle_w(rack, plan) + sum(
            each.replicas * each.busy * each.step_w for each in self._draws(rack, plan).values()
        )

    def other_rack(self, v: PlacementVars, plan: Mapping[str, str]) -> Expr | None:
        """(30) What any plan within the limits has at least 1 of, and this one 0; None for a plan that keeps them."""
        if self.p.rate_per_s is None:
            return None
        over = (rack for rack in self.p.racks if self.exceeded(rack, plan) > rack.exceed + ROUNDING)
        rack = next(over, None)
        return None if rack is None else self._other(v, plan, self._to_blame(rack, plan))

    def _idle_w(self, rack: Rack, plan: Mapping[str, str]) -> float:
        """All devices in the rack idle [W], those that are taken without need among them."""
        taken: Mapping[str, int]
        if self.held is None:
            _, taken = self.books.sizes([self.books.options[each] for each in plan.items()])
        else:
            taken = self.held.devices
        return sum(d.idle_w * taken.get(d.name, 0) for d in self.p.devices if d.rack == rack.name)

    def _inside(self, rack: Rack, plan: Mapping[str, str]) -> dict[str, frozenset[str]]:
        """Pool in the rack -> the plan's pieces in it."""
        found: dict[str, frozenset[str]] = {}
        for q, g in plan.items():
            pool = self.books.pools[g]
            if pool.capacity and self.devices[pool.device].rack == rack.name:
                found[g] = found.get(g, frozenset()) | {q}
        return found

    def _draws(self, rack: Rack, plan: Mapping[str, str]) -> dict[str, Draw]:
        return {g: self.draw(g, pieces) for g, pieces in self._inside(rack, plan).items()}

    def draw(self, pool: str, pieces: frozenset[str]) -> Draw:
        """What a pool draws with these pieces in it."""
        g = self.books.pools[pool]
        options = [self.books.options[q, pool] for q in sorted(pieces)]
        rate = self.p.rate_per_s or 0.0
        n = (self.books.sizes(options)[0] if self.held is None else self.held.replicas).get(pool, 0)
        step_w = g.devices_per_replica * above_idle_w(self.devices[g.device])
        full_w = n * step_w
        busy = rate * sum(o.energy_j_per_request for o in options) / full_w if full_w else 0.0
        return Draw(n, min(1.0, busy), step_w, n * g.devices_per_replica)

    def _to_blame(self, rack: Rack, plan: Mapping[str, str]) -> dict[str, frozenset[str]]:
        """Pools with their pieces that pass the limit even where nothing else is in the rack."""
        pools = self._inside(rack, plan)
        draws = {g: self.draw(g, pieces) for g, pieces in pools.items()}
        for g in sorted(pools, key=lambda g: (draws[g].replicas * draws[g].step_w, g)):
            rest = {h: pieces for h, pieces in pools.items() if h != g}
            part = {q: h for h, pieces in rest.items() for q in pieces}
            if rest and self.exceeded(rack, part) > rack.exceed + ROUNDING:
                pools = rest
        return pools

    def _other(self, v: PlacementVars, plan: Mapping[str, str], blamed: Mapping[str, frozenset[str]]) -> Expr:
        """Choices that make another rack of it: pieces that leave for what is not surely as hungry, or that join."""
        other = Expr()
        for g, pieces in blamed.items():
            alike = self._as_hungry(v, g, pieces)
            for q in sorted(pieces)[: None if len(alike) == 1 else 1]:
                for h in v.pools_of[q]:
                    if h not in alike:
                        other.addterm(v.x[q, h], 1)
            for q in v.pieces_of[g]:
                if q not in pieces:
                    other.addterm(v.x[q, g], 1)
        return other

    def _as_hungry(self, v: PlacementVars, g: str, pieces: frozenset[str]) -> set[str]:
        """Pools of the same device that only these pieces may choose, together, and whose power is no less."""
        own = v.pools[g]
        if set(v.pieces_of[g]) != pieces or (len(pieces) > 1 and not own.whole_nodes):
            return {g}
        if len({v.pieces[q].node for q in pieces}) > 1:
            return {g}
        mine, found = self.draw(g, pieces), {g}
        for h in v.pools_of[min(pieces)]:
            other = v.pools[h]
            same = other.device == own.device and other.whole_nodes == own.whole_nodes and other.capacity
            if same and set(v.pieces_of[h]) == pieces and no_less(self.draw(h, pieces), mine):
                found.add(h)
        return found


def no_less(a: Draw, b: Draw) -> bool:
    """Whether a draws stochastically at least as much as b, and takes as many devices of the same kind."""
    if a.devices < b.devices:
        return False
    at_a, mass_a = _binomial(a)
    at_b, mass_b = _binomial(b)
    points = np.concatenate([at_a, at_b]) * (1 + ROUNDING)
    below_a = np.append(0.0, np.cumsum(mass_a))[np.searchsorted(at_a, points, "right")]
    below_b = np.append(0.0, np.cumsum(mass_b))[np.searchsorted(at_b, points, "right")]
    return bool(np.all(below_a <= below_b + 1e-12))


def share_over(rack: Rack, idle_w: float, draws: Iterable[Draw]) -> float:
    """(29) P(idle + sum over pools of step * Binomial(n, busy) > L); with e = 0, 1 where all busy at once is over L."""
    draws = list(draws)
    limit_w = rack.power_w * (1 + ROUNDING)
    if not rack.exceed:
        return float(idle_w + sum(each.replicas * each.step_w for each in draws) > limit_w)
    at, mass = np.array([idle_w]), np.array([1.0])
    for each in draws:
        more, chance = _binomial(each)
        at, mass = _merged(np.add.outer(at, more).ravel(), np.multiply.outer(mass, chance).ravel())
    return float(np.sum(mass[at > limit_w]))


def _merged(at: np.ndarray, mass: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same law with equal values as one; many values are rounded up, so that power is never understated."""
    if len(at) > MOST_VALUES:
        step = float(np.max(at)) / MOST_VALUES
        at = np.ceil(at / step - ROUNDING) * step
    values, where = np.unique(at, return_inverse=True)
    return values, np.bincount(where, weights=mass)


@lru_cache(maxsize=4096)
def _binomial(each: Draw) -> tuple[np.ndarray, np.ndarray]:
    """Powers above idle of 0, 1, ... busy replicas [W], and how often each."""
    n, q = each.replicas, each.busy
    at = np.arange(n + 1) * each.step_w
    if q in (0.0, 1.0):
        return at, np.eye(n + 1)[n if q else 0]
    ways = [lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) for k in range(n + 1)]
    return at, np.array([exp(way + k * log(q) + (n - k) * log1p(-q)) for k, way in enumerate(ways)])
