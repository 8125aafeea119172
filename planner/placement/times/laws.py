"""Arithmetic on laws of times: sums and maxima of independent times on grids that round upwards only.

A law is a constant plus a random part on a grid 0, h, 2h, ... Rounding moves mass to the right, never to the left,
and counts how far: the true time lies between the gridded one less `error_s` and the gridded one. Each law has a grid
as fine as its span allows, by halving the step: so a thousand short times in a row are not each rounded by a step
that their sum needs. Source: `docs/math/placement.md`, "Percentiles".
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from ....ir.distribution import Distribution

Array = np.ndarray
ROUNDING_S = 1e-15
"""Sums of floats may miss the value of a constant by as much [s]."""
ALIGNED = 1e-9
"""Times that miss a point of a grid by so small a share of its step lie on it."""
BEYOND, NEARLY = 1e-12, 1e-6
"""Probability that a law may lack at the end of a finer grid, where proofs are asked for and where they are not: what
they lack counts as too late."""
MOST_HALVINGS = 40
"""A time that hardly varies needs no finer grid."""


@lru_cache(maxsize=65536)
def mean(d: Distribution) -> float:
    """Mean of a distribution, in its own unit."""
    return d.mean


@lru_cache(maxsize=65536)
def quantile(d: Distribution, q: float) -> float:
    """Smallest t with P(X <= t) >= q, for 0 <= q <= 1; at q = 0 the least value that X can take."""
    return d.minimum if q <= 0 else d.quantile(q)


def is_point(d: Distribution) -> bool:
    """Whether a distribution is a constant, whatever its kind."""
    return d.kind == "point" or quantile(d, 1.0) == quantile(d, 0.0)


@lru_cache(maxsize=262144)
def never_longer(a: Distribution, b: Distribution) -> bool:
    """Whether a is stochastically at most b, as far as a comparison of parameters proves it.

    True means P(A > t) <= P(B > t) for every t; False may only mean that it is not proved.
    """
    if a == b or quantile(a, 1.0) <= quantile(b, 0.0):
        return True
    if a.shift > b.shift:
        return False
    if {a.kind, b.kind} <= {"exponential", "wait"}:
        (p, m), (r, n) = _as_wait(a), _as_wait(b)
        return p <= r and m <= n
    if a.kind != b.kind or len(a.params) != len(b.params):
        return False
    if a.kind == "repeats":
        return a.params[0] <= b.params[0] and a.params[1] <= b.params[1]
    if a.kind in ("lognormal", "truncated"):
        return a.params[1:] == b.params[1:] and a.params[0] <= b.params[0]
    if a.kind == "samples":
        return all(x <= y for x, y in zip(sorted(a.params), sorted(b.params), strict=True))
    # Quantiles: piecewise linear between the same probabilities, but their ends are extrapolated.
    same = a.params[0::2] == b.params[0::2] and a.params[0] == 0 and a.params[-2] == 1
    return same and all(x <= y for x, y in zip(a.params[1::2], b.params[1::2], strict=True))


def _as_wait(d: Distribution) -> tuple[float, float]:
    """Probability and mean of an exponential that is 0 otherwise."""
    return (1.0, d.params[0]) if d.kind == "exponential" else (d.params[0], d.params[1])


@dataclass(frozen=True, eq=False)
class Law:
    """`offset` plus a random part with `mass[i]` at i*h/2^halvings; what `mass` lacks to 1 lies beyond the grid."""

    offset: float
    """Constant part [s], exact."""
    mass: Array | None = None
    """None for a constant."""
    error_s: float = 0.0
    """True values are at most this much lower [s]."""
    mean_s: float | None = None
    """Exact mean where only sums were taken [s]; None after a maximum."""
    halvings: int = 0
    """How often the step of the grid was halved for this law."""


@dataclass(frozen=True)
class Grid:
    """Step h [s] and number of points; values beyond `size * step` are not told apart."""

    step: float
    size: int
    nearest: bool = False
    """Values are rounded to the nearest point, without bias, in place of upwards: for figures that prove nothing."""

    @property
    def lacks(self) -> float:
        """Probability that a law may lack at the end of a finer grid."""
        return NEARLY if self.nearest else BEYOND

    def halved(self, halvings: int) -> float:
        """The step after so many halvings [s]."""
        return math.ldexp(self.step, -halvings)

    def halvings_for(self, span_s: float) -> int:
        """How often the step can be halved where values span so much."""
        if span_s <= 0:
            return MOST_HALVINGS
        return min(MOST_HALVINGS, max(0, math.floor(math.log2(self.step * (self.size - 1) / span_s))))

    def law(self, d: Distribution) -> Law:
        """A distribution on the grid, rounded upwards."""
        if is_point(d):
            return constant(mean(d))
        low = quantile(d, 0.0)
        halvings = self.halvings_for(quantile(d, 1 - self.lacks) - low)
        step = self.halved(halvings)
        points = low + np.arange(self.size) * step
        if not self.nearest:
            return Law(low, np.diff(d.cdf(points + ROUNDING_S), prepend=0.0), step, mean(d), halvings)
        half = step / 2
        mass = np.diff(d.cdf(points + half), prepend=0.0)
        # Many times of a few steps each add up: what rounding does to their mean is taken back.
        bias = mean(d) - float(np.dot(mass, points))
        return Law(low + min(half, max(-half, bias)), mass, half, mean(d), halvings)

    def add(self, a: Law, b: Law) -> Law:
        """Law of A + B."""
        both = None if a.mean_s is None or b.mean_s is None else a.mean_s + b.mean_s
        if a.mass is None or b.mass is None:
            random = b if a.mass is None else a
            return Law(a.offset + b.offset, random.mass, a.error_s + b.error_s, both, random.halvings)
        a, b = self._alike(a, b)
        assert a.mass is not None
        assert b.mass is not None
        width = 2 * self.size
        product = np.fft.rfft(a.mass, width) * np.fft.rfft(b.mass, width)
        mass = np.maximum(np.fft.irfft(product, width), 0.0)
        return self._fitted(Law(a.offset + b.offset, mass, a.error_s + b.error_s, both, a.halvings))

    def maximum(self, a: Law, b: Law) -> Law:
        """Law of max(A, B)."""
        if b.offset < a.offset:
            a, b = b, a
        if a.mass is None:
            return b
        if b.mass is None and self._end(a) <= b.offset:
            return constant(b.offset)
        a, b = self._alike(a, b)
        step = self.halved(a.halvings)
        # What A falls short of the least B does not matter.
        ahead = self._floor((b.offset - a.offset) / step)
        of_a, of_b = _cdf(a, self.size), _cdf(b, self.size)
        of_a = np.concatenate([of_a[ahead:], np.full(min(ahead, self.size), of_a[-1])])
        error = max(a.error_s + step, b.error_s)
        return Law(b.offset, np.diff(of_a * of_b, prepend=0.0), error, None, a.halvings)

    def minimum(self, a: Law, b: Law) -> Law:
        """Law of min(A, B): P(min > t) = P(A > t) P(B > t)."""
        if b.offset < a.offset:
            a, b = b, a
        if a.mass is None or self._end(a) <= b.offset:
            return a
        a, b = self._alike(a, b)
        step = self.halved(a.halvings)
        behind = self._ceil((b.offset - a.offset) / step)
        at = 1 - (1 - _cdf(a, self.size)) * (1 - _cdf(b, self.size, behind))
        return Law(a.offset, np.diff(at, prepend=0.0), max(a.error_s, b.error_s + step), None, a.halvings)

    def least(self, laws: Iterable[Law]) -> Law:
        """A law stochastically below all of `laws` (and at most `error_s` above that): their largest CDF."""
        laws = self._all_alike(laws)
        step = self.halved(laws[0].halvings)
        base = min(law.offset for law in laws)
        fixed = min((law.offset for law in laws if law.mass is None), default=None)
        if fixed is not None:
            if fixed <= base:
                return constant(fixed)
            # The least constant caps all: it is put on the grid, where nothing rounds it.
            base = fixed - math.ceil((fixed - base) / step) * step
        behind = [self._ceil((law.offset - base) / step) for law in laws]
        # A base that is put lower takes the last point of a law past the end of the grid.
        at = np.max([_cdf(law, self.size + 1, shift) for law, shift in zip(laws, behind, strict=True)], axis=0)
        error = max(law.error_s for law in laws) + step
        return self._fitted(Law(base, np.diff(at, prepend=0.0), error, None, laws[0].halvings))

    def mixture(self, laws: Sequence[Law], weights: Sequence[float]) -> Law:
        """The law that is each of `laws` with the probability that its weight says, on one grid."""
        base = min(law.offset for law in laws)
        spread = self.halvings_for(max(law.offset for law in laws) - base)
        laws = self._all_alike(laws, spread)
        step = self.halved(laws[0].halvings)
        mass = np.zeros(2 * self.size)
        for law, weight in zip(laws, weights, strict=True):
            shift = math.ceil((law.offset - base) / step - ALIGNED)
            if shift <= self.size:
                own = np.array([1.0]) if law.mass is None else law.mass
                mass[shift : shift + len(own)] += weight * own
        error = max(law.error_s for law in laws) + step
        return self._fitted(Law(base, mass, error, None, laws[0].halvings))

    def at_most(self, law: Law, t: float) -> float:
        """P(gridded time <= t), for t on the grid's range."""
        if law.mass is None:
            return 1.0 if law.offset <= t * (1 + 1e-12) + 1e-15 else 0.0
        last = math.floor((t - law.offset) / self.halved(law.halvings) + ALIGNED)
        return float(np.sum(law.mass[: last + 1])) if last >= 0 else 0.0

    def at_best(self, law: Law, t: float) -> float:
        """P(true time <= t), never understated: what lies beyond the grid may be earlier by the law's error."""
        latest = t + law.error_s
        return 1.0 if latest >= self._end(law) and law.mass is not None else self.at_most(law, latest)

    def mean_of(self, law: Law) -> float:
        """Mean: exact where only sums were taken, else from the grid (mass beyond it counts at its end)."""
        if law.mean_s is not None:
            return law.mean_s
        if law.mass is None:
            return law.offset
        beyond = max(0.0, 1.0 - float(np.sum(law.mass)))
        points = float(np.dot(law.mass, np.arange(self.size))) + beyond * self.size
        return law.offset + self.halved(law.halvings) * points

    def reach_of(self, law: Law) -> float:
        """How far the grid of a law's random part reaches [s]; 0 for a constant."""
        return 0.0 if law.mass is None else self.halved(law.halvings) * self.size

    def _floor(self, steps: float) -> int:
        """Points of a law that starts so many steps earlier which are not later than the start of another."""
        return min(self.size, round(steps) if self.nearest else math.floor(steps + ALIGNED))

    def _ceil(self, steps: float) -> int:
        return min(self.size, round(steps) if self.nearest else math.ceil(steps - ALIGNED))

    def _end(self, law: Law) -> float:
        """What no time of the law is above, as far as its grid tells [s]."""
        return law.offset + self.halved(law.halvings) * (self.size - 1)

    def _alike(self, a: Law, b: Law) -> tuple[Law, Law]:
        """Both on the grid of the coarser one."""
        one, other = self._all_alike((a, b))
        return one, other

    def _all_alike(self, laws: Iterable[Law], most: int = MOST_HALVINGS) -> list[Law]:
        """All on the grid of the coarsest one, or one of `most` halvings."""
        laws = list(laws)
        halvings = min(most, min((law.halvings for law in laws if law.mass is not None), default=most))
        return [self._coarser(law, halvings) for law in laws]

    def _coarser(self, law: Law, halvings: int) -> Law:
        """The same on a grid of fewer halvings."""
        if law.mass is None:
            return replace(law, halvings=halvings)
        while law.halvings > halvings:
            law = self._half(law)
        return law

    def _half(self, law: Law) -> Law:
        """The same with half as many points to a second: odd ones move up, or half of each to either side."""
        assert law.mass is not None
        mass = np.zeros(self.size)
        even, odd = law.mass[::2], law.mass[1::2]
        mass[: len(even)] = even
        step = self.halved(law.halvings)
        if self.nearest:
            mass[: len(odd)] += odd / 2
            odd, step = odd / 2, step / 2
        mass[1 : len(odd) + 1] += odd[: self.size - 1]
        return replace(law, mass=mass, error_s=law.error_s + step, halvings=law.halvings - 1)

    def _fitted(self, law: Law) -> Law:
        """A law that has up to twice the points of the grid, on a coarser one if it needs more than the grid has."""
        assert law.mass is not None
        if law.halvings and float(np.sum(law.mass[self.size :])) > self.lacks:
            return self._half(law)
        return replace(law, mass=law.mass[: self.size])


