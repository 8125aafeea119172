"""Each nn operator as one JAX expression, its operands given as text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

from xdsl.dialects.builtin import f32
from xdsl.ir import Operation

from ...ir import nn
from ..dtypes import dtype_of
from ..python_text import Brackets, Expression, call, quoted, sequence
from . import transformer_operators
from .scalars import literal
from .sharding import COLLECTIVES

LAYERS = {
    nn.ConvOp: "conv",
    nn.ConvTransposeOp: "conv_transpose",
    nn.GemmOp: "linear",
    nn.MaxPoolOp: "max_pool",
    nn.AveragePoolOp: "average_pool",
    nn.BatchNormOp: "batch_norm",
    nn.LayerNormOp: "layer_norm",
    nn.RmsNormOp: "rms_norm",
    nn.GroupNormOp: "group_norm",
    nn.TopKOp: "top_k",
    nn.ResizeOp: "resize",
    **transformer_operators.LAYERS,
}
"""Operators that call a function of `layers.py` or `transformer_layers.py`."""

SEVERAL = (nn.SplitOp, nn.TopKOp, *transformer_operators.SEVERAL)
"""Operators whose expression is a sequence of results, also where it is one."""


def layer_of(op: Operation) -> str | None:
    """The function that `op` calls; of products that with a bias of less than 32 bits, which would be rounded twice."""
    if isinstance(op, nn.GemmOp) and (op.bias is None or nn.bits_of(op.type.element_type) >= 32):
        return None
    return LAYERS.get(type(op))


def _window(op: Any) -> dict[str, object]:
    """The keywords in which a window differs from the defaults of `layers.py`."""
    usual = {"strides": {1}, "pads": {0}, "dilations": {1}}
    given = {name: nn.ints(getattr(op, name)) for name in usual}
    return {name: value for name, value in given.items() if set(value) != usual[name]}


def _groups(op: nn.ConvOp | nn.ConvTransposeOp) -> dict[str, object]:
    groups = nn.integer(op.groups)
    return {"groups": groups} if groups > 1 else {}


def _conv(op: nn.ConvOp, operands: Sequence[str]) -> Expression:
    return call("conv", *operands, **_window(op), **_groups(op))


def _conv_transpose(op: nn.ConvTransposeOp, operands: Sequence[str]) -> Expression:
    more = nn.ints(op.output_pads)
    return call(
        "conv_transpose", *operands, **_window(op), **({"output_pads": more} if any(more) else {}), **_groups(op)
    )


def _max_pool(op: nn.MaxPoolOp, operands: Sequence[str]) -> Expression:
    return call("max_pool", *operands, kernel=nn.ints(op.kernel), **_window(op))


def _average_pool(op: nn.AveragePoolOp, operands: Sequence[str]) -> Expression:
    padded = any(nn.ints(op.pads)) and nn.integer(op.count_pads)
    extra = {"count_pads": True} if padded else {}
    return call("average_pool", *operands, kernel=nn.ints(op.kernel), **_window(op), **extra)


def _norm(op: nn.LayerNormOp | nn.RmsNormOp, operands: Sequence[str]) -> Expression:
    return call(LAYERS[type(op)], *operands, axis=nn.integer(op.axis), epsilon=_epsilon(op))


def _group_norm(op: nn.GroupNormOp, operands: Sequence[str]) -> Expression:
    return call("group_norm", *operands, groups=nn.integer(op.groups), epsilon=_epsilon(op))


def _epsilon(op: nn.NormOp) -> str:
    return literal(nn.number(op.epsilon), nn.tensor(f32, ())).text  # norms are worked out in float32


def _resize(op: nn.ResizeOp, operands: Sequence[str]) -> Expression:
    mode = op.mode.data
    extra: dict[str, object] = {"rounding": quoted(op.rounding.data)} if mode == "nearest" else {}
    extra |= {"cubic": nn.number(op.cubic)} if mode == "cubic" else {}
    return call(
        "resize",
        *operands,
        axes=nn.ints(op.axes),
        sizes=nn.ints(op.sizes),
        scales=op.factors(),
        mode=quoted(mode),
        coordinates=quoted(op.coordinates.data),
        **extra,
    )


def _batch_norm(op: nn.BatchNormOp, operands: Sequence[str]) -> Expression:
    return call("batch_norm", *operands, epsilon=_epsilon(op))


def _matmul(op: nn.MatmulOp, operands: Sequence[str]) -> Expression:
    return f"{operands[0]} @ {operands[1]}"


def _gemm(op: nn.GemmOp, operands: Sequence[str]) -> Expression:
    turns = (op.transpose_a, op.transpose_b)
    a, b = (f"{text}.T" if nn.integer(turn) else text for text, turn in zip(operands, turns, strict=False))
    if (layer := layer_of(op)) is not None:
        return call(layer, a, b, operands[2])
    return f"{a} @ {b} + {operands[2]}" if op.bias is not None else f"{a} @ {b}"


def _softmax(op: nn.SoftmaxOp, operands: Sequence[str]) -> Expression:
    axis = f"axis={nn.integer(op.axis)}"
    if nn.bits_of(op.type.element_type) >= 32:
        return call("jax.nn.softmax", *operands, axis)
    x, kind = f"{operands[0]}.astype(jnp.float32)", dtype_of(op.type)
    return Brackets("jax.nn.softmax(", (x, axis), f").astype(jnp.{kind})")


def _reduce(op: nn.ReduceOp, operands: Sequence[str]) -> Expression:
    # JAX adds integers up in its default type.
    summed = op.kind.data in ("sum", "prod") and not nn.is_float(op.type.element_type)
    dtype = {"dtype": f"jnp.{dtype_of(op.type)}"} if summed else {}
    return call(f"{operands[0]}.{op.kind.data}", axis=nn.ints(op.axes), keepdims=True, **dtype)


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
    for (start, limit, step), size in zip(op.bounds(), nn.shape_of(op.x), strict=True):
        ranges.append(f"{start or ''}:{'' if limit == size else limit}{f':{step}' if step > 1 else ''}")
    while len(ranges) > 1 and ranges[-1] == ":":
        ranges.pop()
    return f"{operands[0]}[{', '.join(ranges)}]" if ranges else operands[0]


def _arg_max(op: nn.ArgMaxOp, operands: Sequence[str]) -> Expression:
    return call("jnp.argmax", *operands, axis=nn.integer(op.axis), keepdims=True)


def _top_k(op: nn.TopKOp, operands: Sequence[str]) -> Expression:
    return call("top_k", *operands, k=nn.integer(op.k), axis=nn.integer(op.axis))


def _cum_sum(op: nn.CumSumOp, operands: Sequence[str]) -> Expression:
    (x,) = operands
    reverse = {"reverse": True} if nn.integer(op.reverse) else {}
    total = call("lax.cumsum", x, axis=nn.integer(op.axis), **reverse)
    return f"{total} - {x}" if nn.integer(op.exclusive) else total


def _split(op: nn.SplitOp, operands: Sequence[str]) -> Expression:
    cuts = list(accumulate(nn.ints(op.sizes)))[:-1]
    return call("jnp.split", *operands, str(cuts), axis=nn.integer(op.axis))


def _reverse(op: nn.ReverseOp, operands: Sequence[str]) -> Expression:
    return call("jnp.flip", *operands, axis=nn.ints(op.axes))


def _pad(op: nn.PadOp, operands: Sequence[str]) -> Expression:
    around = list(zip(nn.ints(op.low), nn.ints(op.high), strict=True))
    if op.value is None:
        return call("jnp.pad", *operands, str(tuple(around)), mode=quoted(op.mode.data))
    return call("lax.pad", *operands, str(tuple((low, high, 0) for low, high in around)))


def _gather(op: nn.GatherOp, operands: Sequence[str]) -> Expression:
    x, _ = operands
    return call("jnp.take", x, _places(op, operands), axis=nn.integer(op.axis))


def _places(op: Any, operands: Sequence[str]) -> str:
    """The indices; those of more than 31 bits cut off just outside of the axis, for JAX reads them as int32."""
    element, size = nn.tensor_type(op.indices).element_type, nn.shape_of(op.x)[nn.integer(op.axis)]
    low, high = nn.integer_range(element)
    if high < 2**31:
        return operands[1]
    return f"jnp.clip({operands[1]}, {max(low, -size - 1)}, {size})"


def _gather_elements(op: nn.GatherElementsOp, operands: Sequence[str]) -> Expression:
    x, _ = operands
    axis, shape, wanted = nn.integer(op.axis), nn.shape_of(op.x), nn.shape_of(op.indices)
    ranges = [":" if i == axis or n == m else f":{n}" for i, (n, m) in enumerate(zip(wanted, shape, strict=True))]
    x = x if set(ranges) == {":"} else f"{x}[{', '.join(ranges)}]"  # JAX would broadcast a shorter axis
    return call("jnp.take_along_axis", x, _places(op, operands), axis=axis)


def _scatter(op: nn.ScatterOp, operands: Sequence[str]) -> Expression:
    x, _, updates = operands
    there = ", ".join([*[":"] * nn.integer(op.axis), _places(op, operands)])
    return call(f"{x}.at[{there}].{op.kind.data}", updates)


def _iota(op: nn.IotaOp, operands: Sequence[str]) -> Expression:
    dtype = f"jnp.{dtype_of(op.type)}"
    return call("lax.broadcasted_iota", dtype, str(tuple(op.type.get_shape())), str(nn.integer(op.axis)))


def _cast(op: nn.CastOp, operands: Sequence[str]) -> Expression:
    return call(f"{operands[0]}.astype", f"jnp.{dtype_of(op.type)}")


def _comparison(op: nn.ComparisonOp, operands: Sequence[str]) -> Expression:
    return call(f"jnp.{op.kind}", *operands)


def _where(op: nn.WhereOp, operands: Sequence[str]) -> Expression:
    return call("jnp.where", *operands)


def _fill(op: nn.FillOp, operands: Sequence[str]) -> Expression:
    value = literal(nn.number(op.value), op.type).text
    return call("jnp.full", str(tuple(op.type.get_shape())), value, f"jnp.{dtype_of(op.type)}")


EXPRESSIONS: dict[type[Operation], Callable[[Any, Sequence[str]], Expression]] = {
    nn.ConvOp: _conv,
    nn.ConvTransposeOp: _conv_transpose,
    nn.MaxPoolOp: _max_pool,
    nn.AveragePoolOp: _average_pool,
    nn.BatchNormOp: _batch_norm,
    nn.LayerNormOp: _norm,
    nn.RmsNormOp: _norm,
    nn.GroupNormOp: _group_norm,
    nn.ResizeOp: _resize,
    nn.MatmulOp: _matmul,
    nn.GemmOp: _gemm,
    nn.SoftmaxOp: _softmax,
    nn.ReduceOp: _reduce,
    nn.ArgMaxOp: _arg_max,
    nn.TopKOp: _top_k,
    nn.CumSumOp: _cum_sum,
    nn.ReshapeOp: _reshape,
    nn.TransposeOp: _transpose,
    nn.BroadcastOp: _broadcast,
    nn.ConcatOp: _concat,
    nn.SliceOp: _slice,
    nn.SplitOp: _split,
    nn.ReverseOp: _reverse,
    nn.PadOp: _pad,
    nn.GatherOp: _gather,
    nn.GatherElementsOp: _gather_elements,
    nn.ScatterOp: _scatter,
    nn.IotaOp: _iota,
    nn.FillOp: _fill,
    nn.CastOp: _cast,
    nn.WhereOp: _where,
    **dict.fromkeys(nn.COMPARISONS, _comparison),
    **COLLECTIVES,
    **transformer_operators.EXPRESSIONS,
}
"""Operator -> its expression; elementwise operators are in `scalars.py`."""
