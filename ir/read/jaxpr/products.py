"""Contractions and convolutions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from math import prod
from typing import Any

from xdsl.ir import SSAValue

from ... import nn
from .reader import Reader, Rule, Unreadable, Value, element_of, type_of


def _dot_general(reader: Reader, eqn: Any, operands: Sequence[Value]) -> Value:
    """
    Axes of a: (batch, rows, inner), of b: (batch, inner, columns); the result is (batch, rows, columns).

    Each group of axes becomes one, but the rows of a where b is a plain matrix: a product may have any number.
    """
    (inner_a, inner_b), (batch_a, batch_b) = eqn.params["dimension_numbers"]
    a, b = _of_one_type(reader, eqn, operands)
    shape_a, shape_b = nn.shape_of(a), nn.shape_of(b)
    rows = [i for i in range(len(shape_a)) if i not in inner_a and i not in batch_a]
    columns = [i for i in range(len(shape_b)) if i not in inner_b and i not in batch_b]
    batch, inner = [shape_a[i] for i in batch_a], prod(shape_a[i] for i in inner_a)
    plain = not batch and rows
    kept = [shape_a[i] for i in rows] if plain else [prod(shape_a[i] for i in rows)]
    left = transposed(reader, a, [*batch_a, *rows, *inner_a])
    right = transposed(reader, b, [*batch_b, *inner_b, *columns])
    left = reshaped(reader, left, [*batch, *kept, inner])
    right = reshaped(reader, right, [*batch, inner, prod(shape_b[i] for i in columns)])
    product = reader.add(nn.MatmulOp, left, right)
    wanted = type_of(eqn.outvars[0].aval)
    result = reshaped(reader, product, nn.shape_in(wanted))
    return result if result.type == wanted else reader.add(nn.CastOp, result, type=wanted)


def _of_one_type(reader: Reader, eqn: Any, operands: Sequence[Value]) -> list[SSAValue]:
    """
    The operands, in the type that holds both and the result where theirs differ, or are integers narrower than it.

    lax multiplies in that type: float32 by bfloat16 in float32, and int8 by int8 to int32 without overflow.
    """
    from jax.numpy import promote_types

    tensors = [reader.tensor(o) for o in operands]
    dtypes = [each.aval.dtype for each in (*eqn.invars, eqn.outvars[0])]
    floats = element_of(dtypes[0]) == element_of(dtypes[1]) and nn.is_float(element_of(dtypes[0]))
    if floats:
        return tensors
    element = element_of(reduce(promote_types, dtypes))
    wanted = [nn.tensor(element, nn.shape_of(each)) for each in tensors]
    return [
        each if each.type == type else reader.add(nn.CastOp, each, type=type)
        for each, type in zip(tensors, wanted, strict=True)
    ]


def transposed(reader: Reader, x: SSAValue, permutation: Sequence[int]) -> SSAValue:
    """`x` with its axes in another order; `x` itself where the order is its own."""
    if list(permutation) == sorted(permutation):
        return x
    return reader.add(nn.TransposeOp, x, permutation=tuple(permutation))


def reshaped(reader: Reader, x: SSAValue, shape: Sequence[int]) -> SSAValue:
    """`x` under another shape; `x` itself where the shape is its own."""
    if nn.shape_of(x) == tuple(shape):
        return x
    return reader.add(nn.ReshapeOp, x, type=nn.with_shape(x, shape))


def _conv(reader: Reader, eqn: Any, operands: Sequence[Value]) -> Value:
    """Input and weights are brought to (n, c, ...) and (m, c, ...), and the result back."""
    p = eqn.params
    if p["batch_group_count"] != 1:
        raise Unreadable("it has groups of the batch")
    if any(n != 1 for n in p["lhs_dilation"]):
        raise Unreadable("its input is dilated, as in a transposed convolution")
    if min(n for pair in p["padding"] for n in pair) < 0:
        raise Unreadable("its padding is negative")
    numbers = p["dimension_numbers"]
    x = transposed(reader, reader.tensor(operands[0]), numbers.lhs_spec)
    w = transposed(reader, reader.tensor(operands[1]), numbers.rhs_spec)
    result = reader.add(
        nn.ConvOp,
        x,
        w,
        strides=tuple(p["window_strides"]),
        dilations=tuple(p["rhs_dilation"]),
        pads=(*(low for low, _ in p["padding"]), *(high for _, high in p["padding"])),
        groups=p["feature_group_count"],
    )
    back = sorted(range(len(numbers.out_spec)), key=lambda axis: numbers.out_spec[axis])
    return transposed(reader, result, back)


RULES: Mapping[str, Rule] = {"dot_general": _dot_general, "conv_general_dilated": _conv}
