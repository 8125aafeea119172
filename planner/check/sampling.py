"""Seeded Monte Carlo of requests on their ways, and order statistics with their sampling error."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .ways import Hop, Way

Array = NDArray[np.float64]
SAMPLES = 40_000
SEED = 20_250_719
SIGMAS = 4.0
"""Width of the sampling interval: a right figure falls outside once in 16,000."""


@dataclass(frozen=True)
class Drawn:
    """Sampled times of one visit, from the arrival at its node [s]."""

    first: Array
    total: Array


Draw = Callable[[np.random.Generator, str, int, int], Drawn]
"""(generator, node, nth visit, size) -> sampled times."""


@dataclass(frozen=True)
class Times:
    """Weighted samples of one quantity over requests [s]."""

    values: Array
    weights: Array

    @property
    def vary(self) -> bool:
        """Whether not all requests take the same."""
        return bool(np.ptp(self.values) > 1e-12 * np.max(self.values))

    @property
    def mean(self) -> float:
        return float(np.average(self.values, weights=self.weights))

    def mean_interval(self) -> tuple[float, float]:
        """Where the true mean lies but for SIGMAS standard errors."""
        spread = math.sqrt(float(np.average((self.values - self.mean) ** 2, weights=self.weights)))
        error = SIGMAS * spread / math.sqrt(len(self.values))
        return self.mean - error, self.mean + error

    def quantile_interval(self, p: float) -> tuple[float, float]:
        """Where the `p`-quantile lies but for SIGMAS standard errors of the order statistics."""
        error = SIGMAS * math.sqrt(p * (1 - p) / len(self.values))
        return self.quantile(p - error), self.quantile(p + error)

    def quantile(self, p: float) -> float:
        """The smallest value that a share `p` (0..1) of the requests does not exceed."""
        values, reached = self._ordered
        index = int(np.searchsorted(reached, min(max(p, 0.0), 1.0) * reached[-1] * (1 - 1e-12)))
        return float(values[min(index, len(values) - 1)])

    @cached_property
    def _ordered(self) -> tuple[Array, Array]:
        """The values in order, and the weight up to and with each."""
        order = np.argsort(self.values)
        return self.values[order], np.cumsum(self.weights[order])


@dataclass(frozen=True)
class Simulated:
    """What the simulation measured; `waited` is from the arrival of each (node, nth visit) to its first output."""

    first_output: Times
    end_to_end: Times
    waited: dict[tuple[str, int], Times]


def simulate(ways: Sequence[Way], draw: Draw, hop_s: Callable[[Hop], float]) -> Simulated:
    """Sample requests on each way in proportion to its probability; `hop_s` is the transfer time of an edge [s]."""
    rng = np.random.default_rng(SEED)
    sampled: dict[str | tuple[str, int], list[tuple[Array, float]]] = {}
    for way in ways:
        size = max(200, round(SAMPLES * way.probability))
        for name, measured in _one_way(rng, way, draw, hop_s, size).items():
            sampled.setdefault(name, []).append((measured, way.probability / size))
    times = {name: _joined(parts) for name, parts in sampled.items()}
    waited = {name: found for name, found in times.items() if isinstance(name, tuple)}
    return Simulated(times["first_output"], times["end_to_end"], waited)


def _joined(parts: list[tuple[Array, float]]) -> Times:
    values = np.concatenate([values for values, _ in parts])
    return Times(values, np.concatenate([np.full(len(values), weight) for values, weight in parts]))


def mixed(parts: Sequence[Times]) -> Times:
    """All of these samples, each as likely beside the others as its weight says."""
    return Times(np.concatenate([part.values for part in parts]), np.concatenate([part.weights for part in parts]))


def _one_way(
    rng: np.random.Generator, way: Way, draw: Draw, hop_s: Callable[[Hop], float], size: int
) -> dict[str | tuple[str, int], Array]:
    firsts: list[Array] = []
    ends: list[Array] = []
    measured: dict[str | tuple[str, int], Array] = {}
    for visit in way.visits:
        drawn = draw(rng, visit.node, visit.nth, size)
        ready = np.zeros(size)
        end_floor = np.zeros(size)
        for position, hop in visit.after:
            ready = np.maximum(ready, (firsts if hop.stream else ends)[position] + hop_s(hop))
            # What streams in ends no sooner than its source.
            end_floor = np.maximum(end_floor, ends[position])
        firsts.append(ready + drawn.first)
        ends.append(np.maximum(ready + drawn.total, end_floor))
        measured[visit.node, visit.nth] = drawn.first
    measured["first_output"] = np.minimum.reduce([firsts[i] for i in way.ends])
    measured["end_to_end"] = np.maximum.reduce([ends[i] for i in way.ends])
    return measured
