"""Each numbered constraint of the ops that lay out, index and resize has a case that breaks it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from xdsl.dialects.builtin import TensorType, f32, f64, i1, i32, i64
from xdsl.ir import Attribute, Block, SSAValue
from xdsl.utils.exceptions import VerifyException

from dovetail.ir import nn


def value(*shape: int, of: Attribute = f32) -> SSAValue:
    return Block(arg_types=[TensorType(of, shape)]).args[0]


IMAGE, VECTOR, SCALAR, INDEX = value(2, 4, 5, 5), value(4), value(), value(3, of=i64)


def pad(x: SSAValue, **given) -> nn.PadOp:
    """Of the vector: one more element before it."""
    value = SCALAR if given.get("mode", "constant") == "constant" else None
    return nn.PadOp.make(x, value, **{"low": (1,), "high": (0,), **given})


def resize(x: SSAValue = IMAGE, **given) -> nn.ResizeOp:
    return nn.ResizeOp.make(x, **{"axes": (2, 3), "sizes": (8, 8), **given})


BROKEN: list[tuple[type, int, Callable[[], object]]] = [
    (nn.FillOp, 1, lambda: nn.FillOp.make(type=TensorType(i32, []), value=0.5)),
    (nn.FillOp, 1, lambda: nn.FillOp.make(type=TensorType(i32, []), value=2.0**31)),
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
    (nn.SliceOp, 1, lambda: nn.SliceOp.make(VECTOR, starts=(5,), limits=(nn.END,))),
    (nn.SliceOp, 2, lambda: nn.SliceOp.make(VECTOR, starts=(0,), limits=(4,), steps=(0,))),
    (nn.SliceOp, 2, lambda: nn.SliceOp.make(VECTOR, starts=(0,), limits=(4,), steps=(1, 1))),
    (nn.SplitOp, 1, lambda: nn.SplitOp.make(VECTOR, axis=1, sizes=(4,))),
    (nn.SplitOp, 2, lambda: nn.SplitOp.make(VECTOR, axis=0, sizes=(2, 1))),
    (nn.SplitOp, 2, lambda: nn.SplitOp.make(VECTOR, axis=0, sizes=(5, -1))),
    (nn.SplitOp, 2, lambda: nn.SplitOp.make(value(0), axis=0, sizes=())),
    (nn.ReverseOp, 1, lambda: nn.ReverseOp.make(IMAGE, axes=(1, 1))),
    (nn.ReverseOp, 1, lambda: nn.ReverseOp.make(IMAGE, axes=(4,))),
    (nn.PadOp, 1, lambda: pad(VECTOR, mode="mirror")),
    (nn.PadOp, 2, lambda: pad(VECTOR, low=(-1,))),
    (nn.PadOp, 2, lambda: pad(VECTOR, high=(0, 0))),
    (nn.PadOp, 3, lambda: nn.PadOp.make(VECTOR, low=(1,), high=(0,))),
    (nn.PadOp, 3, lambda: nn.PadOp.make(VECTOR, SCALAR, low=(1,), high=(0,), mode="edge")),
    (nn.PadOp, 3, lambda: nn.PadOp.make(VECTOR, VECTOR, low=(1,), high=(0,))),
    (nn.PadOp, 3, lambda: nn.PadOp.make(VECTOR, value(of=f64), low=(1,), high=(0,))),
    (nn.PadOp, 4, lambda: pad(VECTOR, mode="reflect", high=(4,))),
    (nn.PadOp, 4, lambda: pad(VECTOR, mode="wrap", low=(5,))),
    (nn.PadOp, 4, lambda: pad(value(0), mode="edge")),
    (nn.GatherOp, 1, lambda: nn.GatherOp.make(VECTOR, INDEX, axis=1)),
    (nn.GatherOp, 2, lambda: nn.GatherOp.make(VECTOR, VECTOR, axis=0)),
    (nn.GatherOp, 2, lambda: nn.GatherOp.make(VECTOR, value(3, of=i1), axis=0)),
    (nn.GatherElementsOp, 1, lambda: nn.GatherElementsOp.make(VECTOR, INDEX, axis=-1)),
    (nn.GatherElementsOp, 2, lambda: nn.GatherElementsOp.make(VECTOR, VECTOR, axis=0)),
    (nn.GatherElementsOp, 3, lambda: nn.GatherElementsOp.make(IMAGE, INDEX, axis=0)),
    (nn.GatherElementsOp, 3, lambda: nn.GatherElementsOp.make(value(2, 3), value(3, 3, of=i64), axis=1)),
    (nn.ScatterOp, 1, lambda: nn.ScatterOp.make(VECTOR, INDEX, value(3), axis=1)),
    (nn.ScatterOp, 2, lambda: nn.ScatterOp.make(VECTOR, value(3), value(3), axis=0)),
    (nn.ScatterOp, 3, lambda: nn.ScatterOp.make(VECTOR, INDEX, value(3), axis=0, kind="mul")),
    (nn.ScatterOp, 4, lambda: nn.ScatterOp.make(VECTOR, INDEX, value(2), axis=0)),
    (nn.ScatterOp, 4, lambda: nn.ScatterOp.make(VECTOR, INDEX, value(3, of=f64), axis=0)),
    (nn.IotaOp, 1, lambda: nn.IotaOp.make(type=TensorType(i64, [4]), axis=1)),
    (nn.IotaOp, 2, lambda: nn.IotaOp.make(type=TensorType(i1, [4]), axis=0)),
    (nn.ResizeOp, 1, lambda: resize(axes=(3, 2))),
    (nn.ResizeOp, 2, lambda: resize(sizes=(8,))),
    (nn.ResizeOp, 2, lambda: resize(sizes=(8, 0))),
    (nn.ResizeOp, 2, lambda: resize(scales=(2.0,))),
    (nn.ResizeOp, 2, lambda: resize(scales=(2.0, 0.0))),
    (nn.ResizeOp, 2, lambda: resize(value(2, 4, 0, 5))),
    (nn.ResizeOp, 3, lambda: resize(mode="lanczos")),
    (nn.ResizeOp, 3, lambda: resize(coordinates="tf_crop_and_resize")),
    (nn.ResizeOp, 3, lambda: resize(rounding="up")),
    (nn.ResizeOp, 4, lambda: resize(value(2, 4, 5, 5, of=i32), mode="linear")),
    (nn.ResizeOp, 4, lambda: resize(value(2, 4, 5, 5, of=i1))),
]


@pytest.mark.parametrize(("op", "constraint", "build"), BROKEN, ids=[f"{o.__name__}-C{c}" for o, c, _ in BROKEN])
def test_breaking_a_constraint_is_refused_by_its_number(op, constraint, build):
    with pytest.raises(VerifyException, match=rf"\(C{constraint}\)"):
        build()


@pytest.mark.parametrize(
    ("op", "shape"),
    [
        (nn.ConcatOp.make(IMAGE, value(2, 1, 5, 5), axis=1), (2, 5, 5, 5)),
        (nn.SliceOp.make(IMAGE, starts=(0, 1, 0, 5), limits=(2, 3, 5, 5)), (2, 2, 5, 0)),
        (nn.SliceOp.make(IMAGE, starts=(0, 1, 0, 1), limits=(2, nn.END, 5, 5), steps=(1, 2, 2, 3)), (2, 2, 3, 2)),
        (nn.TransposeOp.make(IMAGE, permutation=(0, 2, 3, 1)), (2, 5, 5, 4)),
        (nn.SplitOp.make(IMAGE, axis=1, sizes=(3, 0, 1)), (2, 3, 5, 5)),
        (pad(VECTOR, high=(2,)), (7,)),
        (pad(VECTOR, mode="wrap", low=(4,)), (8,)),
        (nn.GatherOp.make(IMAGE, value(3, 1, of=i32), axis=1), (2, 3, 1, 5, 5)),
        (nn.GatherElementsOp.make(IMAGE, value(1, 7, 5, 2, of=i32), axis=1), (1, 7, 5, 2)),
        (nn.ScatterOp.make(VECTOR, value(of=i64), SCALAR, axis=0, kind="add"), (4,)),
        (resize(sizes=(3, 9)), (2, 4, 3, 9)),
    ],
    ids=lambda x: x.name if isinstance(x, nn.TensorOp) else "",
)
def test_result_shapes_follow_from_operands(op, shape):
    assert nn.shape_of(op.results[0]) == shape
