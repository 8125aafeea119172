"""The most likely coefficients given few measurements: least squares of log errors, held by a prior.

Equations are numbered as in `docs/math/calibration.md`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

FOLDS = 10
"""parts of the rows that are left out in turn to tell the error; ten rows are left out one by one"""
MOST_FITTED = 500
"""rows that are fitted to, of more: coefficients are few"""


def most_likely(log_errors: Callable[[np.ndarray], np.ndarray], covariance: np.ndarray) -> tuple[np.ndarray, float]:
    """(moves of the free numbers from their prior, what they leave), of the least sum of squares. Equation (1).

    `log_errors` gives log(predicted / measured) over its standard deviation, after moves; `covariance` is the moves'.
    """
    from scipy.optimize import least_squares  # slow to import, and wanted by nobody else

    root = np.linalg.cholesky(covariance)

    def residuals(z: np.ndarray) -> np.ndarray:
        return np.concatenate([robust(log_errors(root @ z)), z])

    found = least_squares(residuals, np.zeros(len(root)), xtol=1e-3, ftol=1e-3, max_nfev=30)
    return root @ found.x, float(found.cost)


def robust(errors: np.ndarray) -> np.ndarray:
    """Residuals whose squares grow as 4 log(1 + e^2 / 4): a row far off counts for little. Equation (2)."""
    return np.sign(errors) * 2 * np.sqrt(np.log1p(errors**2 / 4))


def left_out(rows: int, predict: Callable[[np.ndarray, np.ndarray], np.ndarray], seed: int = 0) -> np.ndarray:
    """Predictions of each row by a fit that does not know it: `predict(rows to fit to, rows to predict)`."""
    order = np.random.default_rng(seed).permutation(rows)
    folds = np.array_split(order, min(FOLDS, rows))
    first = predict(np.setdiff1d(order, folds[0]), folds[0])
    out = np.empty((rows, *first.shape[1:]))
    out[folds[0]] = first
    for fold in folds[1:]:
        out[fold] = predict(np.setdiff1d(order, fold), fold)
    return out


def sample(rows: np.ndarray) -> np.ndarray:
    """At most `MOST_FITTED` of these rows, drawn evenly."""
    if len(rows) <= MOST_FITTED:
        return rows
    return np.sort(np.random.default_rng(0).permutation(rows)[:MOST_FITTED])
