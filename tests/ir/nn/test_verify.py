"""Each numbered constraint of each nn op has a case that breaks it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from xdsl.dialects.builtin import DYNAMIC_INDEX, ArrayAttr, Float32Type, StringAttr, TensorType, f32, f64, i32
from xdsl.ir import Attribute, Block, SSAValue
from xdsl.utils.exceptions import VerifyException

from dovetail.ir import nn


def value(*shape: int, of: Attribute = f32) -> SSAValue:
    return Block(arg_types=[TensorType(of, shape)]).args[0]


IMAGE, KERNEL, VECTOR = value(2, 4, 5, 5), value(6, 4, 3, 3), value(4)

WINDOWS = [
    (op, constraint, lambda op=op, x=x, given=given: op.make(x, **{"kernel": (2, 2), **given}))
    for op in (nn.MaxPoolOp, nn.AveragePoolOp)
    for constraint, x, given in (
        (1, value(4, 5), {}),
        (2, IMAGE, {"strides": (0, 1)}),
        (3, IMAGE, {"kernel": (6, 1)}),
        (4, IMAGE, {"pads": (0, 2, 0, 0)}),
    )
]

BROKEN: list[tuple[type, int, Callable[[], object]]] = [
    (nn.ElementwiseOp, 1, lambda: nn.AddOp.make(VECTOR, value(4, of=f64))),
    (nn.ElementwiseOp, 2, lambda: nn.AddOp.make(VECTOR, value(3))),
    (nn.StepAttr, 1, lambda: nn.StepAttr.of("conv2d", [0])),
    (nn.StepAttr, 2, lambda: nn.StepAttr.of("relu", [0, 1])),
    (nn.FusedElementwiseOp, 1, lambda: fused([VECTOR, value(4, of=f64)], ("add", 0, 1))),
    (nn.FusedElementwiseOp, 2, lambda: fused([VECTOR, value(3)], ("add", 0, 1))),
    (nn.FusedElementwiseOp, 3, lambda: fused([VECTOR])),
    (nn.FusedElementwiseOp, 3, lambda: nn.FusedElementwiseOp.make(VECTOR, steps=ArrayAttr([StringAttr("relu")]))),
    (nn.FusedElementwiseOp, 4, lambda: fused([VECTOR], ("relu", 1))),
    (nn.FusedElementwiseOp, 4, lambda: fused([VECTOR], ("relu", -1))),
    (nn.ConvOp, 1, lambda: nn.ConvOp.make(value(4, 5), value(4, 5))),
    (nn.ConvOp, 1, lambda: nn.ConvOp.make(IMAGE, value(6, 4, 3))),
    (nn.ConvOp, 1, lambda: nn.ConvOp.make(IMAGE, value(6, 4, 3, 3, of=f64))),
    (nn.ConvOp, 2, lambda: nn.ConvOp.make(IMAGE, KERNEL, strides=(0, 1))),
    (nn.ConvOp, 2, lambda: nn.ConvOp.make(IMAGE, KERNEL, pads=(0, 0, -1, 0))),
    (nn.ConvOp, 2, lambda: nn.ConvOp.make(IMAGE, KERNEL, dilations=(1,))),
    (nn.ConvOp, 3, lambda: nn.ConvOp.make(IMAGE, KERNEL, dilations=(3, 1))),
    (nn.ConvOp, 4, lambda: nn.ConvOp.make(IMAGE, KERNEL, groups=2)),
    (nn.ConvOp, 4, lambda: nn.ConvOp.make(IMAGE, KERNEL, groups=0)),
    (nn.ConvOp, 5, lambda: nn.ConvOp.make(IMAGE, KERNEL, VECTOR)),
    *WINDOWS,
    (nn.MatmulOp, 1, lambda: nn.MatmulOp.make(value(2, 3), value(3, 2, of=f64))),
    (nn.MatmulOp, 2, lambda: nn.MatmulOp.make(value(2, 2, 3), value(3, 3, 2))),
    (nn.MatmulOp, 3, lambda: nn.MatmulOp.make(value(2, 3), value(2, 3))),
    (nn.MatmulOp, 3, lambda: nn.MatmulOp.make(value(2, 3), value(3))),
    (nn.GemmOp, 1, lambda: nn.GemmOp.make(value(2, 3), value(3, 2, of=f64))),
    (nn.GemmOp, 2, lambda: nn.GemmOp.make(value(2, 3), value(3, 2), transpose_a=1)),
    (nn.GemmOp, 2, lambda: nn.GemmOp.make(value(1, 2, 3), value(3, 2))),
    (nn.GemmOp, 3, lambda: nn.GemmOp.make(value(2, 3), value(3, 2), value(5, 2, 2))),
    (nn.GemmOp, 3, lambda: nn.GemmOp.make(value(2, 3), value(3, 2), value(3))),
    (nn.BatchNormOp, 1, lambda: batch_norm(value(4, of=f64))),
    (nn.BatchNormOp, 2, lambda: batch_norm(value(5))),
    (nn.BatchNormOp, 2, lambda: nn.BatchNormOp.make(*[VECTOR] * 5, epsilon=1e-5)),
    (nn.SoftmaxOp, 1, lambda: nn.SoftmaxOp.make(VECTOR, axis=1)),
    (nn.SoftmaxOp, 1, lambda: nn.SoftmaxOp.make(VECTOR, axis=-1)),
    (nn.ReduceOp, 1, lambda: nn.ReduceOp.make(VECTOR, kind="median", axes=(0,))),
    (nn.ReduceOp, 2, lambda: nn.ReduceOp.make(IMAGE, kind="sum", axes=(2, 1))),
    (nn.ReduceOp, 2, lambda: nn.ReduceOp.make(IMAGE, kind="sum", axes=(4,))),
    (nn.WeightOp, 1, lambda: nn.WeightOp.make(type=TensorType(f32, [4]), weight="")),
    (nn.ReshapeOp, 1, lambda: nn.ReshapeOp.make(VECTOR, type=TensorType(f32, [3]))),
    (nn.ReshapeOp, 1, lambda: nn.ReshapeOp.make(VECTOR, type=TensorType(f64, [2, 2]))),
    (nn.BroadcastOp, 1, lambda: nn.BroadcastOp.make(VECTOR, type=TensorType(f32, [4, 3]))),
    (nn.BroadcastOp, 1, lambda: nn.BroadcastOp.make(VECTOR, type=TensorType(f64, [3, 4]))),
    (nn.TransposeOp, 1, lambda: nn.TransposeOp.make(IMAGE, permutation=(0, 1, 2, 2))),
    (nn.ConcatOp, 1, lambda: nn.ConcatOp.make(axis=0)),
    (nn.ConcatOp, 1, lambda: nn.ConcatOp.make(VECTOR, value(4, of=i32), axis=0)),
    (nn.ConcatOp, 2, lambda: nn.ConcatOp.make(VECTOR, axis=1)),
    (nn.ConcatOp, 3, lambda: nn.ConcatOp.make(value(2, 3), value(2, 4), axis=0)),
    (nn.SliceOp, 1, lambda: nn.SliceOp.make(VECTOR, starts=(1,), limits=(5,))),
    (nn.SliceOp, 1, lambda: nn.SliceOp.make(VECTOR, starts=(1, 0), limits=(2, 1))),
]


def fused(inputs: list[SSAValue], *steps: tuple) -> nn.FusedElementwiseOp:
    chain = ArrayAttr([nn.StepAttr.of(kind, args) for kind, *args in steps])
    return nn.FusedElementwiseOp.make(*inputs, steps=chain)


def batch_norm(scale: SSAValue) -> nn.BatchNormOp:
    return nn.BatchNormOp.make(IMAGE, scale, VECTOR, VECTOR, VECTOR, epsilon=1e-5)


@pytest.mark.parametrize(("op", "constraint", "build"), BROKEN, ids=[f"{o.__name__}-C{c}" for o, c, _ in BROKEN])
def test_breaking_a_constraint_is_refused_by_its_number(op, constraint, build):
    with pytest.raises(VerifyException, match=rf"\(C{constraint}\)"):
        build()


def test_every_numbered_constraint_is_broken_above():
    elsewhere = set(nn.collectives.OPS)  # test_collectives.py
    classes = {nn.ElementwiseOp, nn.StepAttr, *nn.Nn.operations} - elsewhere
    stated = {(c, int(n)) for c in classes if "__doc__" in vars(c) for n in re.findall(r"\(C(\d)\)", c.__doc__ or "")}
    assert stated == {(op, constraint) for op, constraint, _ in BROKEN}


def test_C0_a_result_of_another_type_than_inferred_is_refused():
    with pytest.raises(VerifyException, match=r"\(C0\) the result of nn.relu is tensor<3xf32>, must be tensor<4xf32>"):
        nn.ReluOp.make(VECTOR, type=TensorType(f32, [3]))


def test_C0_an_operand_must_be_a_tensor_of_known_shape():
    scalar = Block(arg_types=[Float32Type()]).args[0]
    with pytest.raises(VerifyException, match=r"\(C0\) an operand has type f32"):
        nn.ReluOp.make(scalar)
    with pytest.raises(VerifyException, match=r"\(C0\) .* has an unknown size"):
        nn.ReluOp.make(value(DYNAMIC_INDEX, 4))


@pytest.mark.parametrize(
    ("op", "shape"),
    [
        (nn.AddOp.make(value(2, 1, 3), value(4, 1)), (2, 4, 3)),
        (nn.AddOp.make(value(0, 3), value(1, 3)), (0, 3)),
        (nn.ConvOp.make(IMAGE, KERNEL, strides=(2, 1), pads=(1, 0, 1, 0)), (2, 6, 3, 3)),
        (nn.ConvOp.make(IMAGE, value(8, 1, 3, 3), value(8), groups=4, dilations=(2, 2)), (2, 8, 1, 1)),
        (nn.MaxPoolOp.make(IMAGE, kernel=(2, 3), strides=(2, 1)), (2, 4, 2, 3)),
        (nn.MatmulOp.make(value(2, 1, 3, 4), value(5, 4, 6)), (2, 5, 3, 6)),
        (nn.GemmOp.make(value(3, 2), value(5, 3), value(5), transpose_a=1, transpose_b=1), (2, 5)),
        (nn.ReduceOp.make(IMAGE, kind="mean", axes=(2, 3)), (2, 4, 1, 1)),
        (nn.ConcatOp.make(IMAGE, value(2, 1, 5, 5), axis=1), (2, 5, 5, 5)),
        (nn.SliceOp.make(IMAGE, starts=(0, 1, 0, 5), limits=(2, 3, 5, 5)), (2, 2, 5, 0)),
        (nn.TransposeOp.make(IMAGE, permutation=(0, 2, 3, 1)), (2, 5, 5, 4)),
    ],
    ids=lambda x: x.name if isinstance(x, nn.TensorOp) else "",
)
def test_result_shapes_follow_from_operands(op, shape):
    assert nn.shape_of(op.results[0]) == shape
