"""Fit an engine that serves one model on one device to few measured points, starting from what engines share.

Equations are numbered as in `docs/math/calibration.md`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..serving.table import Question, answer, with_engine
from .few_rows import left_out, most_likely, sample

SPREAD: Mapping[str, float] = {
    "step_scale": 0.1,
    "prefill_scale": 0.1,
    "step_s": 1.0,
    "sequence_s": 1.0,
    "wait_share": 1.0,
    "wait_slope": 1.0,
    "request_s": 1.0,
}
"""coefficients that are fitted, and the standard deviation of their logs, each by itself"""
SCALE = 0.3
"""standard deviation of the log of one factor on steps and prefills alike"""
TPOT_NOISE, TTFT_NOISE = 0.05, 0.15
"""of a point, in the log"""


@dataclass(frozen=True)
class CellRows:
    """Measured points of one model, device, engine and precision."""

    questions: tuple[Question, ...]
    tpot_s: np.ndarray
    ttft_s: np.ndarray
    """NaN where it was not measured"""

    def __len__(self) -> int:
        return len(self.questions)

    def where(self, rows: np.ndarray) -> CellRows:
        """Some of them."""
        return CellRows(tuple(self.questions[row] for row in rows.tolist()), self.tpot_s[rows], self.ttft_s[rows])

    def predict_s(self, values: Mapping[str, float]) -> np.ndarray:
        """[s] (point, 2): time between tokens and time to the first, where the engine has these coefficients.

        ValueError for a point that cannot be priced.
        """
        asked: Sequence[Question] = [with_engine(q, replace(q.replica.engine, **values)) for q in self.questions]
        answers = [each for each in answer(asked) if not isinstance(each, str)]
        if len(answers) < len(asked):
            raise ValueError("a measured point cannot be priced")
        return np.array([(each.tpot_s, each.ttft_s) for each in answers])

    def start(self) -> dict[str, float]:
        """What the engine has before."""
        engine = self.questions[0].replica.engine
        return {name: getattr(engine, name) for name in SPREAD}


def covariance() -> np.ndarray:
    """Of the logs of the coefficients of `SPREAD`. Equation (5)."""
    scale = np.array([name in ("step_scale", "prefill_scale") for name in SPREAD], float)
    return np.diag(np.array(list(SPREAD.values())) ** 2) + SCALE**2 * np.outer(scale, scale)


def fit_cell(rows: CellRows) -> dict[str, float]:
    """The most likely coefficients given the points. Equations (1), (2), (5)."""
    start, first = rows.start(), np.isfinite(rows.ttft_s)
    measured = np.log(np.concatenate([rows.tpot_s, rows.ttft_s[first]]))
    noise = np.repeat((TPOT_NOISE, TTFT_NOISE), (len(rows), int(first.sum())))

    def moved(moves: np.ndarray) -> dict[str, float]:
        return {name: value * factor for (name, value), factor in zip(start.items(), np.exp(moves), strict=True)}

    def log_errors(moves: np.ndarray) -> np.ndarray:
        said = rows.predict_s(moved(moves))
        return (np.log(np.concatenate([said[:, 0], said[first, 1]])) - measured) / noise

    return {name: float(value) for name, value in moved(most_likely(log_errors, covariance())[0]).items()}


def calibrate_cell(rows: CellRows) -> tuple[dict[str, float], np.ndarray]:
    """(coefficients, [s] (point, 2) of each point predicted by a fit without it)."""

    def predict(known: np.ndarray, unknown: np.ndarray) -> np.ndarray:
        return rows.where(unknown).predict_s(fit_cell(rows.where(sample(known))))

    return fit_cell(rows.where(sample(np.arange(len(rows))))), left_out(len(rows), predict)
