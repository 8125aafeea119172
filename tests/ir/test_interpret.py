"""The reference meaning of each nn op on numbers worked by hand, and its errors."""

from __future__ import annotations

import math

import numpy as np
import pytest
from xdsl.dialects.builtin import ArrayAttr, ModuleOp, TensorType, f32
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Block, Region

from dovetail.ir import nn
from dovetail.ir.interpret import evaluate, interpret
from dovetail.ir.meaning import MEANING, SCALAR
from dovetail.ir.meaning.collectives import ACROSS

IMAGE = np.arange(1.0, 10.0).reshape(1, 1, 3, 3)  # 1 2 3 / 4 5 6 / 7 8 9


def apply(kind: type[nn.TensorOp], /, *operands, **attributes) -> np.ndarray:
    """The result of one op on arrays."""
    arrays = [np.asarray(o, dtype=np.float64) for o in operands]
    block = Block(arg_types=[TensorType(f32, a.shape) for a in arrays])
    op = kind.make(*block.args, **attributes)
    (result,) = evaluate(op, arrays, {})
    assert result.shape == nn.shape_of(op.results[0])
    return result


@pytest.mark.parametrize(
    ("kind", "x", "expected"),
    [
        (nn.ReluOp, [-2, 3], [0, 3]),
        (nn.ExpOp, [0, 1], [1, math.e]),
        (nn.LogOp, [1, math.e], [0, 1]),
        (nn.SqrtOp, [4, 9], [2, 3]),
        (nn.RsqrtOp, [4, 16], [0.5, 0.25]),
        (nn.NegOp, [1, -2], [-1, 2]),
        (nn.TanhOp, [0, 0.5], [0, (math.e - 1) / (math.e + 1)]),
        (nn.SigmoidOp, [0, 1, -800], [0.5, 1 / (1 + math.exp(-1)), 0]),
        (nn.ErfOp, [0, 1], [0, 0.8427007929497149]),
    ],
)
def test_functions_of_one_tensor(kind, x, expected):
    np.testing.assert_allclose(apply(kind, x), expected, rtol=1e-14, atol=1e-300)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (nn.AddOp, [[11, 12], [21, 22]]),
        (nn.SubOp, [[-9, -8], [-19, -18]]),
        (nn.MulOp, [[10, 20], [20, 40]]),
        (nn.DivOp, [[0.1, 0.2], [0.05, 0.1]]),
        (nn.MaxOp, [[10, 10], [20, 20]]),
        (nn.MinOp, [[1, 2], [1, 2]]),
    ],
)
def test_functions_of_two_tensors_broadcast(kind, expected):
    np.testing.assert_allclose(apply(kind, [1, 2], [[10], [20]]), expected)


def test_a_chain_feeds_earlier_steps_to_later_ones():
    steps = ArrayAttr([nn.StepAttr.of("sub", (0, 1)), nn.StepAttr.of("mul", (2, 2)), nn.StepAttr.of("add", (3, 0))])
    np.testing.assert_allclose(apply(nn.FusedElementwiseOp, [1, 5], [2], steps=steps), [2, 14])


def test_a_chain_that_leaves_out_its_widest_operand_still_has_its_shape():
    steps = ArrayAttr([nn.StepAttr.of("neg", (0,))])
    np.testing.assert_allclose(apply(nn.FusedElementwiseOp, [1], [2, 3], steps=steps), [-1, -1])


def test_conv2d_with_pads_strides_and_bias():
    kernel = [[[[1, 0], [0, -1]]]]  # top left minus bottom right
    expected = [[[[0 - 1, 0 - 3], [0 - 7, 5 - 9]]]]
    got = apply(nn.ConvOp, IMAGE, kernel, [100], strides=(2, 2), pads=(1, 1, 0, 0))
    np.testing.assert_allclose(got, np.add(expected, 100))


def test_conv2d_dilated_and_in_groups():
    kernel = np.array([1.0, 10.0]).reshape(2, 1, 1, 1) * np.ones((2, 1, 2, 2))
    got = apply(nn.ConvOp, np.concatenate([IMAGE, -IMAGE], axis=1), kernel, groups=2, dilations=(2, 2))
    np.testing.assert_allclose(got, [[[[1 + 3 + 7 + 9]], [[-200]]]])


def test_padding_never_wins_a_max_pool():
    got = apply(nn.MaxPoolOp, -IMAGE, kernel=(2, 2), strides=(2, 2), pads=(1, 1, 0, 0))
    np.testing.assert_allclose(got, [[[[-1, -2], [-4, -5]]]])


@pytest.mark.parametrize(("count_pads", "corner"), [(0, 1.0), (1, 0.25)])
def test_average_pool_counts_padding_only_when_asked(count_pads, corner):
    got = apply(nn.AveragePoolOp, IMAGE, kernel=(2, 2), pads=(1, 1, 0, 0), count_pads=count_pads)
    assert got[0, 0, 0, 0] == corner
    assert got[0, 0, 2, 2] == (5 + 6 + 8 + 9) / 4


