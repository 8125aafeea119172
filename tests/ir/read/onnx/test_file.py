"""Files are checked without the values of large weights, whose bytes are counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from dovetail.ir.diagnostics import InputError
from dovetail.ir.read.onnx.file import LARGE, load_model, without_large_weights


def model(columns: int) -> onnx.ModelProto:
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    ends = {
        name: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", m]) for name, m in (("x", 64), ("y", 64))
    }
    w = numpy_helper.from_array(np.zeros((64, columns), np.float32), "w")
    graph = helper.make_graph(nodes, "product", [ends["x"]], [ends["y"]], [w])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


@pytest.mark.parametrize("columns", [1, 64])
def test_only_small_weights_are_shown_to_the_checker(columns: int) -> None:
    whole = model(columns)
    slim = without_large_weights(whole)
    large = 4 * 64 * columns >= LARGE
    assert [t.name for t in slim.graph.initializer] == ([] if large else ["w"])
    assert [v.name for v in slim.graph.input] == (["x", "w"] if large else ["x"])
    assert slim.graph.node == whole.graph.node
    onnx.checker.check_model(slim)


def saved(whole: onnx.ModelProto, path: Path) -> Path:
    path.write_bytes(whole.SerializeToString())
    return path


@pytest.mark.parametrize("columns", [1, 64])
def test_a_weight_whose_bytes_do_not_fit_is_refused(columns: int, tmp_path: Path) -> None:
    whole = model(columns)
    assert load_model(saved(whole, tmp_path / "good.onnx")).graph.initializer[0].name == "w"
    whole.graph.initializer[0].raw_data += b"abcd"
    with pytest.raises(InputError, match=r"no valid ONNX model: .*`?w`?"):
        load_model(saved(whole, tmp_path / "bad.onnx"))


def test_a_weight_without_a_type_is_refused(tmp_path: Path) -> None:
    whole = model(64)
    whole.graph.initializer[0].data_type = 0
    with pytest.raises(InputError, match="`w` has no element type"):
        load_model(saved(whole, tmp_path / "bad.onnx"))


def test_a_node_without_its_input_is_refused(tmp_path: Path) -> None:
    whole = model(64)
    whole.graph.node[0].input[0] = "absent"
    with pytest.raises(InputError, match="no valid ONNX model"):
        load_model(saved(whole, tmp_path / "bad.onnx"))
