"""The work of ops that normalise, search, index, pad and resize: numbers by hand, and FLOPs against XLA's own count."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from xdsl.dialects.builtin import ArrayAttr, IntegerType, TensorType, bf16, f8E4M3FN, f8E5M2, f16, f32, f64, i1, i8, i64
from xdsl.ir import Attribute, Block, Operation, SSAValue

from dovetail.costmodel.cost import Cost, cost_of
from dovetail.costmodel.rules import tensor_bytes
from dovetail.ir import nn


def value(*shape: int, of: Attribute = f32) -> SSAValue:
    return Block(arg_types=[TensorType(of, shape)]).args[0]


def chain(*kinds: str) -> ArrayAttr:
    return ArrayAttr([nn.StepAttr.of(kind, (at,)) for at, kind in enumerate(kinds)])


def fused_rows() -> nn.FusionOp:
    """exp(x) summed along rows, in one launch."""
    powers = nn.ExpOp.make(ROWS)
    return nn.FusionOp.around([powers, nn.ReduceOp.make(powers.result, kind="sum", axes=(1,))])


IMAGE = value(2, 4, 8, 8)  # 512 elements, 2048 bytes
ROWS = value(3, 5)  # 15 elements, 60 bytes
INDEX = value(2, 7, of=i64)  # 14 elements, 112 bytes
VOLUME = value(1, 2, 5, 4, 4)  # 160 elements, 640 bytes

BY_HAND = [
    # multiply by 1/sqrt(2), erf, add 1, halve, multiply
    (nn.GeluOp.make(ROWS), Cost(5 * 15, 60, 60, 1)),
    # square, cube, times 0.044715, add, times sqrt(2/pi), tanh, add 1, halve, multiply
    (nn.GeluTanhOp.make(ROWS), Cost(9 * 15, 60, 60, 1)),
    (nn.SiluOp.make(ROWS), Cost(2 * 15, 60, 60, 1)),
    (nn.MishOp.make(ROWS), Cost(4 * 15, 60, 60, 1)),
    (nn.HardSwishOp.make(ROWS), Cost(5 * 15, 60, 60, 1)),
    (
        nn.FusedElementwiseOp.make(ROWS, steps=chain("softplus", "hard_sigmoid", "abs")),
        Cost((2 + 4 + 1) * 15, 60, 60, 1),
    ),
    (fused_rows(), Cost(15 + 12, 60, 12, 1)),  # what exp gives is neither written nor read
    (nn.LessOp.make(ROWS, value(5)), Cost(15, 60 + 20, 2, 1)),  # 15 bits
    (nn.WhereOp.make(value(3, 1, of=i1), ROWS, value()), Cost(15, 1 + 60 + 4, 60, 1)),
    (nn.CastOp.make(ROWS, type=TensorType(IntegerType(3), [3, 5])), Cost(15, 60, 6, 1)),  # 45 bits
    # 1 x 3 x 4 x 3 x 2 = 72 outputs of 2 x 2 x 2 x 3 = 24 taps
    (nn.ConvOp.make(VOLUME, value(3, 2, 2, 2, 3)), Cost(72 * 2 * 24, 640 + 72 * 4, 72 * 4, 1)),
    # each of 512 inputs reaches 3 x 2 x 2 = 12 outputs, of which 2 x 6 x 16 x 16 = 3072 have a bias
    (
        nn.ConvTransposeOp.make(IMAGE, value(4, 3, 2, 2), value(6), strides=(2, 2), groups=2),
        Cost(2 * 512 * 12 + 3072, 2048 + 48 * 4 + 24, 3072 * 4, 1),
    ),
    # mean, subtraction, squares, their mean, times 1 / deviation: 5 for each; epsilon and rsqrt for each of 3 rows
    (nn.LayerNormOp.make(ROWS, axis=1), Cost(5 * 15 + 6, 60, 60, 1)),
    (nn.LayerNormOp.make(ROWS, value(5), value(5), axis=1), Cost(7 * 15 + 6, 60 + 40, 60, 1)),
    (nn.RmsNormOp.make(ROWS, axis=0), Cost(3 * 15 + 2, 60, 60, 1)),
    (nn.RmsNormOp.make(ROWS, value(5), axis=1), Cost(4 * 15 + 6, 60 + 20, 60, 1)),
    (nn.GroupNormOp.make(IMAGE, value(4), value(4), groups=2), Cost(7 * 512 + 2 * 4, 2048 + 32, 2048, 1)),
    (nn.ReduceOp.make(ROWS, kind="prod", axes=(0,)), Cost(10, 60, 20, 1)),
    (nn.ArgMaxOp.make(ROWS, axis=1), Cost(12, 60, 3 * 8, 1)),
    (nn.TopKOp.make(ROWS, axis=1, k=2), Cost(30, 60, 6 * 4 + 6 * 8, 1)),
    (nn.CumSumOp.make(ROWS, axis=1), Cost(15, 60, 60, 1)),
    (nn.SplitOp.make(ROWS, axis=1, sizes=(2, 3)), Cost(0, 60, 60, 1)),
    (nn.ReverseOp.make(ROWS, axes=(0,)), Cost(0, 60, 60, 1)),
    (nn.PadOp.make(ROWS, value(), low=(0, 1), high=(1, 0)), Cost(0, 64, 96, 1)),
    (nn.SliceOp.make(ROWS, starts=(0, 0), limits=(3, 5), steps=(2, 2)), Cost(0, 24, 24, 1)),
    # of 100 x 3 floats, 14 rows are read
    (nn.GatherOp.make(value(100, 3), INDEX, axis=0), Cost(0, 112 + 168, 168, 1)),
    (nn.GatherElementsOp.make(value(2, 100), INDEX, axis=1), Cost(0, 112 + 56, 56, 1)),
    (nn.ScatterOp.make(value(100, 3), INDEX, value(2, 7, 3), axis=0), Cost(0, 1200 + 112 + 168, 1200, 1)),
    (nn.ScatterOp.make(value(100, 3), INDEX, value(2, 7, 3), axis=0, kind="add"), Cost(42, 1480, 1200, 1)),
    (nn.IotaOp.make(type=TensorType(i64, [3]), axis=0), Cost(0, 0, 24, 1)),
    # 2 x 4 x 16 x 16 = 2048 outputs of 4 or 16 weighed elements
    (nn.ResizeOp.make(IMAGE, axes=(2, 3), sizes=(16, 16)), Cost(0, 2048, 8192, 1)),
    (nn.ResizeOp.make(IMAGE, axes=(2, 3), sizes=(16, 16), mode="linear"), Cost(2048 * 7, 2048, 8192, 1)),
    (nn.ResizeOp.make(IMAGE, axes=(2, 3), sizes=(16, 16), mode="cubic"), Cost(2048 * 31, 2048, 8192, 1)),
]


@pytest.mark.parametrize(("op", "expected"), BY_HAND, ids=lambda x: x.name if isinstance(x, Operation) else "")
def test_work_by_hand(op, expected):
    assert cost_of(op) == expected


@pytest.mark.parametrize(
    ("element", "expected"),
    [(f64, 120), (f32, 60), (f16, 30), (bf16, 30), (f8E4M3FN, 15), (f8E5M2, 15), (i64, 120), (i8, 15), (i1, 2)]
    + [(IntegerType(bits), -(-15 * bits // 8)) for bits in range(1, 9)],
    ids=str,
)
def test_bytes_of_fifteen_elements(element, expected):
    assert tensor_bytes(value(3, 5, of=element)) == expected


def test_bytes_of_open_sizes_where_elements_fill_bytes():
    batch = nn.Size.named("batch")
    open_rows = Block(arg_types=[nn.tensor(f16, (batch, 5)), nn.tensor(IntegerType(4), (batch, 2))]).args
    assert [tensor_bytes(v) for v in open_rows] == [10 * batch, batch]


def layer(name: str, **given) -> Callable:
    """A function of `backends/jax/layers.py` with its keywords."""

    def apply(*operands):
        from dovetail.backends.jax import layers

        return getattr(layers, name)(*operands, **given)

    return apply


def lax(name: str, *rest) -> Callable:
    def apply(*operands):
        import jax.lax

        return getattr(jax.lax, name)(*operands, *rest)

    return apply


def activation(op: type[nn.UnaryOp]) -> Callable:
    """What emitted code calls for `op`."""

    def apply(x):
        import jax.nn

        return {nn.GeluTanhOp: jax.nn.gelu, nn.HardSigmoidOp: jax.nn.hard_sigmoid}.get(op, jax.nn.hard_swish)(x)

    return apply


BIG = value(64, 256)
XLA: list[tuple[Operation, Callable]] = [
    (nn.ConvOp.make(VOLUME, value(3, 2, 2, 2, 3)), layer("conv")),
    (nn.ConvOp.make(value(2, 4, 16), value(6, 2, 3), strides=(2,), groups=2), layer("conv", strides=(2,), groups=2)),
    (nn.MaxPoolOp.make(VOLUME, kernel=(2, 1, 3)), layer("max_pool", kernel=(2, 1, 3))),
    (nn.ReduceOp.make(ROWS, kind="prod", axes=(0,)), lambda a: a.prod(0)),
    (nn.ReduceOp.make(ROWS, kind="min", axes=(0, 1)), lambda a: a.min()),
    (nn.ReduceOp.make(BIG, kind="mean", axes=(1,)), lambda a: a.mean(1)),
    (nn.LessOp.make(ROWS, ROWS), lax("lt")),
    (nn.WhereOp.make(value(3, 5, of=i1), ROWS, value(3, 5)), lax("select")),
    (nn.AbsOp.make(ROWS), lax("abs")),
    (nn.SignOp.make(ROWS), lax("sign")),
    (nn.FloorOp.make(ROWS), lax("floor")),
    (nn.RoundOp.make(ROWS), lambda a: a.round()),
    *((op.make(ROWS), activation(op)) for op in (nn.GeluTanhOp, nn.HardSigmoidOp, nn.HardSwishOp)),
    (nn.RmsNormOp.make(BIG, axis=1), layer("rms_norm", axis=1, epsilon=1e-5)),
    (nn.LayerNormOp.make(BIG, value(256), value(256), axis=1), layer("layer_norm", axis=1, epsilon=1e-5)),
    (
        nn.GroupNormOp.make(value(8, 16, 64), value(16), value(16), groups=4),
        layer("group_norm", groups=4, epsilon=1e-5),
    ),
    (nn.PadOp.make(ROWS, value(), low=(0, 1), high=(1, 0)), lambda x, v: lax("pad", ((0, 1, 0), (1, 0, 0)))(x, v)),
    (nn.ReverseOp.make(ROWS, axes=(0,)), lambda x: x[::-1]),
]
"""
Op, and the same in JAX. XLA leaves out taps on padding, counts one flop more for each element that a scatter writes,
and spells out sigmoid, erf and softplus, and so SiLU, GELU and mish, in many more (4, 63 and 8 flops on a CPU) and
interpolation in products of matrices; top-k, argmax and cumsum are whole programs to it.
"""


@pytest.mark.parametrize(("op", "function"), XLA, ids=lambda x: x.name if isinstance(x, Operation) else "")
def test_flops_are_those_that_xla_counts(op, function):
    import jax

    dtypes = {f32: "float32", i64: "int32", i1: "bool"}
    given = [jax.ShapeDtypeStruct(nn.shape_of(o), dtypes[nn.tensor_type(o).element_type]) for o in op.operands]
    analysis = jax.jit(function).lower(*given).cost_analysis()
    assert analysis is not None
    counted = analysis.get("flops", 0.0) + analysis.get("transcendentals", 0.0)
    assert cost_of(op).flops == counted
