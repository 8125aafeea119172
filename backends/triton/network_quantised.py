"""Weights in few bits: packed for the product that reads them as they are, or written out for all other ops."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

import numpy as np
from xdsl.ir import Operation

from ...ir import nn
from ..dtypes import dtype_of
from .kernels.packing import pack_weights
from .launches import Tile
from .network import Emitter
from .tiles import Work
from .views import View


@dataclass(frozen=True)
class Packed:
    """The weights of a product, (k, n), in few bits."""

    words: View
    scale: View
    zero: View
    bits: int
    shared_k: int
    """so many rows share a scale"""


def few_bits_of(e: Emitter, op: Operation) -> Packed | None:
    """
    The second matrix of the product `op`, packed, if the kernel for that takes it; else None.

    It takes constant integers of up to 8 bits without a zero, with a scale for each so many rows of each column.
    """
    value = op.operands[1]
    back = e.origins.get(value)
    turned = isinstance(op, nn.GemmOp) and bool(nn.integer(op.transpose_b))
    if not isinstance(back, nn.DequantiseOp) or prod(nn.shape_of(value)[:-2]) != 1 or 0 in nn.shape_of(value):
        return None
    *_, down, across = reversed(nn.ints(back.block)) if turned else nn.ints(back.block)
    codes, scale = back.q.owner, back.scale.owner
    if across != 1 or not isinstance(codes, nn.WeightOp) or not isinstance(scale, nn.WeightOp):
        return None
    element = codes.type.element_type
    if not nn.is_integer(element) or nn.bits_of(element) > 8 or back.zero is not None:
        return None
    values, scales = (array.reshape(array.shape[-2:]) for array in (e.values(codes), e.values(scale)))
    values, scales = (values.T, scales.T) if turned else (values, scales)
    bits, low = nn.bits_of(element), nn.integer_range(element)[0]
    name, dtype = codes.weight.data + (".T" if turned else ""), dtype_of(scale.type)
    return Packed(
        e.weight(f"{name}.words", pack_weights(values.astype(np.int64) - low, bits), "int32"),
        e.weight(f"{name}.scale", np.ascontiguousarray(scales), dtype),
        e.weight(f"{name}.zero", np.full(scales.shape, -low), dtype),
        bits,
        down or len(values),
    )


def quantised_launch(
    e: Emitter, op: Operation, a: View, weights: Packed, out: View, dtype: str
) -> tuple[tuple[View, ...], dict[str, object], list[Tile], tuple[int, int]]:
    """Arguments, options and tiles of the kernel for `op`, and the sizes of its result as a matrix."""
    k, n = a.sizes[-1], weights.words.sizes[-1]
    m = prod(out.sizes[:-1])
    work = Work(m, n, k, dtype=dtype, weight_bits=weights.bits, least_block_k=32)
    matrix = replace(out, sizes=(m, n), strides=(n, 1))
    arguments = (e.reshaped(a, (m, k)), weights.words, weights.scale, weights.zero, matrix)
    return arguments, {"bits": weights.bits, "shared_k": weights.shared_k}, e.product_tiles(work), (m, n)
