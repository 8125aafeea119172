"""Fit the kernels of one device to few measurements, starting from what it has or inherits.

Equations are numbered as in `docs/math/calibration.md`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..calibrated import Calibration
from ..hardware import Device
from ..operators.chip import chip_of
from ..operators.coefficients import CHOICES, coefficients
from ..operators.memory import Array
from .few_rows import left_out, most_likely, sample
from .operator_rows import OperatorRows

TIMES = frozenset(
    {"launch_clocks", "second_launch_clocks", "block", "step", "tile_end", "split", "combine", "row", "hop"}
    | {"barrier", "bulk_start", "host"}
)
"""coefficients that a slower device has more of"""
SHARES = frozenset({"compute_share", "bandwidth_share", "share", "low_share"})
"""of a data sheet's figure, at most 1"""
RATES = SHARES | {"draw", "flops_per_watt", "cache_bytes_per_clock"}
"""of which it has less"""
POWERS = frozenset({"overlap", "pipelining"})
"""at least 1; what exceeds it is free"""
FIRM = frozenset({"cache_steepness", "cache_bytes_per_clock", "copies", "cache_share"})
"""what few rows cannot tell, and devices do not differ in"""
OPTIONS: Mapping[str, tuple[float, ...]] = {
    "narrow_rows": (64, 128, 256),
    "packs_groups": (0, 1),
    "splits_plain_heads": (0, 1),
}
"""of choices"""
SCALE, ALIKE, OWN, FIRM_OWN = 0.3, 0.3, 0.3, 0.05
"""standard deviations of logs: of one factor on all times, of a coefficient in all kernels, of each by itself"""
NOISE = 0.07
"""of a row, in the log: what the model is off by where it was fitted to thousands of rows"""
CHOICE_COST = 2.0
"""by which another choice must be better, in units of half a sum of squares"""
Kernels = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Free:
    """The coefficients that are fitted, and their prior."""

    names: tuple[tuple[str, str], ...]
    """kernel and coefficient"""
    start: Kernels

    @classmethod
    def of(cls, start: Kernels) -> Free:
        names = tuple((k, name) for k, values in start.items() for name in values if name not in CHOICES)
        return cls(names, start)

    def covariance(self) -> np.ndarray:
        """Of the logs of the coefficients. Equation (3)."""
        alone = [name for _, name in self.names]
        scale = np.array([(name in TIMES) * 1.0 - (name in RATES) for name in alone])
        loose = np.array([name not in FIRM for name in alone], float)
        same = np.array([[a == b for b in alone] for a in alone], float) * np.outer(loose, loose)
        own = np.diag(np.where(loose > 0, OWN, FIRM_OWN) ** 2)
        return SCALE**2 * np.outer(scale * loose, scale * loose) + ALIKE**2 * same + own

    def moved(self, moves: np.ndarray, choices: Kernels) -> dict[str, dict[str, float]]:
        """All coefficients after the moves. Equation (4)."""
        out = {kernel: {**values, **choices[kernel]} for kernel, values in self.start.items()}
        for (kernel, name), move in zip(self.names, moves.tolist(), strict=True):
            value, least = self.start[kernel][name], 1.0 if name in POWERS else 0.0
            new = least + (value - least) * float(np.exp(move))
            out[kernel][name] = min(new, max(1.0, value)) if name in SHARES else new
        return out


def start_of(device: Device, kernels: Sequence[str]) -> dict[str, dict[str, float]]:
    """What those kernels have on `device` now, by measurements or inherited."""
    return {kernel: dict(coefficients(kernel, chip_of(device))) for kernel in kernels}


def with_kernels(device: Device, kernels: Kernels) -> Device:
    """`device` with these coefficients over its own."""
    calibration = device.calibration
    return replace(device, calibration=Calibration({**calibration.kernels, **kernels}, calibration.cells))


def fit_kernels(rows: OperatorRows, device: Device, start: Kernels) -> dict[str, dict[str, float]]:
    """The most likely coefficients of the kernels of `start`, given the rows. Equations (1) to (4).

    Choices of a kernel are tried one by one, and changed where the rows leave no doubt.
    """
    free = Free.of(start)
    covariance, measured = free.covariance(), np.log(rows.measured_s)
    choices: Kernels = {kernel: {n: v for n, v in values.items() if n in CHOICES} for kernel, values in start.items()}

    def solve(chosen: Kernels) -> tuple[np.ndarray, float]:
        def log_errors(moves: np.ndarray) -> np.ndarray:
            return (np.log(rows.predict_s(with_kernels(device, free.moved(moves, chosen)))) - measured) / NOISE

        return most_likely(log_errors, covariance)

    moves, left = solve(choices)
    for other in _others(choices):
        found, cost = solve(other)
        if cost + CHOICE_COST < left:
            choices, moves, left = other, found, cost
    return free.moved(moves, choices)


def _others(choices: Kernels) -> Iterator[Kernels]:
    """The choices with one of them changed, each way."""
    for kernel, values in choices.items():
        for name, value in values.items():
            for option in OPTIONS[name]:
                if option != value:
                    yield {**choices, kernel: {**values, name: option}}


def calibrate_kernels(rows: OperatorRows, device: Device) -> tuple[dict[str, dict[str, float]], Array]:
    """(coefficients by kernel, [s] of each row predicted by a fit without it)."""
    start = start_of(device, rows.kernels(device))

    def predict(known: np.ndarray, unknown: np.ndarray) -> Array:
        found = fit_kernels(rows.where(sample(known)), device, start)
        return rows.where(unknown).predict_s(with_kernels(device, found))

    return fit_kernels(rows.where(sample(np.arange(len(rows)))), device, start), left_out(len(rows), predict)
