"""Memory of calls that burst: many take little most of the time, and each takes its peak for a while.

Equations are numbered as in `docs/math/nodes.md`.
"""

from __future__ import annotations

import math
from statistics import NormalDist

PERCENTILE = 99.9
"""of time for which the memory that is set aside for a node's calls is enough"""


def burst_bytes(mean_bytes: float, peak_bytes: float, in_flight: float, percentile: float = PERCENTILE) -> float:
    """[bytes] that calls take together, never exceeded for `percentile` % of the time; enough for one at its peak.

    `in_flight` is how many calls are in flight on average; their number is Poisson's (calls arrive at random, and no
    call waits for another). A call takes its peak for the share mean/peak of its time and nothing for the rest: of
    all laws with that mean and peak the one that varies most. So calls at their peak are Poisson's too, with mean
    in_flight x mean / peak. Equation (10).
    """
    if peak_bytes <= 0:
        return 0.0
    return peak_bytes * max(1, _poisson_quantile(in_flight * mean_bytes / peak_bytes, percentile / 100))


def _poisson_quantile(mean: float, probability: float) -> int:
    """The least k with P(N <= k) >= `probability` for a Poisson N; by the normal law with its skewness from 500 on."""
    if mean >= 500:
        z = NormalDist().inv_cdf(probability)
        return math.ceil(mean + z * math.sqrt(mean) + (z * z - 1) / 6)
    term = reached = math.exp(-mean)
    k = 0
    while reached < probability:
        k += 1
        term *= mean / k
        reached += term
    return k
