"""A network that is written comes back as it was; what is wrong with a file is told at its place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from xdsl.dialects.builtin import TensorType, f32, i32
from xdsl.ir import Block

from dovetail.ir import nn
from dovetail.ir.diagnostics import InputError
from dovetail.ir.interpret import interpret
from dovetail.ir.read.saved import load_network, save_network


@pytest.fixture
def network() -> nn.NnModule:
    block = Block(arg_types=[TensorType(f32, [2, 3])])
    w = nn.WeightOp.make(type=TensorType(f32, [3, 4]), weight="w")
    product = nn.MatmulOp.make(block.args[0], w.result)
    top = nn.TopKOp.make(product.result, k=2, axis=1)
    block.add_ops([w, product, top])
    module = nn.build_main(block, [product.result, *top.results])
    return nn.NnModule(module, {"w": np.arange(12.0).reshape(3, 4)}, ("image",), ("all", "best", "where"))


def test_a_network_comes_back_as_it_was(network: nn.NnModule, tmp_path: Path) -> None:
    save_network(network, tmp_path / "net.mlir")
    again = load_network(tmp_path / "net.mlir")
    assert (again.input_names, again.output_names) == (("image",), ("all", "best", "where"))
    x = np.random.default_rng(0).normal(size=(2, 3))
    for a, b in zip(
        interpret(network.module, [x], network.weights), interpret(again.module, [x], again.weights), strict=True
    ):
        assert np.array_equal(a, b)


def test_without_weights_or_names_the_module_stands_alone(network: nn.NnModule, tmp_path: Path) -> None:
    path = tmp_path / "net.mlir"
    save_network(network, path)
    path.with_suffix(".npz").unlink()
    path.write_text(path.read_text().replace('inputs = ["image"]', "inputs = []"))
    again = load_network(path)
    assert again.weights == {}
    assert again.input_names == ("x0",)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("nn.matmul", "nn.matmux", "matmux"),
        ("tensor<2x4xf32>", "tensor<2x5xf32>", r"\(C0\) the result of nn.matmul"),
        ('"main"', '"other"', "the module has no function `main`"),
    ],
)
def test_a_module_that_is_wrong_is_refused(network: nn.NnModule, tmp_path: Path, old: str, new: str, said: str) -> None:
    path = tmp_path / "net.mlir"
    save_network(network, path)
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(InputError, match=said):
        load_network(path)


def test_weights_that_are_not_the_module_s_are_refused(network: nn.NnModule, tmp_path: Path) -> None:
    path = tmp_path / "net.mlir"
    save_network(network, path)
    np.savez(path.with_suffix(".npz"), w=np.zeros((4, 3)))
    with pytest.raises(InputError, match=r"has shape \(4, 3\), the module says \(3, 4\)"):
        load_network(path)
    path.with_suffix(".npz").write_bytes(b"PK no archive")
    with pytest.raises(InputError, match="cannot read the weights"):
        load_network(path)
    with pytest.raises(InputError, match="cannot read"):
        load_network(tmp_path / "absent.mlir")


@pytest.mark.parametrize("op", [nn.DivOp, nn.RemOp, nn.ModOp])
@pytest.mark.parametrize("divisor", ["fill", "weight"])
def test_integers_divided_by_zero_are_told_with_their_line(op: type, divisor: str, tmp_path: Path) -> None:
    block = Block(arg_types=[type := TensorType(i32, [3])])
    zero = nn.FillOp.make(type=type, value=0.0) if divisor == "fill" else nn.WeightOp.make(type=type, weight="w")
    made = op.make(block.args[0], zero.result)
    block.add_ops([zero, made])
    weights = {"w": np.array([1, 0, 2], np.int32)}
    save_network(nn.NnModule(nn.build_main(block, [made.result]), weights, ("x",), ("y",)), tmp_path / "net.mlir")
    with pytest.raises(InputError, match=r"it divides integers by 0\n *--> .*net\.mlir:\d+:\d+"):
        load_network(tmp_path / "net.mlir")
