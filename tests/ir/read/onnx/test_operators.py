"""What onnxruntime says of operators in old and new opsets is what is read, and what cannot be read is named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from xdsl.dialects.builtin import NameLoc, StringAttr

from dovetail.ir import nn
from dovetail.ir.diagnostics import InputError
from dovetail.ir.interpret import interpret
from dovetail.ir.read.onnx import read_onnx

RNG = np.random.default_rng(7)


def normal(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def floats(values: float | list[float]) -> np.ndarray:
    return np.asarray(values, dtype=np.float32)


def ints(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def model(
    nodes: Sequence[onnx.NodeProto], inputs: dict[str, Any], constants: dict[str, np.ndarray], opset: int
) -> onnx.ModelProto:
    """A model of `nodes`, whose first output is the model's; `inputs` gives shapes by name."""
    given = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()]
    output = helper.make_empty_tensor_value_info(nodes[-1].output[0])
    initial = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(list(nodes), "test", given, [output], initial)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    return onnx.shape_inference.infer_shapes(made)


@dataclass
class Case:
    """One node on `x` (and on `constants`, then further inputs)."""

    operator: str
    x: np.ndarray
    constants: Sequence[np.ndarray | None] = ()
    attributes: dict[str, Any] = field(default_factory=dict)
    opset: int = 17

    def model(self) -> onnx.ModelProto:
        names = [f"c{i}" if c is not None else "" for i, c in enumerate(self.constants)]
        node = helper.make_node(self.operator, ["x", *names], ["y"], name="it", **self.attributes)
        constants = {n: c for n, c in zip(names, self.constants, strict=True) if c is not None}
        return model([node], {"x": self.x.shape}, constants, self.opset)


IMAGE, ROWS, POSITIVE = normal(2, 4, 7, 6), normal(3, 5), np.abs(normal(2, 3)) + 0.1

