"""What no network can mean is told with its node, and what onnxruntime reads without a shape is read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from xdsl.dialects.builtin import f32

from dovetail.ir import nn
from dovetail.ir.diagnostics import InputError
from dovetail.ir.read.onnx import read_onnx
from dovetail.ir.read.onnx.file import OPSETS

INT, FLOAT = TensorProto.INT64, TensorProto.FLOAT


def written(
    path: Path,
    nodes: list[onnx.NodeProto],
    constants: dict[str, list] | None = None,
    kind: int = FLOAT,
    output: tuple[int, ...] | None = None,
    opsets: tuple[int, ...] = (17,),
) -> Path:
    """A network of `x` (2, 3) and `y`, both of `kind`."""
    held = [numpy_helper.from_array(np.array(value, np.int64), name) for name, value in (constants or {}).items()]
    given, made = ([helper.make_tensor_value_info(*end)] for end in (("x", kind, (2, 3)), ("y", kind, output)))
    domains = ("", "ai.onnx")
    imports = [helper.make_opsetid(domain, version) for domain, version in zip(domains, opsets, strict=False)]
    model = helper.make_model(helper.make_graph(nodes, "g", given, made, held), opset_imports=imports, ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def node(kind: str, *inputs: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(kind, inputs, ["y"], name="here", **attributes)


RELU = node("Relu", "x")
FAULTS = {
    "index 3 is outside axis 1 of (2, 3)": (node("Gather", "x", "k", axis=1), {"k": [0, 3]}),
    "index -4 is outside axis 1 of (2, 3)": (node("GatherElements", "x", "k", axis=1), {"k": [[-4], [0]]}),
    "index 2 is outside axis 0 of (2, 3)": (node("GatherND", "x", "k"), {"k": [[2, 0]]}),
    "it names axis 0 twice": (node("Slice", "x", "k", "l", "m"), {"k": [0, 1], "l": [2, 2], "m": [0, -2]}),
    "it has 2 starts, 1 ends": (node("Slice", "x", "k", "l"), {"k": [0, 1], "l": [2]}),
    "it names axis 1 twice": (node("ReduceSum", "x", "k"), {"k": [1, 1]}),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_node_that_cannot_be_meant_is_told_with_its_place(fault: str, tmp_path: Path) -> None:
    made, constants = FAULTS[fault]
    with pytest.raises(InputError) as told:
        read_onnx(written(tmp_path / "net.onnx", [made], constants))
    assert f"node `here` ({made.op_type}): {fault}" in str(told.value)
    assert "net.onnx:1:1" in str(told.value)


@pytest.mark.parametrize("kind", ["Div", "Mod"])
@pytest.mark.parametrize("left", ["x", "k"])
def test_integers_are_not_divided_by_constants_of_0(kind: str, left: str, tmp_path: Path) -> None:
    nodes = [helper.make_node(kind, [left, "l"], ["t"], name="here"), node("Add", "x", "t")]
    path = written(tmp_path / "net.onnx", nodes, {"k": [1, 2, 3], "l": [1, 0, 3]}, INT)
    with pytest.raises(InputError, match=r"node `here` \((Div|Mod)\): it divides integers by 0"):
        read_onnx(path)


def test_outputs_are_what_the_file_declares(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    for declared in (None, (2, 3)):
        network = read_onnx(written(path, [RELU], output=declared))
        assert nn.main_of(network.module).function_type.outputs.data[0] == nn.tensor(f32, (2, 3))
    with pytest.raises(InputError, match=r"`y` is declared with the shape \(2, 4\), and its node gives \(2, 3\)"):
        read_onnx(written(path, [RELU], output=(2, 4)))
    with pytest.raises(InputError, match="`y` is declared to hold f32, and its node gives i1"):
        read_onnx(written(path, [node("Equal", "x", "x")]))


def test_a_network_without_outputs_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "net.onnx", [RELU])
    model = onnx.load(path)
    del model.graph.output[:]
    path.write_bytes(model.SerializeToString())
    with pytest.raises(InputError, match="it has no outputs, so there is nothing to compute"):
        read_onnx(path)


@pytest.mark.parametrize("opset", [OPSETS[0] - 1, OPSETS[-1] + 1])
def test_an_opset_that_is_not_read_is_told(opset: int, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"it is of opset {opset}, and opsets 9 to 28 are read"):
        read_onnx(written(tmp_path / "net.onnx", [RELU], opsets=(opset,)))


def test_two_opsets_of_one_domain_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="it is of several opsets: 12, 17"):
        read_onnx(written(tmp_path / "net.onnx", [RELU], opsets=(12, 17)))


def test_names_with_the_character_nul_are_told(tmp_path: Path) -> None:
    path = written(tmp_path / "net.onnx", [helper.make_node("Relu", ["x"], ["y"], name="a\0b")])
    with pytest.raises(InputError, match=r"names hold the character NUL: `a\\0b`"):
        read_onnx(path)


def altered(path: Path, change: Callable[[onnx.GraphProto], object]) -> Path:
    model = onnx.load(written(path, [helper.make_node("Relu", ["x"], ["t"], name="here"), node("Exp", "t")]))
    change(model.graph)
    path.write_bytes(model.SerializeToString())
    return path


OPEN = {
    "n": "give `--sizes n=8`, or other numbers",
    "": "a size without a name cannot be given: `onnx.tools.update_model_dims` names or fixes it in the file",
}


@pytest.mark.parametrize("name", OPEN)
def test_an_open_size_is_told_with_a_way_to_give_it(name: str, tmp_path: Path) -> None:
    def opened(graph: onnx.GraphProto) -> None:
        size = graph.input[0].type.tensor_type.shape.dim[1]
        size.ClearField("dim_value")
        size.dim_param = name

    with pytest.raises(InputError, match="`x` has sizes that are not known") as told:
        read_onnx(altered(tmp_path / "net.onnx", opened))
    assert told.value.diagnostics[0].help == OPEN[name]


def test_a_size_below_zero_is_told_of_the_input(tmp_path: Path) -> None:
    def below(graph: onnx.GraphProto) -> None:
        graph.input[0].type.tensor_type.shape.dim[1].dim_value = -3

    with pytest.raises(InputError, match="input `x` has a size of -3"):
        read_onnx(altered(tmp_path / "net.onnx", below))


@pytest.mark.parametrize(("kind", "shape"), [(FLOAT, (2, 7)), (INT, (2, 3)), (FLOAT, (6,))])
def test_a_value_on_the_way_that_is_said_to_be_another_is_told(
    kind: int, shape: tuple[int, ...], tmp_path: Path
) -> None:
    said = helper.make_tensor_value_info("t", kind, shape)
    with pytest.raises(InputError, match=r"node `here` \(Relu\): `t` is declared .*, and its node gives"):
        read_onnx(altered(tmp_path / "net.onnx", lambda graph: graph.value_info.append(said)))


def test_what_is_said_truly_or_left_open_on_the_way_is_read(tmp_path: Path) -> None:
    said = [helper.make_tensor_value_info("t", FLOAT, ("n", 3)), helper.make_empty_tensor_value_info("y")]
    read_onnx(altered(tmp_path / "net.onnx", lambda graph: graph.value_info.extend(said)))


def test_a_place_of_weights_with_nul_is_told_whole(tmp_path: Path) -> None:
    def outside(graph: onnx.GraphProto) -> None:
        weight = graph.initializer.add(name="w", dims=[1], data_type=FLOAT, data_location=TensorProto.EXTERNAL)
        weight.external_data.add(key="location", value="a\0b")

    with pytest.raises(InputError, match=r"the weights of `w` are in `a\\0b`: a name holds the character NUL"):
        read_onnx(altered(tmp_path / "net.onnx", outside))
