"""Random shapes and arrays for kernels: ten seeds in the default suite, fifty in the slow one."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

QUICK, ALL = 10, 50
SEEDS = [pytest.param(seed, marks=[pytest.mark.slow] if seed >= QUICK else []) for seed in range(ALL)]

DTYPES: dict[str, Any] = {"float32": np.float32, "float16": np.float16, "bfloat16": ml_dtypes.bfloat16}
TOLERANCES = {"float32": 1e-5, "float16": 1e-2, "bfloat16": 1e-2}
"""relative, of the largest element"""


class Case:
    """What one seed draws."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.dtype = ("float32", "float16", "bfloat16")[seed % 3]

    def size(self, most: int, least: int = 1) -> int:
        """Ragged most of the time, a power of two now and then."""
        if self.rng.random() < 0.2:
            return min(most, max(least, 1 << int(self.rng.integers(0, most.bit_length()))))
        return int(self.rng.integers(least, most + 1))

    def pick(self, *choices: Any) -> Any:
        return choices[int(self.rng.integers(len(choices)))]

    def array(self, *shape: int, dtype: str | None = None) -> np.ndarray:
        return self.rng.standard_normal(shape).astype(DTYPES[dtype or self.dtype])

    def empty(self, *shape: int, dtype: str | None = None) -> np.ndarray:
        """Not-a-number throughout, so that what is not written shows."""
        return np.full(shape, np.nan, DTYPES[dtype or self.dtype])

    def check(self, found: np.ndarray, expected: np.ndarray) -> None:
        """That `found` is `expected`, float64, to the tolerance of the type and in the scale of the whole."""
        assert found.shape == expected.shape
        assert np.isfinite(found.astype(np.float64)).all()
        most = float(np.abs(expected).max(initial=0.0))
        np.testing.assert_allclose(
            found.astype(np.float64), expected, rtol=TOLERANCES[self.dtype], atol=TOLERANCES[self.dtype] * most
        )


def wide(*arrays: np.ndarray) -> tuple[np.ndarray, ...]:
    """The arrays in float64."""
    return tuple(array.astype(np.float64) for array in arrays)
