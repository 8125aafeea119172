"""Each nn operator as one JAX expression, its operands given as text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from xdsl.ir import Operation

from ...ir import nn
from ..dtypes import dtype_of
from ..python_text import Expression, call, sequence
from .scalars import literal

LAYERS = {
    nn.ConvOp: "conv2d",
    nn.MaxPoolOp: "max_pool",
    nn.AveragePoolOp: "average_pool",
    nn.BatchNormOp: "batch_norm",
}
"""Operators that call a function of `layers.py`."""


def _window(op: Any) -> dict[str, object]:
    """The keywords in which a window differs from the defaults of `layers.py`."""
    strides, pads = nn.ints(op.strides), nn.ints(op.pads)
    return {name: value for name, value in (("strides", strides), ("pads", pads)) if set(value) - {name == "strides"}}


def _conv2d(op: nn.ConvOp, operands: Sequence[str]) -> Expression:
    dilations, groups = nn.ints(op.dilations), nn.integer(op.groups)
    extra = {"dilations": dilations} if set(dilations) != {1} else {}
    return call("conv2d", *operands, **_window(op), **extra, **({"groups": groups} if groups > 1 else {}))


def _max_pool(op: nn.MaxPoolOp, operands: Sequence[str]) -> Expression:
    return call("max_pool", *operands, kernel=nn.ints(op.kernel), **_window(op))


def _average_pool(op: nn.AveragePoolOp, operands: Sequence[str]) -> Expression:
    padded = any(nn.ints(op.pads)) and nn.integer(op.count_pads)
    extra = {"count_pads": True} if padded else {}
    return call("average_pool", *operands, kernel=nn.ints(op.kernel), **_window(op), **extra)


def _batch_norm(op: nn.BatchNormOp, operands: Sequence[str]) -> Expression:
    return call("batch_norm", *operands, epsilon=literal(nn.number(op.epsilon), op.type).text)


def _matmul(op: nn.MatmulOp, operands: Sequence[str]) -> Expression:
    return f"{operands[0]} @ {operands[1]}"


def _gemm(op: nn.GemmOp, operands: Sequence[str]) -> Expression:
    turns = (op.transpose_a, op.transpose_b)
    a, b = (f"{text}.T" if nn.integer(turn) else text for text, turn in zip(operands, turns, strict=False))
    return f"{a} @ {b} + {operands[2]}" if op.bias is not None else f"{a} @ {b}"


def _softmax(op: nn.SoftmaxOp, operands: Sequence[str]) -> Expression:
    return call("jax.nn.softmax", *operands, axis=nn.integer(op.axis))


def _reduce(op: nn.ReduceOp, operands: Sequence[str]) -> Expression:
    return call(f"{operands[0]}.{op.kind.data}", axis=nn.ints(op.axes), keepdims=True)


def _reshape(op: nn.ReshapeOp, operands: Sequence[str]) -> Expression:
    return call(f"{operands[0]}.reshape", *map(str, op.type.get_shape() or ["()"]))


def _transpose(op: nn.TransposeOp, operands: Sequence[str]) -> Expression:
    return call(f"{operands[0]}.transpose", *map(str, nn.ints(op.permutation)))


def _broadcast(op: nn.BroadcastOp, operands: Sequence[str]) -> Expression:
    return call("jnp.broadcast_to", *operands, str(tuple(op.type.get_shape())))


def _concat(op: nn.ConcatOp, operands: Sequence[str]) -> Expression:
    return call("jnp.concatenate", sequence(operands), axis=nn.integer(op.axis))


def _slice(op: nn.SliceOp, operands: Sequence[str]) -> Expression:
    ranges = []
    for start, limit, size in zip(nn.ints(op.starts), nn.ints(op.limits), nn.shape_of(op.x), strict=True):
        ranges.append(f"{start or ''}:{'' if limit == size else limit}")
    while len(ranges) > 1 and ranges[-1] == ":":
        ranges.pop()
    return f"{operands[0]}[{', '.join(ranges)}]"


def _fill(op: nn.FillOp, operands: Sequence[str]) -> Expression:
    value = literal(nn.number(op.value), op.type).text
    return call("jnp.full", str(tuple(op.type.get_shape())), value, f"jnp.{dtype_of(op.type)}")


EXPRESSIONS: dict[type[Operation], Callable[[Any, Sequence[str]], Expression]] = {
    nn.ConvOp: _conv2d,
    nn.MaxPoolOp: _max_pool,
    nn.AveragePoolOp: _average_pool,
    nn.BatchNormOp: _batch_norm,
    nn.MatmulOp: _matmul,
    nn.GemmOp: _gemm,
    nn.SoftmaxOp: _softmax,
    nn.ReduceOp: _reduce,
    nn.ReshapeOp: _reshape,
    nn.TransposeOp: _transpose,
    nn.BroadcastOp: _broadcast,
    nn.ConcatOp: _concat,
    nn.SliceOp: _slice,
    nn.FillOp: _fill,
}
"""Operator -> its expression; elementwise operators are in `scalars.py`."""
