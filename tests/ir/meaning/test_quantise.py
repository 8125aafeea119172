"""Quantisation against onnxruntime, ml_dtypes and numbers worked by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from xdsl.dialects.builtin import Float8E4M3FNType, Float8E5M2Type, IntegerType, Signedness, f32, i8, i32
from xdsl.ir import Attribute, Block

from dovetail.ir import nn
from dovetail.ir.interpret import evaluate
from dovetail.ir.meaning.quantise import round_to_fp8

U8 = IntegerType(8, Signedness.UNSIGNED)
ORT_TYPES = {"int8": i8, "uint8": U8}


def quantise(x, scale, zero=None, *, to: Attribute, block, zero_of: Attribute | None = None) -> np.ndarray:
    operands = [np.asarray(o, dtype=np.float64) for o in (x, scale, zero) if o is not None]
    types = [nn.tensor(kind, o.shape) for kind, o in zip((f32, f32, zero_of or to), operands, strict=False)]
    op = nn.QuantiseOp.make(*Block(arg_types=types).args, type=nn.tensor(to, operands[0].shape), block=block)
    return evaluate(op, operands, {})[0]


def dequantise(q, scale, zero=None, *, of: Attribute, block) -> np.ndarray:
    operands = [np.asarray(o, dtype=np.float64) for o in (q, scale, zero) if o is not None]
    types = [nn.tensor(kind, o.shape) for kind, o in zip((of, f32, of), operands, strict=False)]
    return evaluate(nn.DequantiseOp.make(*Block(arg_types=types).args, block=block), operands, {})[0]


def test_by_hand() -> None:
    x = [[0.5, 1.5, 2.5, -0.6], [7.4, 7.6, -8.4, -9.9]]
    got = quantise(x, [[1.0], [1.0]], to=IntegerType(4), block=(1, 0))
    assert got.tolist() == [[0, 2, 2, -1], [7, 7, -8, -8]], "half to even, cut off at the ends"
    got = quantise([[1.0, 2.0, 30.0, -10.0]], [[0.5, 10.0]], [[3, -1]], to=IntegerType(3), block=(1, 2))
    assert got.tolist() == [[3, 3, 2, -2]]
    assert dequantise([[3, 3, 2, -2]], [[0.5, 10.0]], [[3, -1]], of=IntegerType(3), block=(1, 2)).tolist() == [
        [0, 0, 30, -10]
    ]
    signs = quantise([[-2.0, 2.0]], [[4.0]], [[0.5]], to=IntegerType(1), block=(0, 0), zero_of=f32)
    assert signs.tolist() == [[0, 1]], "one bit says a sign where the zero is a half"
    squares = dequantise(np.ones((3, 3)), [[1, 2], [3, 4]], of=i32, block=(2, 2))
    assert squares.tolist() == [[1, 1, 2], [1, 1, 2], [3, 3, 4]], "the last block of an axis may be shorter"


@pytest.mark.parametrize("bits", range(2, 9))
def test_every_width_is_off_by_half_a_step_at_most(bits: int) -> None:
    rng = np.random.default_rng(bits)
    x = rng.uniform(-1, 1, (16, 24))
    least, largest = nn.integer_range(IntegerType(bits))
    scale = np.full((16, 3), 2 / (largest - least))
    zero = np.full((16, 3), np.rint(1 / scale[0, 0]) + least)
    q = quantise(x, scale, zero, to=IntegerType(bits), block=(1, 8))
    assert least <= q.min() < q.max() <= largest
    back = dequantise(q, scale, zero, of=IntegerType(bits), block=(1, 8))
    assert np.abs(back - x).max() <= scale[0, 0] / 2 + 1e-9


@pytest.mark.parametrize("e5m2", [False, True])
def test_fp8_is_that_of_ml_dtypes(e5m2: bool) -> None:
    """All numbers of the type are kept; others go to the nearest, halves to even, and stay in range."""
    ml_dtypes = pytest.importorskip("ml_dtypes")
    kind = ml_dtypes.float8_e5m2 if e5m2 else ml_dtypes.float8_e4m3fn
    every = np.arange(256, dtype=np.uint8).view(kind).astype(np.float64)
    every = np.unique(every[np.isfinite(every)])
    np.testing.assert_array_equal(round_to_fp8(every, e5m2), every)
    halves = (every[1:] + every[:-1]) / 2
    random = np.random.default_rng(1).normal(size=4000) * np.exp2(np.random.default_rng(2).integers(-20, 9, 4000))
    largest = every.max()
    for x in (halves, np.clip(random, -largest, largest)):
        np.testing.assert_array_equal(round_to_fp8(x, e5m2), x.astype(kind).astype(np.float64))
    assert round_to_fp8(np.array([1e9, -1e9]), e5m2).tolist() == [largest, -largest]
    to = Float8E5M2Type() if e5m2 else Float8E4M3FNType()
    got = quantise([[3.3 * 2.0]], [[2.0]], to=to, block=(0, 0))
    np.testing.assert_array_equal(got, np.array([[3.3]]).astype(kind).astype(np.float64))


@pytest.mark.parametrize("block", [(0, 0, 0), (0, 1, 0), (1, 4, 1)])
@pytest.mark.parametrize("kind", ["int8", "uint8"])
def test_integers_are_those_of_onnxruntime(kind: str, block: tuple[int, int, int]) -> None:
    import onnxruntime as ort
    from onnx import TensorProto, helper

    rng = np.random.default_rng(7)
    x = rng.normal(size=(2, 8, 3)).astype(np.float32) * 3
    shape = tuple(-(-n // b) if b else 1 for n, b in zip(x.shape, block, strict=True))
    scale = rng.uniform(0.01, 0.05, shape).astype(np.float32)
    zero = rng.integers(0, 100, shape).astype(kind)
    way: dict[str, Any] = {"axis": 1, "block_size": 4} if block == (1, 4, 1) else {"axis": 1}
    as_onnx = [
        e if block == (1, 4, 1) else e.reshape(-1) if block == (0, 1, 0) else e.reshape(()) for e in (scale, zero)
    ]
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"], **way),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"], **way),
    ]
    floats, whole = TensorProto.FLOAT, {"int8": TensorProto.INT8, "uint8": TensorProto.UINT8}[kind]
    ends = [("x", floats, x), ("s", floats, as_onnx[0]), ("z", whole, as_onnx[1])]
    inputs = [helper.make_tensor_value_info(n, t, e.shape) for n, t, e in ends]
    outputs = [helper.make_tensor_value_info("q", whole, x.shape), helper.make_tensor_value_info("y", floats, x.shape)]
    model = helper.make_model(
        helper.make_graph(nodes, "g", inputs, outputs), opset_imports=[helper.make_opsetid("", 21)], ir_version=10
    )
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    q, y = (np.asarray(each) for each in session.run(None, {n: e for n, _, e in ends}))
    ours = quantise(x, scale, zero, to=ORT_TYPES[kind], block=block)
    np.testing.assert_array_equal(ours, q)
    np.testing.assert_allclose(dequantise(ours, scale, zero, of=ORT_TYPES[kind], block=block), y, rtol=1e-6)
