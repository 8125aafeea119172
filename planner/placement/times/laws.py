"""Arithmetic on laws of times: sums and maxima of independent times on a grid that rounds upwards only.

A law is a constant plus a random part on the grid 0, h, 2h, ... Rounding moves mass to the right, never to the left,
and counts how far: the true time lies between the gridded one less `error_s` and the gridded one. Source:
`docs/math/placement.md`, "Percentiles".
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ....ir.distribution import Distribution

Array = np.ndarray
ROUNDING_S = 1e-15
"""Sums of floats may miss the value of a constant by as much [s]."""


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
    """`offset` plus a random part with `mass[i]` at i*h; what `mass` lacks to 1 lies beyond the grid."""

    offset: float
    """Constant part [s], exact."""
    mass: Array | None = None
    """None for a constant."""
    error_s: float = 0.0
    """True values are at most this much lower [s]."""
    mean_s: float | None = None
    """Exact mean where only sums were taken [s]; None after a maximum."""


@dataclass(frozen=True)
class Grid:
    """Step h [s] and number of points; values beyond `size * step` are not told apart."""

    step: float
    size: int
    nearest: bool = False
    """Values are rounded to the nearest point, without bias, in place of upwards: for figures that prove nothing."""

    def law(self, d: Distribution) -> Law:
        """A distribution on the grid, rounded upwards."""
        if is_point(d):
            return constant(mean(d))
        low = quantile(d, 0.0)
        points = low + np.arange(self.size) * self.step
        if not self.nearest:
            return Law(low, np.diff(d.cdf(points + ROUNDING_S), prepend=0.0), self.step, mean(d))
        half = self.step / 2
        mass = np.diff(d.cdf(points + half), prepend=0.0)
        # Many times of a few steps each add up: what rounding does to their mean is taken back.
        bias = mean(d) - float(np.dot(mass, points))
        return Law(low + min(half, max(-half, bias)), mass, half, mean(d))

    def steps(self, seconds: float) -> int:
        """A time on the grid [steps]."""
        return round(seconds / self.step) if self.nearest else math.ceil(seconds / self.step - 1e-9)

    def add(self, a: Law, b: Law) -> Law:
        """Law of A + B."""
        error = a.error_s + b.error_s
        both = None if a.mean_s is None or b.mean_s is None else a.mean_s + b.mean_s
        if a.mass is None or b.mass is None:
            return Law(a.offset + b.offset, b.mass if a.mass is None else a.mass, error, both)
        width = 2 * self.size
        product = np.fft.rfft(a.mass, width) * np.fft.rfft(b.mass, width)
        mass = np.maximum(np.fft.irfft(product, width)[: self.size], 0.0)
        return Law(a.offset + b.offset, mass, error, both)

    def maximum(self, a: Law, b: Law) -> Law:
        """Law of max(A, B)."""
        if b.offset < a.offset:
            a, b = b, a
        if a.mass is None and b.mass is None:
            return constant(b.offset)
        if a.mass is None:
            return b
        shift = self.steps(b.offset - a.offset)
        error = max(a.error_s, b.error_s + self.step)
        at = self._cdf(a, 0) * self._cdf(b, shift)
        return Law(a.offset, np.diff(at, prepend=0.0), error)

    def minimum(self, a: Law, b: Law) -> Law:
        """Law of min(A, B): P(min > t) = P(A > t) P(B > t)."""
        if b.offset < a.offset:
            a, b = b, a
        if a.mass is None:
            return a
        shift = self.steps(b.offset - a.offset)
        if shift >= self.size:
            return a
        at = 1 - (1 - self._cdf(a, 0)) * (1 - self._cdf(b, shift))
        return Law(a.offset, np.diff(at, prepend=0.0), max(a.error_s, b.error_s + self.step))

    def least(self, laws: Iterable[Law]) -> Law:
        """A law stochastically below all of `laws` (and at most `error_s` above that): their largest CDF."""
        laws = list(laws)
        base = min(law.offset for law in laws)
        fixed = min((law.offset for law in laws if law.mass is None), default=None)
        if fixed is not None:
            if fixed <= base:
                return constant(fixed)
            # The least constant caps all: it is put on the grid, where nothing rounds it.
            base = fixed - math.ceil((fixed - base) / self.step) * self.step
        at = np.zeros(self.size)
        for law in laws:
            shift = math.ceil((law.offset - base) / self.step - 1e-9)
            at = np.maximum(at, self._cdf(law, shift))
        return Law(base, np.diff(at, prepend=0.0), max(law.error_s for law in laws) + self.step)

    def at_most(self, law: Law, t: float) -> float:
        """P(gridded time <= t), for t on the grid's range."""
        if law.mass is None:
            return 1.0 if law.offset <= t * (1 + 1e-12) + 1e-15 else 0.0
        last = math.floor((t - law.offset) / self.step + 1e-9)
        return float(np.sum(law.mass[: last + 1])) if last >= 0 else 0.0

    def mean_of(self, law: Law) -> float:
        """Mean: exact where only sums were taken, else from the grid (mass beyond it counts at its end)."""
        if law.mean_s is not None:
            return law.mean_s
        if law.mass is None:
            return law.offset
        beyond = max(0.0, 1.0 - float(np.sum(law.mass)))
        return law.offset + self.step * (float(np.dot(law.mass, np.arange(self.size))) + beyond * self.size)

    def _cdf(self, law: Law, shift: int) -> Array:
        at = np.zeros(self.size)
        if shift < self.size:
            at[shift:] = 1.0 if law.mass is None else np.cumsum(law.mass)[: self.size - shift]
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
            values.append(law.offset + keep * grid.step)
            weights.append(weight * law.mass[keep])
    value, weight = np.concatenate(values), np.concatenate(weights)
    order = np.argsort(value, kind="stable")
    reached = np.searchsorted(np.cumsum(weight[order]), q * (1 - 1e-12))
    return float(value[order][reached]) if reached < len(value) else math.inf
