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
from statistics import NormalDist

import numpy as np

from ...ir.distribution import Distribution

Array = np.ndarray
_NORMAL = NormalDist()
_erf = np.vectorize(math.erf, otypes=[float])


@lru_cache(maxsize=65536)
def mean(d: Distribution) -> float:
    """Mean of a distribution, in its own unit."""
    if d.kind == "point":
        value = d.params[0]
    elif d.kind == "lognormal":
        value = math.exp(d.params[0] + d.params[1] ** 2 / 2)
    elif d.kind == "exponential":
        value = d.params[0]
    elif d.kind == "wait":
        value = d.params[0] * d.params[1]
    elif d.kind == "samples":
        value = sum(d.params) / len(d.params)
    else:
        ps, vs = _knots(d)
        value = float(np.sum((vs[1:] + vs[:-1]) / 2 * np.diff(ps)))
    return d.shift + value


@lru_cache(maxsize=65536)
def quantile(d: Distribution, q: float) -> float:
    """Smallest t with P(X <= t) >= q, for 0 <= q < 1; at q = 0 the least value that X can take."""
    if d.kind == "point":
        value = d.params[0]
    elif d.kind == "lognormal":
        mu, sigma = d.params
        value = 0.0 if q <= 0 and sigma > 0 else math.exp(mu + sigma * _NORMAL.inv_cdf(max(q, 1e-300)))
    elif d.kind == "exponential":
        value = -d.params[0] * math.log1p(-q)
    elif d.kind == "wait":
        p, m = d.params
        value = m * math.log(p / (1 - q)) if 1 - q < p else 0.0
    elif d.kind == "samples":
        ordered = sorted(d.params)
        value = ordered[max(0, math.ceil(q * len(ordered) - 1e-9) - 1)]
    else:
        ps, vs = _knots(d)
        value = float(np.interp(q, ps, vs))
    return d.shift + value


def cdf(d: Distribution, t: Array) -> Array:
    """P(X <= t) at each t."""
    t = np.asarray(t, dtype=float) - d.shift
    if d.kind == "point":
        return (t >= d.params[0] - 1e-15).astype(float)
    if d.kind == "lognormal":
        mu, sigma = d.params
        if sigma <= 0:
            return (t >= math.exp(mu)).astype(float)
        z = (np.log(np.maximum(t, 1e-300)) - mu) / (sigma * math.sqrt(2))
        return np.where(t > 0, 0.5 * (1 + _erf(z)), 0.0)
    if d.kind == "exponential":
        return np.where(t >= 0, -np.expm1(-np.maximum(t, 0) / max(d.params[0], 1e-300)), 0.0)
    if d.kind == "wait":
        p, m = d.params
        return np.where(t >= 0, 1 - p * np.exp(-np.maximum(t, 0) / max(m, 1e-300)), 0.0)
    if d.kind == "samples":
        return np.searchsorted(np.sort(d.params), t, side="right") / len(d.params)
    ps, vs = _knots(d)
    rising = np.maximum.accumulate(vs + np.arange(len(vs)) * 1e-15)
    return np.where(t < vs[0], 0.0, np.interp(t, rising, ps))


def is_point(d: Distribution) -> bool:
    """Whether X is a constant."""
    return (
        d.kind == "point"
        or (d.kind == "lognormal" and d.params[1] <= 0)
        or (d.kind == "exponential" and d.params[0] <= 0)
        or (d.kind == "wait" and d.params[0] * d.params[1] <= 0)
        or (d.kind in ("samples", "quantiles") and len(set(_values(d))) == 1)
    )


def _values(d: Distribution) -> tuple[float, ...]:
    return d.params if d.kind == "samples" else d.params[1::2]


def _knots(d: Distribution) -> tuple[Array, Array]:
    """Probabilities from 0 to 1 and their values; the ends are held constant beyond the outer quantiles."""
    ps, vs = np.array(d.params[0::2]), np.array(d.params[1::2])
    return np.concatenate(([0.0], ps, [1.0])), np.concatenate((vs[:1], vs, vs[-1:]))


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

    def law(self, d: Distribution) -> Law:
        """A distribution on the grid, rounded upwards."""
        if is_point(d):
            return constant(mean(d))
        low = quantile(d, 0.0)
        at = cdf(d, low + np.arange(self.size) * self.step)
        return Law(low, np.diff(at, prepend=0.0), self.step, mean(d))

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
        shift = math.ceil((b.offset - a.offset) / self.step - 1e-9)
        error = max(a.error_s, b.error_s + self.step)
        at = self._cdf(a, 0) * self._cdf(b, shift)
        return Law(a.offset, np.diff(at, prepend=0.0), error)

    def least(self, laws: Iterable[Law]) -> Law:
        """A law stochastically below all of `laws` (and at most `error_s` above that): their largest CDF."""
        laws = list(laws)
        base = min(law.offset for law in laws)
        if all(law.mass is None for law in laws):
            return constant(base)
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


def constant(value: float) -> Law:
    """The law of a constant [s]."""
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
