"""What a random time counts as where a request is to end in time with a probability: its certainty equivalent."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from ....ir.distribution import Distribution
from .laws import is_point, mean, quantile

POINTS = 2048
FAR = 0.9999
"""Beyond this quantile a time counts as the quantile."""


@lru_cache(maxsize=65536)
def certain(d: Distribution, tilt: float) -> float:
    """(72) -log E[exp(-t X)] / t, or up to 1 % of 1 / t less [s]; `tilt` is t [1/s].

    Between the least value of X and its mean. Where the expectation is no formula, each value counts as the end of its
    stretch that makes the result less.
    """
    if is_point(d):
        return mean(d)
    if d.kind in ("wait", "exponential"):
        probability, after = (1.0, *d.params) if d.kind == "exponential" else d.params
        steps = tilt * after  # E[exp(-t X)] = (1 + (1 - P) t m) / (1 + t m)
        return d.shift + (math.log1p(steps) - math.log1p((1 - probability) * steps)) / tilt
    low, high = quantile(d, 0.0), quantile(d, FAR)
    ends = np.linspace(low, high, POINTS + 1)
    at = d.cdf(ends)
    mass = np.diff(at, prepend=0.0)
    # What lies in a stretch counts as its beginning, what lies beyond the last as its end.
    starts = np.concatenate(([low], ends[:-1]))
    chance = np.concatenate((mass, [1 - float(at[-1])]))
    later = np.concatenate((starts, [high])) - low
    likely = chance > 0
    # In logarithms: at a large tilt all exponentials may be nothing.
    expected = float(np.logaddexp.reduce(np.log(chance[likely]) - tilt * later[likely]))
    return max(low, low - min(0.0, expected) / tilt)
