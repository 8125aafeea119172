"""The law of what series and parallel reductions leave of a network, from stratified draws of its times.

Source: `docs/math/placement.md`, "Percentiles"; strata as in McKay, Beckman and Conover, "A comparison of three
methods for selecting values of input variables", Technometrics 21 (1979).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from .laws import Array, Grid, Law, constant

Arcs = Mapping[str, Mapping[str, Law]]
"""Event -> the events that it waits for, and the law of the time between."""

DRAWS = 2**18
"""Requests drawn for all ways of a plan together. At 0.99 the standard error of a distribution function is under
sqrt(0.01 / DRAWS) = 0.0002: 0.7 % of the percentile of a lognormal with sigma 1, and less where strata help."""
LEAST_DRAWS = 2**11
"""Requests drawn for a way, however rare."""
MOST_VALUES = 2**23
"""Times drawn for one way, of all its arcs together."""
SEED = 20_250_719


def draws_for(probability: float) -> int:
    """How many requests to draw on a way that this share of the requests takes."""
    return max(LEAST_DRAWS, math.ceil(DRAWS * probability))


def drawn_law(grid: Grid, arcs: Arcs, source: str, sink: str, earliest: bool, size: int) -> Law:
    """Law of the time from `source` to `sink`: each arc's law is cut into `size` strata of equal probability,
    which are joined at random. An event happens with its last arc; `sink` with its first where `earliest`.
    """
    rng = np.random.default_rng(SEED)
    size = min(size, MOST_VALUES // sum(map(len, arcs.values())))
    times: dict[str, Array] = {source: np.zeros(size)}
    error = 0.0
    for event in in_order(arcs):
        arrivals = []
        for before, law in arcs[event].items():
            arrivals.append(times[before] + _values(law, grid, rng, size))
            error += law.error_s
        if arrivals:
            times[event] = (np.minimum if earliest and event == sink else np.maximum).reduce(arrivals)
    return _gridded(times[sink], grid, error)


def in_order(arcs: Arcs) -> list[str]:
    """Events, each after all that it waits for."""
    found: dict[str, None] = {}
    waiting = {event: set(before) for event, before in arcs.items()}
    while waiting:
        ready = [event for event, before in waiting.items() if not before]
        found |= dict.fromkeys(ready)
        waiting = {event: before - set(ready) for event, before in waiting.items() if before}
    return list(found)


def _values(law: Law, grid: Grid, rng: np.random.Generator, size: int) -> Array | float:
    if law.mass is None:
        return law.offset
    strata = (np.arange(size) + 0.5) / size
    values = law.offset + grid.halved(law.halvings) * np.searchsorted(np.cumsum(law.mass), strata)
    rng.shuffle(values)
    return values


def _gridded(times: Array, grid: Grid, error: float) -> Law:
    """A law of equally likely values; those beyond the grid are what its mass lacks to 1."""
    low, high = float(np.min(times)), float(np.max(times))
    if high == low:
        return constant(low)
    halvings = grid.halvings_for(high - low)
    step = grid.halved(halvings)
    steps = (times - low) / step
    at = (np.round(steps) if grid.nearest else np.ceil(steps - 1e-9)).astype(np.int64)
    mass = np.bincount(at[at < grid.size], minlength=grid.size) / len(times)
    return Law(low, mass, error + step, None, halvings)
