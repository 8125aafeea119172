"""Fit an engine's overheads to measured serving points, by robust least squares of log errors.

The operators stay as they are: what is fitted is what an engine adds to them, shared by all engines, with priors from
kernels measured alone. Cells (model, device, engine, precision) weigh alike, whatever their number of points.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.optimize import least_squares

from ..serving.table import Question, answer, read_question, with_engine

STEP_PRIORS: Mapping[str, tuple[float, float]] = {
    "attention_share": (1.0, 0.15),
    "quantise_share": (0.5, 0.5),
    "expert_compute_share": (0.45, 0.3),
    "expert_bandwidth_share": (0.87, 0.1),
    "expert_rows": (32.0, 0.7),
    "launch_s": (2.5e-6, 0.5),
    "reduce_s": (1e-6, 1.0),
    "step_s": (1e-3, 1.0),
    "sequence_s": (25e-6, 1.0),
}
"""What decides the time between tokens: prior, and its standard deviation in the logarithm"""
WAIT_PRIORS: Mapping[str, tuple[float, float]] = {
    "wait_share": (1.0, 1.0),
    "wait_slope": (0.05, 0.5),
    "request_s": (0.02, 1.0),
}
"""What only the time to first token depends on"""
TPOT_SCALE, TTFT_SCALE = 0.1, 0.3
"""log errors up to which a point counts in full; beyond, its weight falls (Cauchy)"""
FULL_CELL = 40
"""points from which on a cell weighs in full"""


@dataclass(frozen=True)
class Points:
    """Measured serving points."""

    questions: tuple[Question, ...]
    ttft_s: np.ndarray
    tpot_s: np.ndarray
    cells: np.ndarray
    """model, device, engine and precision of each, as one text"""

    def where(self, rows: np.ndarray) -> Points:
        """Some of them."""
        questions = tuple(question for question, kept in zip(self.questions, rows, strict=True) if kept)
        return Points(questions, self.ttft_s[rows], self.tpot_s[rows], self.cells[rows])


def read_points(path: Path) -> Points:
    """The points of a table with `silicon_ttft_ms` and `silicon_tpot_ms`."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    questions = tuple(read_question(row) for row in rows)
    ttft, tpot = (np.array([float(row[f"silicon_{name}_ms"]) for row in rows]) * 1e-3 for name in ("ttft", "tpot"))
    columns = ("model_path", "system", "backend", "precision")
    return Points(questions, ttft, tpot, np.array([" ".join(row[column] for column in columns) for row in rows]))


def predict(points: Points, engine: Mapping[str, float]) -> tuple[np.ndarray, np.ndarray]:
    """(TTFT, TPOT) [s] of every point, where each engine has these coefficients; ValueError where one has no price."""
    adapted = [with_engine(q, replace(q.replica.engine, **engine)) for q in points.questions]
    answers = [each for each in answer(adapted) if not isinstance(each, str)]
    if len(answers) < len(adapted):
        raise ValueError("a measured point cannot be priced")
    return np.array([each.ttft_s for each in answers]), np.array([each.tpot_s for each in answers])


def fit(points: Points) -> dict[str, float]:
    """The coefficients of `STEP_PRIORS` by the time between tokens, then those of `WAIT_PRIORS`."""
    weights = _weights(points)

    def steps(found: Mapping[str, float]) -> np.ndarray:
        return weights * _robust(np.log(predict(points, found)[1] / points.tpot_s) / TPOT_SCALE)

    def waits(found: Mapping[str, float]) -> np.ndarray:
        return weights * _robust(np.log(predict(points, {**step, **found})[0] / points.ttft_s) / TTFT_SCALE)

    step = _least(steps, STEP_PRIORS)
    return {**step, **_least(waits, WAIT_PRIORS)}


def _least(
    residuals: Callable[[Mapping[str, float]], np.ndarray], priors: Mapping[str, tuple[float, float]]
) -> dict[str, float]:
    start = np.log([prior for prior, _ in priors.values()])
    spread = np.array([deviation for _, deviation in priors.values()])

    def all_residuals(x: np.ndarray) -> np.ndarray:
        found = dict(zip(priors, np.exp(x).tolist(), strict=True))
        return np.concatenate([residuals(found), (x - start) / spread])

    solved = least_squares(all_residuals, start, xtol=1e-4, ftol=1e-5)
    return dict(zip(priors, np.exp(solved.x).tolist(), strict=True))


def _weights(points: Points) -> np.ndarray:
    _, cell, count = np.unique(points.cells, return_inverse=True, return_counts=True)
    return np.sqrt(np.minimum(count[cell], FULL_CELL) / count[cell])


def _robust(scaled: np.ndarray) -> np.ndarray:
    """Residuals whose squares are log(1 + r^2)."""
    return np.sign(scaled) * np.sqrt(np.log1p(scaled**2))
