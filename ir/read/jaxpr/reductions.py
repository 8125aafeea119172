"""Reductions, running sums, windows of pooling, and the largest few."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from ... import nn
from ..spelt_out import falling
from .products import reshaped, transposed
from .reader import Reader, Rule, Unreadable, Value, type_of

KINDS = {
    "reduce_sum": "sum",
    "reduce_prod": "prod",
    "reduce_max": "max",
    "reduce_or": "max",
    "reduce_min": "min",
    "reduce_and": "min",
}
"""primitive -> kind of `nn.reduce`; all and any are the least and the greatest truth value"""


def _reduce(reader: Reader, eqn: Any, operands: Sequence[Value]) -> Value:
    """nn keeps the axes that are reduced, JAX drops them."""
    x = reader.tensor(operands[0])
    kept = reader.add(nn.ReduceOp, x, kind=KINDS[eqn.primitive.name], axes=tuple(sorted(eqn.params["axes"])))
    return reshaped(reader, kept, nn.shape_in(type_of(eqn.outvars[0].aval)))


def _arg(reader: Reader, eqn: Any, operands: Sequence[Value]) -> Value:
    (axis,) = eqn.params["axes"]
    x = reader.tensor(operands[0])
    if eqn.primitive.name == "argmin":
        x = falling(reader.add, x)
    found = reader.add(nn.ArgMaxOp, x, axis=axis)
    wanted = type_of(eqn.outvars[0].aval)
    flat = reshaped(reader, found, nn.shape_in(wanted))
    return flat if flat.type == wanted else reader.add(nn.CastOp, flat, type=wanted)


def _top_k(reader: Reader, eqn: Any, operands: Sequence[Value]) -> Sequence[Value]:
    rank = len(eqn.invars[0].aval.shape)
    axis = eqn.params.get("axis", rank - 1) % rank
    values, indices = reader.add_all(nn.TopKOp, operands[0], k=eqn.params["k"], axis=axis)
    return [values, reader.add(nn.CastOp, indices, type=type_of(eqn.outvars[1].aval))]


def _cumsum(reader: Reader, eqn: Any, operands: Sequence[Value]) -> Value:
    return reader.add(nn.CumSumOp, operands[0], axis=eqn.params["axis"], reverse=int(eqn.params["reverse"]))


def _pool(reader: Reader, eqn: Any, operands: Sequence[Value]) -> Value:
    """The two axes with a window of 1 and no stride go first; a sum is the mean times the window's size."""
    p = eqn.params
    x = reader.tensor(operands[0])
    window, strides, padding = p["window_dimensions"], p["window_strides"], p["padding"]
    if any(n != 1 for n in p["base_dilation"]):
        raise Unreadable("its input is dilated")
    still = [i for i, n in enumerate(window) if n == 1 and strides[i] == 1 and not any(padding[i])]
    if len(window) - 2 not in (1, 2, 3) or len(still) < 2:
        raise Unreadable("its window does not slide over one, two or three axes of an image")
    order = [*still[:2], *(i for i in range(len(window)) if i not in still[:2])]
    moving = order[2:]
    attributes: dict[str, Any] = {
        "kernel": tuple(window[i] for i in moving),
        "strides": tuple(strides[i] for i in moving),
        "dilations": tuple(p["window_dilation"][i] for i in moving),
        "pads": (*(padding[i][0] for i in moving), *(padding[i][1] for i in moving)),
    }
    image = transposed(reader, x, order)
    if eqn.primitive.name == "reduce_window_max":
        pooled = reader.add(nn.MaxPoolOp, image, **attributes)
    else:
        mean = reader.add(nn.AveragePoolOp, image, count_pads=1, **attributes)
        pooled = reader.add(nn.MulOp, mean, np.asarray(prod(attributes["kernel"]), dtype=eqn.outvars[0].aval.dtype))
    return transposed(reader, pooled, sorted(range(len(order)), key=lambda axis: order[axis]))


RULES: Mapping[str, Rule] = {
    **dict.fromkeys(KINDS, _reduce),
    **dict.fromkeys(("argmax", "argmin"), _arg),
    **dict.fromkeys(("reduce_window_max", "reduce_window_sum"), _pool),
    "top_k": _top_k,
    "cumsum": _cumsum,
}
