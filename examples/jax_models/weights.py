"""Seeded random weights for a tree of shapes."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np


def parameters(shapes: Any, seed: int = 0, dtype: str = "float32") -> Any:
    """
    A tree of arrays for a tree of shapes.

    Matrices (..., inputs, outputs) are normal with variance 1 / inputs; vectors are near 1 where their name ends in
    `scale`, near 0 elsewhere.
    """
    return _drawn(shapes, np.random.default_rng(seed), np.dtype(dtype), "")


def _drawn(shapes: Any, rng: np.random.Generator, dtype: np.dtype, name: str) -> Any:
    if isinstance(shapes, dict):
        return {key: _drawn(each, rng, dtype, key) for key, each in shapes.items()}
    if isinstance(shapes, list):
        return [_drawn(each, rng, dtype, name) for each in shapes]
    if len(shapes) == 1:
        return jnp.asarray(0.1 * rng.standard_normal(shapes) + name.endswith("scale"), dtype)
    return jnp.asarray(rng.standard_normal(shapes, dtype=np.float32) * shapes[-2] ** -0.5, dtype)
