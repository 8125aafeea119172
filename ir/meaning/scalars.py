"""Scalar functions over arrays that broadcast, and chains of them."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from .. import nn
from .meaning import Array, Meanings

SCALAR: dict[str, Callable[..., Array]] = {
    "relu": lambda x: np.maximum(x, 0.0),
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "rsqrt": lambda x: 1.0 / np.sqrt(x),
    "neg": np.negative,
    "tanh": np.tanh,
    "sigmoid": lambda x: 0.5 * (1.0 + np.tanh(0.5 * x)),
    "erf": lambda x: np.vectorize(math.erf, otypes=[np.float64])(x),
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "max": np.maximum,
    "min": np.minimum,
}
"""Scalar function -> what it does to float64 arrays that broadcast."""


def _fused_elementwise(op: nn.FusedElementwiseOp, *operands: Array) -> Array:
    values = list(operands)
    for kind, args in op.chain:
        values.append(SCALAR[kind](*(values[a] for a in args)))
    return np.broadcast_to(values[-1], nn.shape_of(op.result))


def _scalar(op: nn.ElementwiseOp, *operands: Array) -> Array:
    return SCALAR[op.kind](*operands)


MEANING: Meanings = {**dict.fromkeys(nn.ELEMENTWISE.values(), _scalar), nn.FusedElementwiseOp: _fused_elementwise}
