"""Scalar functions: every axis may be split, and linear ones pass partial values on."""

from __future__ import annotations

from collections.abc import Mapping

from ....ir import nn
from ..states import EXCHANGED
from .signature import AxisMap, Rules, Signature, aligned_labels, own_labels, sets

BOTH = frozenset({0, 1})
LINEAR: Mapping[str, tuple[tuple[frozenset[int], str], ...]] = {
    "neg": sets(0),
    "add": ((BOTH, "sum"),),
    "sub": ((BOTH, "sum"),),
    "mul": sets(0, 1),
    "div": sets(0),
    "max": ((BOTH, "max"),),
    "min": ((BOTH, "min"),),
    **{kind: (*sets(0, reduction="max"), *sets(0, reduction="min")) for kind in ("relu", "exp", "tanh", "sigmoid")},
}
"""Function -> partial values that it passes on: sums through linear ones, max and min through those that rise."""


KEEPS_ZERO = frozenset(
    ("relu", "neg", "abs", "sign", "floor", "ceil", "round", "sin", "tanh", "erf", "expm1", "log1p", "sqrt", "gelu")
) | {"gelu_tanh", "silu", "mish", "hard_swish", "mul", "add", "sub", "max", "min"}
"""Functions that are 0 of zeros: what they make of rows of experts is still 0 where there is no row."""


def elementwise(op: nn.ElementwiseOp, ranks: int) -> list[Signature]:
    """Axes of the result, but for operands repeated along them; rows of experts, where zeros stay zeros."""
    found = list(_elementwise(op).signatures(op, ranks))
    shape = nn.shape_of(op.results[0])
    if op.kind in KEEPS_ZERO and len(shape) == 2 and all(nn.shape_of(o) == shape for o in op.operands):
        found.append(Signature((EXCHANGED,) * len(op.operands), (EXCHANGED,)))
    return found


def _elementwise(op: nn.ElementwiseOp) -> AxisMap:
    """Sums of integers divide with rests, so a partial one may not."""
    linear = LINEAR.get(op.kind, ())
    if op.kind == "div" and not nn.is_float(op.type.element_type):
        linear = ()
    return _map(op, linear)


def pointwise(op: nn.TensorOp, ranks: int) -> AxisMap:
    """Axes of the result."""
    return _map(op)


def where(op: nn.WhereOp, ranks: int) -> AxisMap:
    """Axes of the result; partial where both values are."""
    return _map(op, tuple((frozenset({1, 2}), reduction) for reduction in ("sum", "max", "min")))


def cast(op: nn.CastOp, ranks: int) -> AxisMap:
    """Axes of the result; between floats, partial values too."""
    floats = nn.is_float(nn.tensor_type(op.x).element_type) and nn.is_float(op.type.element_type)
    return _map(op, sets(0) if floats else ())


def _map(op: nn.TensorOp, linear: tuple[tuple[frozenset[int], str], ...] = ()) -> AxisMap:
    shape = nn.shape_of(op.results[0])
    return AxisMap(tuple(aligned_labels(o, shape) for o in op.operands), (own_labels(shape),), linear=linear)


SIGNATURES: Rules = {
    **dict.fromkeys(nn.ELEMENTWISE.values(), elementwise),
    **dict.fromkeys(nn.COMPARISONS, pointwise),
    nn.FusedElementwiseOp: pointwise,
    nn.WhereOp: where,
    nn.CastOp: cast,
}
