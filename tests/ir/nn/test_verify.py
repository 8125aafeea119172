"""
Each numbered constraint of each nn op has a case that breaks it.

Files of this folder list theirs in BROKEN: (the op, the number, what must be refused). That none is missing is tested
here, for all rooms of `ir/nn` together.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from xdsl.dialects.builtin import (
    DYNAMIC_INDEX,
    ArrayAttr,
    Float32Type,
    IndexType,
    IntegerType,
    StringAttr,
    TensorType,
    f32,
    f64,
    i1,
    i32,
)
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
        (1, value(4, 5), {"kernel": ()}),
        (1, value(1, 1, 2, 2, 2, 2), {"kernel": (2, 2, 2, 2)}),
        (1, value(2, 4, 5, 5, of=i1), {}),
        (2, IMAGE, {"strides": (0, 1)}),
        (2, IMAGE, {"dilations": (1, 0)}),
        (2, IMAGE, {"kernel": (2,)}),
        (2, IMAGE, {"kernel": (0, 1)}),
        (2, IMAGE, {"pads": (0, 0)}),
        (3, IMAGE, {"kernel": (6, 1)}),
        (3, IMAGE, {"kernel": (3, 1), "dilations": (3, 1)}),
        (4, IMAGE, {"pads": (0, 2, 0, 0)}),
    )
]
NORMS = [
    (nn.BatchNormOp, 1, lambda: batch_norm(value(4, of=f64))),
    (nn.BatchNormOp, 1, lambda: nn.BatchNormOp.make(value(2, 4, of=i32), *[value(4, of=i32)] * 4)),
    (nn.BatchNormOp, 2, lambda: batch_norm(value(5))),
    (nn.BatchNormOp, 2, lambda: nn.BatchNormOp.make(*[VECTOR] * 5)),
    (nn.LayerNormOp, 1, lambda: nn.LayerNormOp.make(IMAGE, value(5, of=f64), axis=3)),
    (nn.LayerNormOp, 1, lambda: nn.LayerNormOp.make(value(4, of=i32), axis=0)),
    (nn.LayerNormOp, 2, lambda: nn.LayerNormOp.make(IMAGE, axis=4)),
    (nn.LayerNormOp, 2, lambda: nn.LayerNormOp.make(IMAGE, axis=-1)),
    (nn.LayerNormOp, 3, lambda: nn.LayerNormOp.make(IMAGE, value(4), axis=3)),
    (nn.LayerNormOp, 3, lambda: nn.LayerNormOp.make(IMAGE, value(5), value(1, 5), axis=3)),
    (nn.LayerNormOp, 3, lambda: nn.LayerNormOp.make(axis=0)),
    (nn.LayerNormOp, 3, lambda: nn.LayerNormOp.make(VECTOR, VECTOR, VECTOR, VECTOR, axis=0)),
    (nn.RmsNormOp, 1, lambda: nn.RmsNormOp.make(IMAGE, value(5, of=f64), axis=3)),
    (nn.RmsNormOp, 2, lambda: nn.RmsNormOp.make(IMAGE, axis=4)),
    (nn.RmsNormOp, 3, lambda: nn.RmsNormOp.make(IMAGE, value(4), axis=3)),
    (nn.GroupNormOp, 1, lambda: nn.GroupNormOp.make(IMAGE, VECTOR, value(4, of=f64), groups=2)),
    (nn.GroupNormOp, 2, lambda: nn.GroupNormOp.make(IMAGE, VECTOR, value(2), groups=2)),
    (nn.GroupNormOp, 2, lambda: nn.GroupNormOp.make(VECTOR, VECTOR, VECTOR, groups=2)),
    (nn.GroupNormOp, 3, lambda: nn.GroupNormOp.make(IMAGE, VECTOR, VECTOR, groups=3)),
    (nn.GroupNormOp, 3, lambda: nn.GroupNormOp.make(IMAGE, VECTOR, VECTOR, groups=0)),
]
REDUCTIONS = [
    (nn.SoftmaxOp, 1, lambda: nn.SoftmaxOp.make(VECTOR, axis=1)),
    (nn.SoftmaxOp, 1, lambda: nn.SoftmaxOp.make(VECTOR, axis=-1)),
    (nn.SoftmaxOp, 2, lambda: nn.SoftmaxOp.make(value(4, of=i32), axis=0)),
    (nn.ReduceOp, 1, lambda: nn.ReduceOp.make(VECTOR, kind="median", axes=(0,))),
    (nn.ReduceOp, 2, lambda: nn.ReduceOp.make(IMAGE, kind="sum", axes=(2, 1))),
    (nn.ReduceOp, 2, lambda: nn.ReduceOp.make(IMAGE, kind="sum", axes=(4,))),
    (nn.ReduceOp, 3, lambda: nn.ReduceOp.make(value(4, of=i32), kind="mean", axes=(0,))),
    (nn.ReduceOp, 3, lambda: nn.ReduceOp.make(value(4, of=i1), kind="sum", axes=(0,))),
    (nn.ReduceOp, 3, lambda: nn.ReduceOp.make(value(4, of=i1), kind="prod", axes=(0,))),
    (nn.ArgMaxOp, 1, lambda: nn.ArgMaxOp.make(VECTOR, axis=1)),
    (nn.ArgMaxOp, 2, lambda: nn.ArgMaxOp.make(value(2, 0), axis=1)),
    (nn.TopKOp, 1, lambda: nn.TopKOp.make(VECTOR, axis=-1, k=1)),
    (nn.TopKOp, 2, lambda: nn.TopKOp.make(VECTOR, axis=0, k=5)),
    (nn.TopKOp, 2, lambda: nn.TopKOp.make(VECTOR, axis=0, k=-1)),
    (nn.CumSumOp, 1, lambda: nn.CumSumOp.make(VECTOR, axis=1)),
    (nn.CumSumOp, 2, lambda: nn.CumSumOp.make(value(4, of=i1), axis=0)),
    (nn.CumSumOp, 3, lambda: nn.CumSumOp.make(VECTOR, axis=0, reverse=2)),
    (nn.CumSumOp, 3, lambda: nn.CumSumOp.make(VECTOR, axis=0, exclusive=-1)),
]

BROKEN: list[tuple[type, int, Callable[[], object]]] = [
    (nn.ElementwiseOp, 1, lambda: nn.AddOp.make(VECTOR, value(4, of=f64))),
    (nn.ElementwiseOp, 2, lambda: nn.AddOp.make(VECTOR, value(3))),
    (nn.ElementwiseOp, 3, lambda: nn.ExpOp.make(value(4, of=i32))),
    (nn.ElementwiseOp, 3, lambda: nn.AddOp.make(*[value(4, of=i1)] * 2)),
    (nn.ElementwiseOp, 3, lambda: nn.AndOp.make(VECTOR, VECTOR)),
    (nn.ElementwiseOp, 3, lambda: nn.ReluOp.make(value(4, of=IntegerType(128)))),
    (nn.ComparisonOp, 1, lambda: nn.LessOp.make(VECTOR, value(4, of=f64))),
    (nn.ComparisonOp, 2, lambda: nn.EqualOp.make(VECTOR, value(3))),
    (nn.WhereOp, 1, lambda: nn.WhereOp.make(VECTOR, VECTOR, VECTOR)),
    (nn.WhereOp, 1, lambda: nn.WhereOp.make(value(4, of=i1), VECTOR, value(4, of=f64))),
    (nn.WhereOp, 2, lambda: nn.WhereOp.make(value(3, of=i1), VECTOR, VECTOR)),
    (nn.CastOp, 1, lambda: nn.CastOp.make(VECTOR, type=TensorType(f64, [2, 2]))),
    (nn.CastOp, 2, lambda: nn.CastOp.make(VECTOR, type=TensorType(IntegerType(65), [4]))),
    (nn.CastOp, 2, lambda: nn.CastOp.make(value(4, of=IndexType()), type=TensorType(f32, [4]))),
    (nn.StepAttr, 1, lambda: nn.StepAttr.of("conv2d", [0])),
    (nn.StepAttr, 2, lambda: nn.StepAttr.of("relu", [0, 1])),
    (nn.FusedElementwiseOp, 1, lambda: fused([VECTOR, value(4, of=f64)], ("add", 0, 1))),
    (nn.FusedElementwiseOp, 2, lambda: fused([VECTOR, value(3)], ("add", 0, 1))),
    (nn.FusedElementwiseOp, 3, lambda: fused([VECTOR])),
    (nn.FusedElementwiseOp, 3, lambda: nn.FusedElementwiseOp.make(VECTOR, steps=ArrayAttr([StringAttr("relu")]))),
    (nn.FusedElementwiseOp, 4, lambda: fused([VECTOR], ("relu", 1))),
    (nn.FusedElementwiseOp, 4, lambda: fused([VECTOR], ("relu", -1))),
    (nn.FusedElementwiseOp, 5, lambda: fused([VECTOR], ("relu", 0), ("not", 1))),
    (nn.FusedElementwiseOp, 5, lambda: fused([value(4, of=i32)], ("exp", 0))),
    (nn.ConvOp, 1, lambda: nn.ConvOp.make(value(4, 5), value(4, 5))),
    (nn.ConvOp, 1, lambda: nn.ConvOp.make(IMAGE, value(6, 4, 3))),
    (nn.ConvOp, 1, lambda: nn.ConvOp.make(IMAGE, value(6, 4, 3, 3, of=f64))),
    (nn.ConvOp, 1, lambda: nn.ConvOp.make(value(2, 4, 5, 5, of=i1), value(6, 4, 3, 3, of=i1))),
    (nn.ConvOp, 2, lambda: nn.ConvOp.make(IMAGE, KERNEL, strides=(0, 1))),
    (nn.ConvOp, 2, lambda: nn.ConvOp.make(IMAGE, KERNEL, pads=(0, 0, -1, 0))),
    (nn.ConvOp, 2, lambda: nn.ConvOp.make(IMAGE, KERNEL, dilations=(1,))),
    (nn.ConvOp, 3, lambda: nn.ConvOp.make(IMAGE, KERNEL, dilations=(3, 1))),
    (nn.ConvOp, 4, lambda: nn.ConvOp.make(IMAGE, KERNEL, groups=2)),
    (nn.ConvOp, 4, lambda: nn.ConvOp.make(IMAGE, KERNEL, groups=0)),
    (nn.ConvOp, 5, lambda: nn.ConvOp.make(IMAGE, KERNEL, VECTOR)),
    (nn.ConvTransposeOp, 1, lambda: nn.ConvTransposeOp.make(value(4, 5), value(4, 5))),
    (nn.ConvTransposeOp, 1, lambda: nn.ConvTransposeOp.make(IMAGE, value(4, 6, 3))),
    (nn.ConvTransposeOp, 2, lambda: nn.ConvTransposeOp.make(IMAGE, value(4, 6, 3, 3), pads=(0, 0, 0, -1))),
    (nn.ConvTransposeOp, 2, lambda: nn.ConvTransposeOp.make(IMAGE, value(4, 6, 3, 3), output_pads=(1, 0))),
    (nn.ConvTransposeOp, 2, lambda: nn.ConvTransposeOp.make(IMAGE, value(4, 6, 3, 3), output_pads=(0,))),
    (nn.ConvTransposeOp, 3, lambda: nn.ConvTransposeOp.make(IMAGE, value(4, 6, 1, 1), pads=(3, 0, 2, 0))),
    (nn.ConvTransposeOp, 4, lambda: nn.ConvTransposeOp.make(IMAGE, KERNEL)),
    (nn.ConvTransposeOp, 4, lambda: nn.ConvTransposeOp.make(IMAGE, value(4, 6, 3, 3), groups=3)),
    (nn.ConvTransposeOp, 5, lambda: nn.ConvTransposeOp.make(IMAGE, value(4, 3, 3, 3), value(3), groups=2)),
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
    *NORMS,
    *REDUCTIONS,
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


def stated(cls: type) -> set[tuple[str, int]]:
    """The numbered constraints in the docstring of `cls` itself, by its name."""
    return {(cls.__name__, int(n)) for n in re.findall(r"\(C(\d+)\)", vars(cls).get("__doc__") or "")}


def test_every_numbered_constraint_of_every_op_is_broken_in_this_folder():
    broken = set()
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        spec = spec_from_file_location(f"broken_{path.stem}", path)
        assert spec is not None
        assert spec.loader is not None
        spec.loader.exec_module(module := module_from_spec(spec))
        broken |= {(op.__name__, constraint) for op, constraint, _ in getattr(module, "BROKEN", ())}
    classes = {nn.ElementwiseOp, nn.ComparisonOp, nn.StepAttr, *nn.Nn.operations}
    assert broken == set().union(*map(stated, classes))


def test_C0_an_operand_after_an_absent_one_is_refused():
    with pytest.raises(VerifyException, match=r"\(C0\) nn.layer_norm is given an operand after one that is absent"):
        nn.LayerNormOp.make(VECTOR, None, VECTOR, axis=0)


def test_an_op_that_is_refused_uses_nothing():
    one, other = value(2, 3), value(2, 4)
    for make in (lambda: nn.AddOp.make(one, other), lambda: nn.ReshapeOp.make(one, type=TensorType(f32, [7]))):
        with pytest.raises(VerifyException):
            make()
    assert one.first_use is None
    assert other.first_use is None


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
        (nn.ConvOp.make(value(2, 4, 9), value(6, 4, 3), strides=(2,), pads=(1, 1)), (2, 6, 5)),
        (nn.ConvOp.make(value(2, 4, 5, 6, 7), value(6, 4, 1, 2, 3)), (2, 6, 5, 5, 5)),
        (nn.ConvTransposeOp.make(IMAGE, value(4, 3, 3, 3), strides=(2, 1), pads=(1, 0, 0, 1), groups=2), (2, 6, 10, 6)),
        (nn.ConvTransposeOp.make(IMAGE, value(4, 3, 2, 2), strides=(2, 2), output_pads=(1, 0)), (2, 3, 11, 10)),
        (nn.TopKOp.make(IMAGE, axis=1, k=2), (2, 2, 5, 5)),
        (nn.ArgMaxOp.make(IMAGE, axis=1), (2, 1, 5, 5)),
        (nn.WhereOp.make(value(2, 1, of=i1), value(3), value()), (2, 3)),
        (nn.MatmulOp.make(value(2, 1, 3, 4), value(5, 4, 6)), (2, 5, 3, 6)),
        (nn.GemmOp.make(value(3, 2), value(5, 3), value(5), transpose_a=1, transpose_b=1), (2, 5)),
        (nn.ReduceOp.make(IMAGE, kind="mean", axes=(2, 3)), (2, 4, 1, 1)),
    ],
    ids=lambda x: x.name if isinstance(x, nn.TensorOp) else "",
)
def test_result_shapes_follow_from_operands(op, shape):
    assert nn.shape_of(op.results[0]) == shape