CASES = [
    *[Case(name, ROWS) for name in ("Relu", "Exp", "Neg", "Tanh", "Sigmoid", "Erf", "Identity", "Dropout")],
    Case("Log", POSITIVE),
    Case("Sqrt", POSITIVE),
    *[Case(name, ROWS, [normal(4, 1, 5)]) for name in ("Add", "Sub", "Mul", "Div")],
    *[Case(name, ROWS, [normal(5), normal(3, 1)]) for name in ("Max", "Min", "Sum")],
    Case("Max", ROWS),
    Case("Clip", ROWS, [floats(-0.5), floats(0.5)]),
    Case("Clip", ROWS, [None, floats(0.5)]),
    Case("Clip", ROWS, attributes={"min": -0.25}, opset=10),
    Case("LeakyRelu", ROWS, attributes={"alpha": 0.2}),
    Case("Conv", IMAGE, [normal(6, 2, 3, 2), normal(6)], {"group": 2, "strides": [2, 1], "pads": [1, 0, 2, 1]}),
    Case("Conv", IMAGE, [normal(3, 4, 2, 3)], {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    Case("Conv", IMAGE, [normal(3, 4, 2, 3)], {"auto_pad": "SAME_LOWER", "strides": [1, 2]}),
    Case("Conv", IMAGE, [normal(3, 4, 3, 3)], {"auto_pad": "VALID", "dilations": [2, 1]}),
    Case("MaxPool", IMAGE, attributes={"kernel_shape": [3, 2], "strides": [2, 2], "pads": [1, 1, 0, 0]}),
    Case("AveragePool", IMAGE, attributes={"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}),
    Case("AveragePool", IMAGE, attributes={"kernel_shape": [3, 2], "pads": [1, 0, 1, 1], "count_include_pad": 1}),
    Case("GlobalAveragePool", IMAGE),
    Case("GlobalMaxPool", IMAGE),
    Case("BatchNormalization", IMAGE, [normal(4), normal(4), normal(4), np.abs(normal(4))], {"epsilon": 0.01}),
    Case("MatMul", normal(2, 3, 4), [normal(4, 5)]),
    Case("Gemm", normal(4, 3), [normal(5, 4), normal(5)], {"transA": 1, "transB": 1, "alpha": 0.5, "beta": 2.0}),
    Case("Gemm", normal(3, 4), [normal(4, 5)]),
    Case("Softmax", IMAGE, attributes={"axis": 1}),
    Case("Softmax", IMAGE, attributes={"axis": 1}, opset=11),
    Case("Softmax", IMAGE),
    Case("ReduceMean", IMAGE, attributes={"axes": [-1, 1], "keepdims": 0}),
    Case("ReduceMax", IMAGE, attributes={"axes": [2]}),
    Case("ReduceSum", IMAGE, [ints(2, 0)], {"keepdims": 0}),
    Case("ReduceSum", IMAGE),
    Case("Reshape", IMAGE, [ints(0, -1, 2)]),
    Case("Flatten", IMAGE),
    Case("Flatten", IMAGE, attributes={"axis": -1}),
    Case("Squeeze", normal(1, 3, 1), [ints(-1)]),
    Case("Squeeze", normal(1, 3, 1)),
    Case("Unsqueeze", ROWS, [ints(-1, 0)]),
    Case("Unsqueeze", ROWS, attributes={"axes": [1]}, opset=11),
    Case("Transpose", IMAGE, attributes={"perm": [0, 2, 3, 1]}),
    Case("Transpose", ROWS),
    Case("Concat", ROWS, [normal(2, 5)], {"axis": -2}),
]


def hold_against_onnxruntime(path: Path, made: onnx.ModelProto, x: np.ndarray) -> nn.NnModule:
    onnx.save(made, str(path))
    network = read_onnx(path)
    network.module.verify()
    expected = np.asarray(onnxruntime.InferenceSession(str(path)).run(None, {"x": x})[0])
    (got,) = interpret(network.module, [x], network.weights)
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)
    return network


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.operator)
def test_an_operator_means_what_onnxruntime_says(case, tmp_path):
    hold_against_onnxruntime(tmp_path / "m.onnx", case.model(), case.x)


def test_constants_in_the_graph_are_read(tmp_path):
    nodes = [
        helper.make_node("Constant", [], ["three"], value=numpy_helper.from_array(floats([3, 4, 5]))),
        helper.make_node("Constant", [], ["shape"], value=numpy_helper.from_array(ints(2, 3))),
        helper.make_node("ConstantOfShape", ["shape"], ["ones"], value=numpy_helper.from_array(floats([1]))),
        helper.make_node("Add", ["x", "ones"], ["more"], name="first"),
        helper.make_node("Mul", ["more", "three"], ["y"]),
    ]
    network = hold_against_onnxruntime(tmp_path / "m.onnx", model(nodes, {"x": [2, 3]}, {}, 17), normal(2, 3))
    assert set(network.weights) == {"three", "ones"}


@pytest.mark.parametrize("auto_pad", ["NOTSET", "SAME_UPPER", "SAME_LOWER"])
def test_an_odd_padding_of_a_transposed_window_lies_where_the_operator_says(auto_pad: str, tmp_path):
    attributes = {"strides": [2, 2], "output_shape": [6, 8], "auto_pad": auto_pad}
    case = Case("ConvTranspose", normal(1, 2, 3, 4), [normal(2, 1, 3, 3)], attributes)
    hold_against_onnxruntime(tmp_path / "m.onnx", case.model(), case.x)


def test_a_transposed_window_shorter_than_its_strides_is_not_made_longer(tmp_path):
    attributes = {"auto_pad": "SAME_UPPER", "strides": [2, 1]}
    case = Case("ConvTranspose", normal(1, 2, 3, 4), [normal(2, 1, 1, 3)], attributes)
    hold_against_onnxruntime(tmp_path / "m.onnx", case.model(), case.x)


OF_CONSTANTS = (
    Case("Softmax", normal(2, 3, 4), attributes={"axis": 1}, opset=11),
    Case("LogSoftmax", normal(2, 3, 4), attributes={"axis": 1}, opset=11),
    Case("BatchNormalization", normal(2, 3, 4), [normal(3), normal(3), normal(3), normal(3) ** 2], opset=13),
    Case("LpNormalization", normal(2, 3), attributes={"axis": 1, "p": 1}),
    Case("GlobalMaxPool", normal(2, 3, 4)),
    Case("ConvTranspose", normal(1, 4, 5, 5), [normal(4, 1, 3, 1)], {"group": 4, "pads": [1, 1, 1, 0]}),
    Case("MaxPool", normal(1, 3, 5), (), {"kernel_shape": [3], "pads": [2, 2], "ceil_mode": 1}, 11),
)
"""what ONNX's own evaluator gets wrong"""


@pytest.mark.parametrize("case", OF_CONSTANTS, ids=lambda c: c.operator)
def test_what_is_of_constants_alone_means_what_onnxruntime_says(case, tmp_path):
    alone = case.model()
    alone.graph.initializer.append(numpy_helper.from_array(case.x, "x"))
    del alone.graph.input[:]
    onnx.save(alone, str(tmp_path / "m.onnx"))
    network = read_onnx(tmp_path / "m.onnx")
    expected = np.asarray(onnxruntime.InferenceSession(str(tmp_path / "m.onnx")).run(None, {})[0])
    (got,) = interpret(network.module, [], network.weights)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


def test_ops_carry_the_name_of_their_node(tmp_path):
    onnx.save(Case("Relu", ROWS).model(), str(tmp_path / "m.onnx"))
    network = read_onnx(tmp_path / "m.onnx")
    (relu,) = nn.body_of(network.module)
    assert isinstance(relu.location, NameLoc)
    assert relu.location.desc == StringAttr("it")
    assert (network.input_names, network.output_names) == (("x",), ("y",))


def test_named_sizes_are_given_by_the_caller(tmp_path):
    made = model([helper.make_node("Relu", ["x"], ["y"])], {"x": ["batch", 3]}, {}, 17)
    onnx.save(made, str(tmp_path / "m.onnx"))
    network = read_onnx(tmp_path / "m.onnx", {"batch": 4})
    assert nn.shape_of(nn.main_of(network.module).args[0]) == (4, 3)
    with pytest.raises(InputError, match="input `x` has sizes that are not known: batch"):
        read_onnx(tmp_path / "m.onnx")


def node(operator: str, *inputs: str, outputs: Sequence[str] = ("y",), **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(operator, inputs, list(outputs), name="it", **attributes)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (node("NonMaxSuppression", "x", "x"), "operator `NonMaxSuppression` is not supported: `it`"),
        (
            node("AveragePool", "x", kernel_shape=[2, 2], ceil_mode=1, count_include_pad=1),
            r"`it` \(AveragePool\): `ceil_mode` together with",
        ),
        (node("MaxPool", "x", outputs=("y", "at"), kernel_shape=[2, 2]), "places of the largest elements"),
        (node("Resize", "x", "", "four", exclude_outside=1), "`antialias` and `exclude_outside` are not supported"),
        (node("Einsum", "x", equation="...a->...a"), "only one or two tensors, each letter once"),
        (node("Pow", "whole", "c"), "integers to a power that is no integer"),
        (node("GatherND", "x", "places", batch_dims=1), "`batch_dims` are not supported"),
        (node("DynamicQuantizeLinear", "x", outputs=("y", "s1", "z1")), "a scale that follows from the input"),
        (node("BatchNormalization", "x", *["c"] * 4, training_mode=1), "`training_mode` is not supported"),
        (node("Reshape", "x", "s"), r"input 1 \(`s`\) must be a constant"),
        (node("And", "s", "s"), "is of truth values, not of i64"),
        (node("Cast", "x", to=TensorProto.COMPLEX64), "elements of type COMPLEX64 are not supported"),
        (node("NonZero", "x"), "its inputs must be known while reading"),
        (node("Conv", "c", "c"), "its input has rank 1, only images"),
        (node("MatMul", "x", "c"), r"\(C3\) .* is no matrix product"),
        (node("Softmax", "x", axis=4), "axis 4 is outside rank 4"),
        (node("ReduceMean", "x", axes=[-5]), "axis -5 is outside rank 4"),
        (node("Flatten", "x", axis=5), "axis 5 is outside rank 4"),
        (node("Unsqueeze", "x", "nine"), "axis 9 is outside rank 5"),
        (node("Concat", "scalar", "scalar", axis=0), "axis 0 is outside rank 0"),
        (node("Conv", "x", "k", auto_pad="SAME_UPPER", strides=[1]), r"strides \(1,\) does not slide over an image"),
        (node("Conv", "x", "k", auto_pad="SAME_UPPER", strides=[0, 1]), r"strides \(0, 1\) does not slide"),
        (node("Conv", "x", "k", auto_pad="SAME"), "`auto_pad` SAME is not known"),
        (node("ConstantOfShape", "minus"), r"a constant of shape \(-1,\) cannot be made"),
        (node("Dropout", "x", "half", "yes"), "`training_mode` is not supported"),
        (node("Constant", value_string="a"), "only constants that are tensors, floats or integers are supported"),
    ],
)
def test_what_is_not_supported_is_named(made, message, tmp_path):
    inputs = {"x": helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 4, 4])}
    inputs["s"] = helper.make_tensor_value_info("s", TensorProto.INT64, [2])
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])]
    arrays = {"b": np.array([True]), "c": normal(3), "k": normal(2, 3, 3, 3), "nine": ints(9), "minus": ints(-1)}
    arrays |= {
        "half": floats(0.5),
        "yes": np.array(True),
        "scalar": floats(1.0),
        "four": floats([1, 1, 2, 2]),
        "places": np.zeros((2, 3), np.int64),
    }
    inputs["whole"] = helper.make_tensor_value_info("whole", TensorProto.INT32, [3])
    constants = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
    graph = helper.make_graph([made], "test", list(inputs.values()), outputs, constants)
    wrapped = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (tmp_path / "m.onnx").write_bytes(wrapped.SerializeToString())
    with pytest.raises(InputError, match=message):
        read_onnx(tmp_path / "m.onnx")


