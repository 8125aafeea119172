"""Scalar functions over arrays that broadcast, and chains of them."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from xdsl.ir import Attribute

from .. import nn
from .meaning import Array, Meanings, held

Function = Callable[..., Array]

_erf: Function = np.vectorize(math.erf, otypes=[np.float64])
_erfc: Function = np.vectorize(math.erfc, otypes=[np.float64])


def _softplus(x: Array) -> Array:
    return np.logaddexp(x, 0.0)


def _sigmoid(x: Array) -> Array:
    return np.exp(-np.logaddexp(0.0, -x))  # keeps its digits where x is far below 0


def _hard_sigmoid(x: Array) -> Array:
    return np.clip(x / 6.0 + 0.5, 0.0, 1.0)


def _gelu_tanh(x: Array) -> Array:
    # 1 + tanh(z) = 2 sigmoid(2 z), which keeps its digits where x is negative.
    return x * _sigmoid(2.0 * math.sqrt(2.0 / math.pi) * (x + 0.044715 * x * x * x))


SCALAR: dict[str, Function] = {
    "relu": lambda x: np.maximum(x, 0),
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "sqrt": np.sqrt,
    "rsqrt": lambda x: 1.0 / np.sqrt(x),
    "neg": np.negative,
    "abs": np.abs,
    "sign": np.sign,
    "floor": np.floor,
    "ceil": np.ceil,
    "round": np.round,
    "sin": np.sin,
    "cos": np.cos,
    "tanh": np.tanh,
    "sigmoid": _sigmoid,
    "erf": _erf,
    "gelu": lambda x: 0.5 * x * _erfc(-x / math.sqrt(2.0)),  # 1 + erf(x) loses its digits where x is negative
    "gelu_tanh": _gelu_tanh,
    "silu": lambda x: x * _sigmoid(x),
    "softplus": _softplus,
    "mish": lambda x: x * np.tanh(_softplus(x)),
    "hard_sigmoid": _hard_sigmoid,
    "hard_swish": lambda x: x * _hard_sigmoid(x),
    "not": lambda x: 1 - x,
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "mod": np.mod,
    "rem": np.fmod,
    "pow": np.power,
    "max": np.maximum,
    "min": np.minimum,
    "and": np.minimum,
    "or": np.maximum,
    "xor": lambda x, y: np.abs(x - y),
}
"""Scalar function -> what it does to arrays that broadcast."""

COMPARISON: dict[str, Function] = {"less": np.less, "less_equal": np.less_equal, "equal": np.equal}


def function_of(kind: str, element: Attribute) -> Function:
    """The scalar function `kind` on elements of the type `element`."""
    return _integer_div if kind == "div" and nn.is_integer(element) else SCALAR[kind]


def _integer_div(x: Array, y: Array) -> Array:
    """The quotient rounded down, and 1 more where it is below 0 and something remains."""
    down, left = np.divmod(x, y)
    return down + ((left != 0) & ((x < 0) != (y < 0)))


def _fused_elementwise(op: nn.FusedElementwiseOp, *operands: Array) -> Array:
    values = list(operands)
    for kind, args in op.chain:
        step = function_of(kind, op.type.element_type)(*(values[a] for a in args))
        values.append(held(op.type.element_type, step))
    return np.broadcast_to(values[-1], nn.shape_of(op.result))


def _scalar(op: nn.ElementwiseOp, *operands: Array) -> Array:
    return function_of(op.kind, op.type.element_type)(*operands)


def _comparison(op: nn.ComparisonOp, lhs: Array, rhs: Array) -> Array:
    return COMPARISON[op.kind](lhs, rhs)


def _cast(op: nn.CastOp, x: Array) -> Array:
    return held(op.type.element_type, x)


MEANING: Meanings = {
    **dict.fromkeys(nn.ELEMENTWISE.values(), _scalar),
    **dict.fromkeys(nn.COMPARISONS, _comparison),
    nn.FusedElementwiseOp: _fused_elementwise,
    nn.WhereOp: lambda op, condition, x, y: np.where(condition != 0, x, y),
    nn.CastOp: _cast,
}