def _cdf(law: Law, size: int, behind: int = 0) -> Array:
    """P(time <= i steps after its offset), seen from so many steps before it."""
    at = np.zeros(size)
    if behind < size:
        reached = np.ones(1) if law.mass is None else np.cumsum(law.mass)[: size - behind]
        at[behind : behind + len(reached)], at[behind + len(reached) :] = reached, reached[-1]
    return at


@lru_cache(maxsize=4096)
def constant(value: float) -> Law:
    """The law of a constant [s]: one object for equal values, so that sums with it are remembered."""
    return Law(value, None, 0.0, value)


def quantile_of_mixture(parts: list[tuple[float, Law]], q: float, grid: Grid) -> float:
    """Smallest t with sum of weight * P(law <= t) >= q; infinite where the grid ends before."""
    values, weights = [], []
    for weight, law in parts:
        if law.mass is None:
            values.append(np.array([law.offset]))
            weights.append(np.array([weight]))
        else:
            keep = np.flatnonzero(law.mass > 0)
            values.append(law.offset + keep * grid.halved(law.halvings))
            weights.append(weight * law.mass[keep])
    value, weight = np.concatenate(values), np.concatenate(weights)
    order = np.argsort(value, kind="stable")
    reached = np.searchsorted(np.cumsum(weight[order]), q * (1 - 1e-12))
    return float(value[order][reached]) if reached < len(value) else math.inf
