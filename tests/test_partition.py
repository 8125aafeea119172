"""`dovetail partition`, and the program that `dovetail-opt` makes of what it decides."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from xdsl.dialects.builtin import TensorType, bf16
from xdsl.ir import Block

from dovetail import cli, opt
from dovetail.ir import nn
from dovetail.ir.text import print_module


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """relu(x @ up) @ down, 134 MB of weights, in a file."""
    block = Block(arg_types=[TensorType(bf16, [64, 4096])])
    up = nn.WeightOp.make(type=TensorType(bf16, [4096, 8192]), weight="layers.0.up")
    down = nn.WeightOp.make(type=TensorType(bf16, [8192, 4096]), weight="layers.0.down")
    inner = nn.ReluOp.make(nn.MatmulOp.make(block.args[0], up.result).result)
    first = inner.x.owner
    last = nn.MatmulOp.make(inner.result, down.result)
    assert isinstance(first, nn.MatmulOp)
    block.add_ops([up, down, first, inner, last])
    path = tmp_path / "net.mlir"
    path.write_text(print_module(nn.build_main(block, [last.result])))
    return path


def ask(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = cli.main(["partition", *arguments])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_the_text(network: Path, capsys, golden: Callable[[str, str], None]) -> None:
    code, out, _ = ask(capsys, str(network), "--devices", "4", "--device", "h100-sxm", "--memory", "50MB")
    assert code == 0
    golden("partition/two_products.txt", out)


def test_the_text_of_a_pipeline(network: Path, capsys, golden: Callable[[str, str], None]) -> None:
    given = (str(network), "--devices", "2", "--device", "h100-sxm", "--pipeline")
    code, out, _ = ask(capsys, *given)
    assert code == 0
    golden("partition/pipeline.txt", out)
    code, _, err = ask(capsys, *given, "--memory", "50MB")
    assert code == 1
    assert "no pipeline of 2 x `h100-sxm` holds the network" in err


def test_the_decision_makes_a_program(network: Path, capsys, tmp_path: Path) -> None:
    code, out, _ = ask(capsys, str(network), "--devices", "4", "--device", "h100-sxm", "--memory", "50MB", "--json")
    assert code == 0
    assert [w["state"] for w in json.loads(out)["weights"]] == ["S(1)", "S(0)"]
    (tmp_path / "plan.json").write_text(out)
    assert opt.main([str(network), "-p", f'shard{{file="{tmp_path / "plan.json"}"}}']) == 0
    program = capsys.readouterr().out
    assert "tensor<4096x2048xbf16>" in program
    assert '"nn.all_reduce"' in program or '"nn.reduce_scatter"' in program


def test_what_does_not_fit_says_what_is_needed(network: Path, capsys) -> None:
    code, _, err = ask(capsys, str(network), "--devices", "2", "--device", "h100-sxm", "--memory", "50MB")
    assert code == 1
    assert "error[memory]: the network does not fit 2 x `h100-sxm`" in err
    assert "50 MB" in err or "0.05 GB" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--devices", "2", "--device", "h1000"], "`h1000` is no device of the catalogue"),
        (["--devices", "0", "--device", "h100-sxm"], "cannot be shared among 0 devices"),
        (["--devices", "2", "--device", "h100-sxm", "--sizes", "bath=2"], "has no size `bath`"),
    ],
)
def test_wrong_arguments_are_named(network: Path, capsys, arguments: list[str], message: str) -> None:
    code, _, err = ask(capsys, str(network), *arguments)
    assert code == 1
    assert message in err


def test_open_sizes_are_asked_for(tmp_path: Path, capsys) -> None:
    block = Block(arg_types=[nn.tensor(bf16, (nn.Size.named("batch"), 8))])
    relu = nn.ReluOp.make(block.args[0])
    block.add_op(relu)
    path = tmp_path / "open.mlir"
    path.write_text(print_module(nn.build_main(block, [relu.results[0]])))
    code, _, err = ask(capsys, str(path), "--devices", "2", "--device", "h100-sxm")
    assert code == 1
    assert "give a command `--sizes batch=512`" in err
    assert ask(capsys, str(path), "--devices", "2", "--device", "h100-sxm", "--sizes", "batch=4")[0] == 0


def test_a_workflow_is_no_network(tmp_path: Path, capsys) -> None:
    (tmp_path / "graph.yaml").write_text("# a workflow")
    code, _, err = ask(capsys, str(tmp_path / "graph.yaml"), "--devices", "2", "--device", "h100-sxm")
    assert (code, "is no network: neither an .onnx" in err) == (1, True)


EMPTY = '{"mesh": {"axis": "tp", "ranks": 2}, "inputs": ["B"], "ops": [], "outputs": ["B"]}'


@pytest.mark.parametrize(("text", "message"), [("{", "cannot read the decision"), (EMPTY, "does not fit the module")])
def test_a_wrong_decision_is_refused(network: Path, capsys, tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "plan.json").write_text(text)
    assert opt.main([str(network), "-p", f'shard{{file="{tmp_path / "plan.json"}"}}']) == 1
    assert message in capsys.readouterr().err


def test_what_has_nothing_to_derive_again_is_not_checked(network: Path, capsys, tmp_path: Path) -> None:
    _, out, _ = ask(capsys, str(network), "--devices", "2", "--device", "h100-sxm", "--json")
    (tmp_path / "plan.json").write_text(out)
    assert cli.main(["check", str(tmp_path / "plan.json")]) == 1
    assert "says how a network is cut or shared" in capsys.readouterr().err
    given = ("--devices", "2", "--device", "h100-sxm", "--pipeline", "-o", str(tmp_path / "out"))
    code, _, err = ask(capsys, str(network), *given)
    assert (code, "`--output` does not go with `--pipeline`" in err) == (1, True)
