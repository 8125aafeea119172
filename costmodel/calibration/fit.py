"""Robust least squares of log errors, for the coefficients of one kernel on several devices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..operators.chip import Chip
from ..operators.coefficients import CHOICES
from .kernels import FIRM, Kernel
from .tables import Table

SHARES = frozenset({"compute_share", "bandwidth_share", "sustained", "tail", "share", "low_share"})
"""coefficients between 0 and 1"""
POWERS = frozenset({"overlap", "pipelining"})
"""coefficients of at least 1"""


def inside(name: str, value: float) -> float:
    """A coefficient as the search's free number: logit of a share, log of what exceeds 1 of a power, else log."""
    if name in SHARES:
        return float(np.log(value / (1 - value)))
    return float(np.log(value - 1 if name in POWERS else value))


def outside(name: str, x: float) -> float:
    """The inverse of `inside`."""
    if name in SHARES:
        return float(1 / (1 + np.exp(-x)))
    return float(np.exp(x) + (1 if name in POWERS else 0))


def fit(kernel: Kernel, tables: Sequence[tuple[str, Chip, Table]], limit: int = 2000) -> dict[str, Any]:
    """The coefficients of `kernel`: shared ones and each device's, by robust least squares of log errors.

    Every device weighs alike; the priors hold what its rows do not tell.
    """
    ids = [id for id, _, _ in tables]
    names = [("", name) for name in kernel.shared] + [(id, name) for id in ids for name in kernel.devices]
    start = np.array([inside(name, (kernel.devices if id else kernel.shared)[name]) for id, name in names])
    hold = np.array([kernel.firm if name in FIRM else kernel.hold for _, name in names])
    drawn = [(id, chip, table.sample(limit)) for id, chip, table in tables]

    def unpack(x: np.ndarray, id: str) -> dict[str, float]:
        values = {name: outside(name, v) for (owner, name), v in zip(names, x, strict=True) if owner in ("", id)}
        return {**values, **kernel.choices.get(id, {})}

    def errors(x: np.ndarray) -> np.ndarray:
        parts = [
            (np.log(kernel.predict(chip, unpack(x, id), table)) - np.log(table["latency"])) * np.sqrt(1000 / len(table))
            for id, chip, table in drawn
        ]
        own = x[len(kernel.shared) :].reshape(len(ids), -1)
        return np.concatenate([*parts, hold * (x - start), kernel.pull * (own - own.mean(axis=0)).ravel()])

    from scipy.optimize import least_squares  # slow to import, and wanted by nobody else

    found = least_squares(errors, start, loss="soft_l1", f_scale=0.15, max_nfev=40).x
    per_device = {id: {n: v for n, v in unpack(found, id).items() if n in kernel.devices or n in CHOICES} for id in ids}
    return {
        "shared": {n: outside(n, x) for (id, n), x in zip(names, found, strict=True) if not id},
        "devices": per_device,
    }