def test_products():
    a, b = [[1, 2], [3, 4]], [[5, 6], [7, 8]]
    np.testing.assert_allclose(apply(nn.MatmulOp, a, b), [[19, 22], [43, 50]])
    np.testing.assert_allclose(apply(nn.MatmulOp, [a, b], b)[1], [[67, 78], [91, 106]])
    np.testing.assert_allclose(apply(nn.GemmOp, a, b, [1, 2], transpose_a=1), [[27, 32], [39, 46]])
    np.testing.assert_allclose(apply(nn.GemmOp, a, b, transpose_b=1), [[17, 23], [39, 53]])


def test_batch_norm_of_the_second_axis():
    got = apply(nn.BatchNormOp, [[[3.0], [3.0]]], [2, 1], [1, 0], [1, 3], [3, 8], epsilon=1.0)
    np.testing.assert_allclose(got, [[[(3 - 1) / 2 * 2 + 1], [0]]])


def test_softmax_does_not_overflow():
    got = apply(nn.SoftmaxOp, [[1000.0, 1000.0 + math.log(3)]], axis=1)
    np.testing.assert_allclose(got, [[0.25, 0.75]])


@pytest.mark.parametrize(("kind", "expected"), [("sum", [12, 15, 18]), ("mean", [4, 5, 6]), ("max", [7, 8, 9])])
def test_reductions_keep_axes_of_size_one(kind, expected):
    np.testing.assert_allclose(apply(nn.ReduceOp, IMAGE, kind=kind, axes=(0, 2)), np.reshape(expected, (1, 1, 1, 3)))


def test_layout():
    matrix = IMAGE[0, 0]
    np.testing.assert_allclose(apply(nn.TransposeOp, matrix, permutation=(1, 0)), matrix.T)
    np.testing.assert_allclose(apply(nn.ReshapeOp, matrix, type=TensorType(f32, [1, 9])), [range(1, 10)])
    np.testing.assert_allclose(apply(nn.BroadcastOp, [[1], [2]], type=TensorType(f32, [2, 2])), [[1, 1], [2, 2]])
    np.testing.assert_allclose(apply(nn.ConcatOp, [[1]], [[2, 3]], axis=1), [[1, 2, 3]])
    np.testing.assert_allclose(apply(nn.SliceOp, matrix, starts=(1, 0), limits=(3, 2)), [[4, 5], [7, 8]])
    np.testing.assert_allclose(apply(nn.FillOp, type=TensorType(f32, [2]), value=0.5), [0.5, 0.5])


def test_every_op_has_a_meaning():
    elsewhere = {nn.WeightOp} | {nn.ELEMENTWISE[kind] for kind in SCALAR}
    assert set(nn.Nn.operations) == set(MEANING) | set(ACROSS) | elsewhere


def network() -> ModuleOp:
    """x + w, of two numbers."""
    pair = TensorType(f32, [2])
    block = Block(arg_types=[pair])
    weight = nn.WeightOp.make(type=pair, weight="w")
    total = nn.AddOp.make(block.args[0], weight.result)
    block.add_ops([weight, total])
    return nn.build_main(block, [total.result])


def test_interpret_runs_main_and_shows_each_op():
    seen = []
    (y,) = interpret(network(), [np.array([1, 2])], {"w": np.array([10, 20])}, lambda op, _: seen.append(op.name))
    assert y.dtype == np.float64
    np.testing.assert_allclose(y, [11, 22])
    assert seen == ["nn.weight", "nn.add"]


@pytest.mark.parametrize(
    ("inputs", "weights", "message"),
    [
        ([], {}, "main takes 1 input, got 0"),
        ([np.zeros(3)], {}, r"input 0 has shape \(3,\), the module says \(2,\)"),
        ([np.zeros(2)], {}, "weight `w` has no value"),
        ([np.zeros(2)], {"w": np.zeros((1, 2))}, r"weight `w` has shape \(1, 2\)"),
    ],
)
def test_interpret_names_what_does_not_fit(inputs, weights, message):
    with pytest.raises(ValueError, match=message):
        interpret(network(), inputs, weights)


def test_an_op_without_meaning_is_an_error():
    inner = FuncOp("main", ([], []), Region(Block([FuncOp("f", ([], []), Region(Block([ReturnOp()]))), ReturnOp()])))
    with pytest.raises(NotImplementedError, match=r"func.func has no reference meaning"):
        evaluate(next(iter(inner.body.block.ops)), [], {})


def test_a_module_without_main_is_an_error():
    with pytest.raises(ValueError, match="no function `main`"):
        interpret(ModuleOp([]), [], {})
