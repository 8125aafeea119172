"""Scalar functions as JAX expressions."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ...ir.nn import Tensor
from ..dtypes import dtype_of
from ..python_text import ATOM, UNARY, Scalar, arithmetic

FUNCTIONS = {
    "relu": "jax.nn.relu",
    "exp": "jnp.exp",
    "log": "jnp.log",
    "sqrt": "jnp.sqrt",
    "rsqrt": "lax.rsqrt",
    "tanh": "jnp.tanh",
    "sigmoid": "jax.nn.sigmoid",
    "erf": "lax.erf",
    "max": "jnp.maximum",
    "min": "jnp.minimum",
}
"""Scalar function -> what computes it in emitted code."""


def apply(kind: str, arguments: Sequence[Scalar]) -> Scalar:
    """`kind` of `arguments`."""
    return arithmetic(kind, arguments, FUNCTIONS)


def literal(value: float, type: Tensor) -> Scalar:
    """`value` in the fewest digits that give the same number in the element type of `type`."""
    if not math.isfinite(value):
        return Scalar(f"jnp.{'nan' if math.isnan(value) else 'inf'}") if not value < 0 else Scalar("-jnp.inf", UNARY)
    text = str(np.dtype(dtype_of(type)).type(value))
    return Scalar(text, UNARY if value < 0 else ATOM)
