"""Scalar functions as JAX expressions, with brackets only where precedence asks for them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...ir.nn import Tensor
from .dtypes import dtype_of

ATOM, UNARY, PRODUCT, SUM = 4, 3, 2, 1

_INFIX = {"add": ("+", SUM), "sub": ("-", SUM), "mul": ("*", PRODUCT), "div": ("/", PRODUCT)}
_CALLS = {
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


@dataclass(frozen=True)
class Scalar:
    """Text and how tightly its outermost operator binds."""

    text: str
    binds: int = ATOM

    def inside(self, binds: int) -> str:
        """The text as an operand of an operator that binds so tightly."""
        return self.text if self.binds >= binds else f"({self.text})"


def apply(kind: str, arguments: Sequence[Scalar]) -> Scalar:
    """`kind` of `arguments`; floating-point order is kept, so `a + (b + c)` keeps its brackets."""
    if kind in _INFIX:
        sign, binds = _INFIX[kind]
        left, right = arguments
        return Scalar(f"{left.inside(binds)} {sign} {right.inside(binds + 1)}", binds)
    if kind == "neg":
        return Scalar(f"-{arguments[0].inside(UNARY)}", UNARY)
    return Scalar(f"{_CALLS[kind]}({', '.join(a.text for a in arguments)})")


def literal(value: float, type: Tensor) -> Scalar:
    """`value` in the fewest digits that give the same number in the element type of `type`."""
    if not math.isfinite(value):
        return Scalar(f"jnp.{'nan' if math.isnan(value) else 'inf'}") if not value < 0 else Scalar("-jnp.inf", UNARY)
    text = str(np.dtype(dtype_of(type)).type(value))
    return Scalar(text, UNARY if value < 0 else ATOM)
