"""Distributions of times and token counts: one frozen value type for the whole project."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

Z95 = NormalDist().inv_cdf(0.95)

KINDS = ("point", "lognormal", "exponential", "wait", "quantiles", "samples")


@dataclass(frozen=True)
class Distribution:
    """A non-negative random quantity; `kind` says how `params` are read.

    point: (value,) · lognormal: (mu, sigma) of the logarithm · exponential: (mean,) ·
    wait: (probability, mean) of an exponential wait that occurs with that probability and is 0 otherwise ·
    quantiles: (p1, v1, p2, v2, ...) joined linearly · samples: the values themselves, equally likely.
    Each may be shifted to the right by `shift`.
    """

    kind: str
    params: tuple[float, ...]
    shift: float = 0.0

    @staticmethod
    def point(value: float) -> Distribution:
        """The constant `value`."""
        return Distribution("point", (float(value),))

    @staticmethod
    def lognormal_mean_p95(mean: float, p95: float) -> Distribution:
        """Lognormal with that mean and 95th percentile; ValueError outside 1 <= p95/mean <= 3.868."""
        ratio = p95 / mean
        if not 1 <= ratio <= math.exp(Z95 * Z95 / 2):
            raise ValueError("no lognormal distribution has this mean and p95")
        sigma = Z95 - math.sqrt(max(0.0, Z95 * Z95 - 2 * math.log(ratio)))
        return Distribution("lognormal", (math.log(mean) - sigma * sigma / 2, sigma))

    @staticmethod
    def lognormal_p50_p95(p50: float, p95: float) -> Distribution:
        """Lognormal with that median and 95th percentile."""
        return Distribution("lognormal", (math.log(p50), math.log(p95 / p50) / Z95))
