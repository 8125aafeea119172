"""What a node leaves out, and what no node may ask for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import dovetail


def saved(folder: Path, node: onnx.NodeProto, x: tuple[int, ...], y: tuple[int, ...], **constants: object) -> Path:
    """A network of one node from input x to output y."""
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("x", x), ("y", y))]
    weights = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph([node], "g", ends[:1], ends[1:], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, folder / "one.onnx")
    return folder / "one.onnx"


def test_a_bias_of_no_weight_is_left_out_though_it_is_infinite(tmp_path: Path) -> None:
    node = helper.make_node("Gemm", ["x", "w", "c"], ["y"], beta=0.0)
    weight, bias = np.ones((4, 3), np.float32), np.array([1, np.inf, np.nan], np.float32)
    program = dovetail.compile(saved(tmp_path, node, (2, 4), (2, 3), w=weight, c=bias))
    (found,) = program(np.ones((2, 4), np.float32))
    np.testing.assert_array_equal(found, np.full((2, 3), 4.0))


def test_a_slice_in_steps_of_nothing_is_refused(tmp_path: Path) -> None:
    node = helper.make_node("Slice", ["x", "s", "e", "a", "t"], ["y"])
    numbers = {name: np.array([value]) for name, value in (("s", 0), ("e", 3), ("a", 0), ("t", 0))}
    with pytest.raises(dovetail.InputError, match="it cuts axis 0 in steps of 0"):
        dovetail.compile(saved(tmp_path, node, (4, 3), (4, 3), **numbers))


def test_the_sign_of_infinity_on_a_gpu(tmp_path: Path) -> None:
    (tmp_path / "gpu.yaml").write_text("devices: {gpu: {model: h100-sxm, price: {rent: 1 USD/h}}}\n")
    network = saved(tmp_path, helper.make_node("Sign", ["x"], ["y"]), (4,), (4,))
    (found,) = dovetail.compile(network, fleet=tmp_path / "gpu.yaml")(
        np.array([np.inf, -np.inf, 0, np.nan], np.float32)
    )
    np.testing.assert_array_equal(found, [1, -1, 0, np.nan])


@pytest.mark.parametrize(("opset", "kind"), [(9, TensorProto.FLOAT), (17, TensorProto.BOOL)])
@pytest.mark.parametrize("rows", [2, "n"])
def test_dropout_drops_nothing_and_its_mask_says_so(opset: int, kind: int, rows: int | str, tmp_path: Path) -> None:
    nodes = [helper.make_node("Dropout", ["x"], ["y", "unread"]), helper.make_node("Dropout", ["y"], ["z", "mask"])]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, (rows, 3)) for name in ("x", "z")]
    mask = helper.make_tensor_value_info("mask", kind, (rows, 3))
    graph = helper.make_graph(nodes, "g", ends[:1], [ends[1], mask])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.save(model, tmp_path / "net.onnx")
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    z, kept = dovetail.compile(tmp_path / "net.onnx", sizes={} if rows == 2 else {"n": 2})(x)
    np.testing.assert_array_equal(z, x)
    assert kept.dtype == (bool if kind == TensorProto.BOOL else np.float32)
    np.testing.assert_array_equal(kept, np.ones((2, 3)))