def test_all_unknown_operators_are_named_at_once(tmp_path):
    nodes = [helper.make_node("Det", ["x"], ["a"]), helper.make_node("NonMaxSuppression", ["a", "a"], ["y"])]
    onnx.save(model(nodes, {"x": [2]}, {}, 17), str(tmp_path / "m.onnx"))
    with pytest.raises(InputError) as caught:
        read_onnx(tmp_path / "m.onnx")
    assert [d.message for d in caught.value.diagnostics] == [
        "operator `Det` is not supported: `Det_0`",
        "operator `NonMaxSuppression` is not supported: `NonMaxSuppression_1`",
    ]


@pytest.mark.parametrize(
    ("info", "message"),
    [
        (helper.make_tensor_sequence_value_info("x", TensorProto.FLOAT, [2]), "input `x` is no tensor"),
        (helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 2]), r"sizes that are not known: \?"),
        (helper.make_tensor_value_info("x", TensorProto.STRING, [2]), "an element type that is not supported"),
    ],
)
def test_inputs_must_be_tensors_of_known_shape(info, message, tmp_path):
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "test", [info], [info])
    graph.output[0].name = "y"
    (tmp_path / "m.onnx").write_bytes(helper.make_model(graph, ir_version=8).SerializeToString())
    with pytest.raises(InputError, match=message):
        read_onnx(tmp_path / "m.onnx")


def test_files_that_are_no_model(tmp_path):
    with pytest.raises(InputError, match="cannot read"):
        read_onnx(tmp_path / "absent.onnx")
    (tmp_path / "text.onnx").write_text("not a model")
    with pytest.raises(InputError, match="is no valid ONNX model"):
        read_onnx(tmp_path / "text.onnx")
    (tmp_path / "empty.onnx").write_bytes(b"")
    with pytest.raises(InputError, match="is no valid ONNX model"):
        read_onnx(tmp_path / "empty.onnx")
