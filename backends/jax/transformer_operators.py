"""Attention, mixtures of experts and quantisation as JAX expressions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from xdsl.dialects.builtin import FloatAttr, IntegerAttr, IntegerType, StringAttr
from xdsl.ir import Operation

from ...ir import nn
from ..dtypes import dtype_of
from ..python_text import Expression, call, prefixed, quoted

LAYERS: Mapping[type[Operation], str] = {
    nn.AttentionOp: "attention",
    nn.PagedAttentionOp: "paged_attention",
    nn.RotaryOp: "rotary",
    nn.RouteOp: "route",
    nn.DispatchOp: "dispatch",
    nn.CombineOp: "combine",
    nn.QuantiseOp: "quantise",
}
"""Operators that call a function of `transformer_layers.py`."""

SEVERAL = (nn.RouteOp, nn.DispatchOp)
"""Operators whose expression is a sequence of results."""

FLAGS = ("causal", "interleaved", "normalise")
LARGEST_FP8 = {"float8_e4m3fn": 448, "float8_e5m2": 57344}


def _with_attributes(op: nn.TensorOp, operands: Sequence[str]) -> Expression:
    """A call with each attribute of the op that differs from its default, by the op's own names."""
    given: dict[str, object] = {}
    for name, attribute in op.attributes.items():
        match attribute:
            case IntegerAttr():
                value: object = nn.integer(attribute)
            case FloatAttr():
                value = nn.number(attribute)
            case StringAttr():
                value = attribute.data
            case _:
                continue
        if value != op.DEFAULTS.get(name):
            given[name] = bool(value) if name in FLAGS else quoted(value) if isinstance(value, str) else value
    return call(LAYERS[type(op)], *operands, **given)


def _grouped_matmul(op: nn.GroupedMatmulOp, operands: Sequence[str]) -> Expression:
    rows, w, sizes = operands
    return call("lax.ragged_dot", rows, f"{w}.swapaxes(1, 2)" if nn.integer(op.transpose_b) else w, sizes)


def _quantise(op: nn.QuantiseOp, operands: Sequence[str]) -> Expression:
    x, *of_blocks = operands
    spread = [_spread(op, text, nn.shape_of(op.x)) for text in of_blocks]
    kind, dtype = op.type.element_type, dtype_of(op.type)
    if isinstance(kind, IntegerType):
        least, largest = nn.integer_range(kind)
        return call("quantise", x, *spread, least=least, largest=largest, dtype=f"jnp.{dtype}")
    limit = LARGEST_FP8[dtype]
    return f"{call('jnp.clip', f'{x} / {spread[0]}', str(-limit), str(limit))}.astype(jnp.{dtype})"


def _dequantise(op: nn.DequantiseOp, operands: Sequence[str]) -> Expression:
    q, *of_blocks = operands
    scale, *zero = (_spread(op, text, nn.shape_of(op.q)) for text in of_blocks)
    wide = f"jnp.{dtype_of(op.type)}"
    return prefixed(f"({q}.astype({wide}) - {zero[0]}.astype({wide})) * " if zero else f"{q}.astype({wide}) * ", scale)


def _spread(op: nn.QuantiseOp | nn.DequantiseOp, given: str, shape: nn.Shape) -> Expression:
    """What each block has, for each of its elements; axes with one block stay of size 1."""
    spread: Expression = given
    for axis, (size, neighbours) in enumerate(zip(shape, nn.ints(op.block), strict=True)):
        if neighbours > 1:
            spread = call("jnp.repeat", spread, str(neighbours), axis=axis)
            if size % neighbours:
                spread = call("lax.slice_in_dim", spread, "0", str(size), axis=axis)
    return spread


EXPRESSIONS: dict[type[Operation], Callable[[Any, Sequence[str]], Expression]] = {
    **{op: _with_attributes for op in LAYERS if op is not nn.QuantiseOp},
    nn.GroupedMatmulOp: _grouped_matmul,
    nn.QuantiseOp: _quantise,
    nn.DequantiseOp: _dequantise,
}
"""Operator -> its expression."""
