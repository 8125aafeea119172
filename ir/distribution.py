"""Distributions of times and token counts: one frozen value type for the whole project.

Everything here is plain arithmetic; numpy is imported only for distribution functions and samples.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from statistics import NormalDist
from typing import TYPE_CHECKING, overload

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NORMAL = NormalDist()
Z95 = NORMAL.inv_cdf(0.95)
LARGEST_P95_OVER_MEAN = math.exp(Z95 * Z95 / 2)
"""No lognormal has a 95th percentile above this multiple of its mean (3.868)."""

KINDS = ("point", "lognormal", "truncated", "exponential", "wait", "repeats", "quantiles", "samples")


@dataclass(frozen=True)
class Distribution:
    """A non-negative random quantity; `kind` says how `params` are read.

    point: (value,) · lognormal: (mu, sigma) of the logarithm · exponential: (mean,) ·
    truncated: (mu, sigma, p, q) of a lognormal quantity that lies between its quantiles at p and q ·
    wait: (probability, mean) of an exponential wait that occurs with that probability and is 0 otherwise ·
    repeats: (probability, value): N times the value, N the failures before a first success, P(N = k) = (1 - p) p^k ·
    quantiles: (p1, v1, p2, v2, ...) joined linearly, the first and last stretch going on to 0 and 1 (never
    below 0; one pair alone is a constant) · samples: the values themselves, equally likely.
    Each may be shifted to the right by `shift`. ValueError where the parameters are no distribution.
    """

    kind: str
    params: tuple[float, ...]
    shift: float = 0.0

    def __post_init__(self) -> None:
        fault = _fault(self.kind, self.params)
        if fault:
            raise ValueError(f"{self.kind} distribution: {fault}")
        if not math.isfinite(self.shift) or self.minimum < 0:
            raise ValueError(f"{self.kind} distribution: the shift {self.shift:g} makes it negative")

    @staticmethod
    def point(value: float) -> Distribution:
        """The constant `value`."""
        return Distribution("point", (float(value),))

    @staticmethod
    def exponential(mean: float) -> Distribution:
        """Exponential with that mean."""
        return Distribution("exponential", (float(mean),))

    @staticmethod
    def wait(probability: float, mean: float) -> Distribution:
        """0, or with `probability` exponential with `mean` (the M/M/n waiting time has this form)."""
        return Distribution("wait", (float(probability), float(mean)))

    @staticmethod
    def repeats(probability: float, value: float) -> Distribution:
        """N times `value`, where each try fails with `probability` and N tries fail before one does not."""
        return Distribution("repeats", (float(probability), float(value)))

    @staticmethod
    def lognormal_mean_p95(mean: float, p95: float) -> Distribution:
        """Lognormal with that mean and 95th percentile; ValueError outside 1 <= p95/mean <= 3.868."""
        ratio = p95 / mean if mean > 0 else math.nan
        if not 1 <= ratio <= LARGEST_P95_OVER_MEAN:
            raise ValueError("no lognormal distribution has this mean and p95")
        sigma = Z95 - math.sqrt(max(0.0, Z95 * Z95 - 2 * math.log(ratio)))
        return Distribution("lognormal", (math.log(mean) - sigma * sigma / 2, sigma))

    @staticmethod
    def lognormal_p50_p95(p50: float, p95: float) -> Distribution:
        """Lognormal with that median and 95th percentile; ValueError unless 0 < p50 <= p95."""
        if not 0 < p50 <= p95:
            raise ValueError("no lognormal distribution has this p50 and p95")
        return Distribution("lognormal", (math.log(p50), math.log(p95 / p50) / Z95))

    @property
    def mean(self) -> float:
        """The expected value."""
        return self.shift + self._moments[0]

    @property
    def variance(self) -> float:
        """The variance, in the square of the value's unit."""
        return self._moments[1]

    @property
    def minimum(self) -> float:
        """The greatest lower bound of the support."""
        if self.kind == "point":
            return self.shift + self.params[0]
        if self.kind == "quantiles":
            return self.shift + self.knots[0][1]
        if self.kind == "truncated":
            return self.shift + self._quantile(0.0)
        return self.shift + (min(self.params) if self.kind == "samples" else 0.0)

    @property
    def _failing(self) -> float:
        """Probability of a failure of `repeats`, 0 where its value is nothing."""
        return self.params[0] if self.params[1] > 0 else 0.0

    @overload
    def cdf(self, t: float) -> float: ...
    @overload
    def cdf(self, t: NDArray[np.floating]) -> NDArray[np.float64]: ...
    def cdf(self, t: float | NDArray[np.floating]) -> float | NDArray[np.float64]:
        """P(X <= t), of one value or of each in an array."""
        import numpy as np

        at = self._cdf(np.asarray(t, dtype=np.float64) - self.shift)
        return at if isinstance(t, np.ndarray) else float(at)

    def _cdf(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """The same before the shift."""
        import numpy as np

        match self.kind:
            case "samples":
                return np.searchsorted(np.asarray(self._ordered), x, side="right") / len(self._ordered)
            case "quantiles":
                return _piecewise_cdf(self.knots, x)
            case "lognormal" if self.params[1] > 0:
                return _lognormal_cdf(self.params[0], self.params[1], x)
            case "truncated":
                mu, sigma, low, high = self.params
                return np.clip((_lognormal_cdf(mu, sigma, x) - low) / (high - low), 0.0, 1.0)
            case "repeats" if self._failing:
                # A value that is a sum of floats may miss its own atom by a rounding.
                done = np.floor(np.maximum(x, 0.0) / self.params[1] * (1 + 1e-12)) + 1
                return np.where(x >= 0, 1 - self._failing**done, 0.0)
            case "exponential" | "wait":
                probability, mean = (1.0, *self.params) if self.kind == "exponential" else self.params
                tail = probability * np.exp(-np.maximum(x, 0.0) / mean) if mean > 0 else 0.0
                return np.where(x >= 0, 1 - tail, 0.0)
        return (x >= self._quantile(0.5)).astype(np.float64)

    def quantile(self, q: float) -> float:
        """The least t with P(X <= t) >= q; infinite at q = 1 where the support is."""
        if not 0 <= q <= 1:
            raise ValueError(f"a quantile is asked at {q:g}, outside 0..1")
        return self.shift + self._quantile(q)

    def _quantile(self, q: float) -> float:
        match self.kind:
            case "point":
                return self.params[0]
            case "samples":
                number = math.ceil(q * len(self._ordered) - 1e-9)
                return self._ordered[max(0, number - 1)]
            case "quantiles":
                return _piecewise_quantile(self.knots, q)
            case "lognormal":
                return _lognormal_quantile(self.params[0], self.params[1], q)
            case "truncated":
                mu, sigma, low, high = self.params
                return _lognormal_quantile(mu, sigma, low + q * (high - low) if q < 1 else high)
            case "repeats":
                p = self._failing
                if q <= 1 - p:
                    return 0.0
                return math.inf if q == 1 else self.params[1] * math.ceil(math.log1p(-q) / math.log(p) - 1 - 1e-9)
            case "exponential":
                probability, mean = 1.0, self.params[0]
            case _:
                probability, mean = self.params
        if q <= 1 - probability or mean == 0:
            return 0.0
        return math.inf if q == 1 else -mean * math.log((1 - q) / probability)

    def scaled(self, factor: float) -> Distribution:
        """The distribution of `factor` times the quantity; `factor` is not negative."""
        if not 0 <= factor < math.inf:
            raise ValueError(f"a distribution cannot be scaled by {factor:g}")
        if factor == 0:
            return Distribution.point(0.0)
        match self.kind:
            case "lognormal" | "truncated":
                params = (self.params[0] + math.log(factor), *self.params[1:])
            case "wait" | "repeats":
                params = (self.params[0], self.params[1] * factor)
            case "quantiles":
                params = tuple(p * factor if i % 2 else p for i, p in enumerate(self.params))
            case _:
                params = tuple(p * factor for p in self.params)
        return Distribution(self.kind, params, self.shift * factor)

    def shifted(self, by: float) -> Distribution:
        """The distribution of the quantity plus the constant `by`; ValueError where that may be negative."""
        return replace(self, shift=self.shift + by)

    def sample(self, rng: np.random.Generator, size: int) -> NDArray[np.float64]:
        """`size` independent draws, shape (size,)."""
        import numpy as np

        match self.kind:
            case "point":
                drawn = np.full(size, self.params[0])
            case "lognormal":
                drawn = rng.lognormal(self.params[0], self.params[1], size)
            case "truncated":
                ranks = rng.random(size)
                drawn = np.fromiter((self._quantile(float(rank)) for rank in ranks), np.float64, size)
            case "exponential":
                drawn = rng.exponential(self.params[0], size)
            case "wait":
                occurs = rng.random(size) < self.params[0]
                drawn = np.where(occurs, rng.exponential(self.params[1], size), 0.0)
            case "repeats":
                drawn = (rng.geometric(1 - self.params[0], size) - 1) * self.params[1]
            case "quantiles":
                probabilities, values = zip(*self.knots, strict=True)
                drawn = np.interp(rng.random(size), probabilities, values)
            case _:
                drawn = rng.choice(np.asarray(self.params), size)
        return np.asarray(drawn, dtype=np.float64) + self.shift

    @cached_property
    def _ordered(self) -> tuple[float, ...]:
        return tuple(sorted(self.params))

    @cached_property
    def knots(self) -> tuple[tuple[float, float], ...]:
        """(probability, value) from probability 0 to 1."""
        given = list(zip(self.params[::2], self.params[1::2], strict=True))
        if len(given) == 1:
            return ((0.0, given[0][1]), (1.0, given[0][1]))
        (p0, v0), (p1, v1), (pm, vm), (pn, vn) = given[0], given[1], given[-2], given[-1]
        if p0 > 0:
            slope = (v1 - v0) / (p1 - p0)
            if slope > 0 and v0 / slope < p0:
                given.insert(0, (p0 - v0 / slope, 0.0))
                given.insert(0, (0.0, 0.0))
            else:
                given.insert(0, (0.0, v0 - slope * p0))
        if pn < 1:
            given.append((1.0, vn + (vn - vm) / (pn - pm) * (1 - pn)))
        return tuple(given)

    @cached_property
    def _moments(self) -> tuple[float, float]:
        """Mean and variance before the shift."""
        match self.kind:
            case "point":
                return self.params[0], 0.0
            case "lognormal":
                mu, sigma = self.params
                mean = math.exp(mu + sigma * sigma / 2)
                return mean, math.expm1(sigma * sigma) * mean * mean
            case "truncated":
                mu, sigma, low, high = self.params
                mean, square = (_truncated_moment(mu, sigma, low, high, order) for order in (1, 2))
                return mean, max(0.0, square - mean * mean)
            case "exponential":
                return self.params[0], self.params[0] ** 2
            case "wait":
                probability, mean = self.params
                return probability * mean, probability * (2 - probability) * mean * mean
            case "repeats":
                p, value = self.params
                return value * p / (1 - p), value * value * p / (1 - p) ** 2
            case "samples":
                mean = math.fsum(self.params) / len(self.params)
                return mean, math.fsum((x - mean) ** 2 for x in self.params) / len(self.params)
        stretches = [(q - p, a, b) for (p, a), (q, b) in pairwise(self.knots)]
        mean = math.fsum(w * (a + b) / 2 for w, a, b in stretches)
        around = [(w, a - mean, b - mean) for w, a, b in stretches]
        return mean, math.fsum(w * (a * a + a * b + b * b) / 3 for w, a, b in around)


def _lognormal_cdf(mu: float, sigma: float, x: NDArray[np.float64]) -> NDArray[np.float64]:
    import numpy as np

    z = (np.log(np.maximum(x, 1e-300)) - mu) / (sigma * math.sqrt(2))
    return np.where(x > 0, np.vectorize(math.erfc, otypes=[float])(-z) / 2, 0.0)


def _lognormal_quantile(mu: float, sigma: float, q: float) -> float:
    if sigma == 0:
        return math.exp(mu)
    if q in (0.0, 1.0):
        return math.inf if q else 0.0
    return math.exp(mu + sigma * NORMAL.inv_cdf(q))


def _truncated_moment(mu: float, sigma: float, low: float, high: float, order: int) -> float:
    """E[X^n] between the quantiles at p and q, whose standard scores are y and z.

    exp(n mu + n^2 sigma^2 / 2) (Phi(z - n sigma) - Phi(y - n sigma)) / (q - p)

    Source: Johnson, Kotz and Balakrishnan, "Continuous Univariate Distributions" 1 (1994), section 14.7.
    """
    z_low, z_high = (-math.inf if p <= 0 else math.inf if p >= 1 else NORMAL.inv_cdf(p) for p in (low, high))
    by = order * sigma
    # Of the two tails the smaller: far out the difference of two numbers near 1 would have no digits left.
    if z_low - by > 0:
        inside = _normal_cdf(by - z_low) - _normal_cdf(by - z_high)
    else:
        inside = _normal_cdf(z_high - by) - _normal_cdf(z_low - by)
    return math.exp(order * mu + by * by / 2) * inside / (high - low)


def _normal_cdf(z: float) -> float:
    return math.erfc(-z / math.sqrt(2)) / 2


def _piecewise_cdf(knots: tuple[tuple[float, float], ...], x: NDArray[np.float64]) -> NDArray[np.float64]:
    import numpy as np

    p, v = np.array(knots).T
    after = np.minimum(np.searchsorted(v, x, side="right"), len(v) - 1)
    before = np.maximum(after - 1, 0)
    width = np.where(v[after] > v[before], v[after] - v[before], 1.0)
    inside = p[before] + (p[after] - p[before]) * (x - v[before]) / width
    return np.where(x < v[0], 0.0, np.where(x >= v[-1], 1.0, inside))


def _piecewise_quantile(knots: tuple[tuple[float, float], ...], q: float) -> float:
    for (p, a), (r, b) in pairwise(knots):
        if q <= r:
            return a + (b - a) * (q - p) / (r - p) if r > p else b
    return knots[-1][1]


def _fault(kind: str, params: tuple[float, ...]) -> str | None:
    """Why these are no parameters of that kind, or None."""
    sizes = {"point": 1, "lognormal": 2, "truncated": 4, "exponential": 1, "wait": 2, "repeats": 2}
    if kind not in KINDS:
        return f"the kinds are {', '.join(KINDS)}"
    if len(params) != sizes.get(kind, len(params)) or not params:
        return f"{len(params)} parameters are not what it takes"
    if not all(math.isfinite(p) for p in params):
        return "a parameter is not finite"
    if any(p < 0 for p in (params[1:] if kind in ("lognormal", "truncated") else params)):
        return "a parameter is negative"
    if kind == "truncated" and (params[1] == 0 or not params[2] < params[3] <= 1):
        return "it takes sigma over 0, and two probabilities in 0..1 that rise"
    if kind == "wait" and params[0] > 1:
        return "its probability is over 1"
    if kind == "repeats" and params[0] >= 1:
        return "it never succeeds"
    if kind == "quantiles":
        ps, vs = params[::2], params[1::2]
        if len(ps) != len(vs) or ps[-1] > 1:
            return "it takes pairs of a probability in 0..1 and a value"
        if any(a >= b for a, b in pairwise(ps)):
            return "its probabilities do not rise"
        if any(a > b for a, b in pairwise(vs)):
            return "its values fall"
    return None
