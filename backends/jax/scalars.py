"""Scalar functions as JAX expressions."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ...ir.nn import Tensor, is_integer
from ..dtypes import dtype_of, numpy_dtype
from ..python_text import ATOM, UNARY, Scalar, arithmetic

FUNCTIONS = {
    "relu": "jax.nn.relu",
    "exp": "jnp.exp",
    "expm1": "jnp.expm1",
    "log": "jnp.log",
    "log1p": "jnp.log1p",
    "sqrt": "jnp.sqrt",
    "rsqrt": "lax.rsqrt",
    "abs": "jnp.abs",
    "sign": "jnp.sign",
    "floor": "jnp.floor",
    "ceil": "jnp.ceil",
    "round": "jnp.round",
    "sin": "jnp.sin",
    "cos": "jnp.cos",
    "tanh": "jnp.tanh",
    "sigmoid": "jax.nn.sigmoid",
    "erf": "lax.erf",
    "gelu": "jax.nn.gelu({}, approximate=False)",
    "gelu_tanh": "jax.nn.gelu",
    "silu": "jax.nn.silu",
    "softplus": "jax.nn.softplus",
    "mish": "jax.nn.mish",
    "hard_sigmoid": "jax.nn.hard_sigmoid",
    "hard_swish": "jax.nn.hard_swish",
    "not": "jnp.logical_not",
    "mod": "jnp.mod",
    "rem": "jnp.fmod",
    "pow": "jnp.power",
    "max": "jnp.maximum",
    "min": "jnp.minimum",
    "and": "jnp.logical_and",
    "or": "jnp.logical_or",
    "xor": "jnp.logical_xor",
}
"""Scalar function -> what computes it in emitted code, with {} for its arguments where there are others too."""

INTEGER_DIV = "integer_div"
"""The function of `layers.py` that divides integers, where `/` would give floats."""


def apply(kind: str, arguments: Sequence[Scalar], type: Tensor) -> Scalar:
    """`kind` of `arguments`, whose elements are those of `type`."""
    if is_integer_div(kind, type):
        return Scalar(f"{INTEGER_DIV}({', '.join(a.text for a in arguments)})")
    return arithmetic(kind, arguments, FUNCTIONS)


def is_integer_div(kind: str, type: Tensor) -> bool:
    """Whether `kind` on elements of `type` calls INTEGER_DIV."""
    return kind == "div" and is_integer(type.element_type)


def literal(value: float, type: Tensor) -> Scalar:
    """`value` in the fewest digits that give the same number in the element type of `type`."""
    if not math.isfinite(value):
        return Scalar(f"jnp.{'nan' if math.isnan(value) else 'inf'}") if not value < 0 else Scalar("-jnp.inf", UNARY)
    text = str(numpy_dtype(dtype_of(type)).type(value)).replace("e+", "e")  # as formatters write it
    return Scalar(text, UNARY if value < 0 else ATOM)
