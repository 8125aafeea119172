"""Errors of programs against float64: measures by hand, small networks, and what must miss."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from xdsl.dialects.builtin import NameLoc, StringAttr, TensorType, UnknownLoc, f32, i32
from xdsl.ir import Block

import dovetail
from dovetail import cli
from dovetail.backends.placed.errors import TOLERANCE, errors_of, rounded
from dovetail.backends.verify_text import verify_text
from dovetail.ir import nn
from dovetail.ir.interpret import interpret
from dovetail.ir.read.saved import save_network

needs_triton = pytest.mark.skipif(find_spec("triton") is None, reason="needs the extra dovetail[triton]")
FLEET = """
devices:
  gpu: {model: h100-sxm, count: 1, price: {rent: 0.70 USD/h}}
"""
W = np.random.default_rng(1).standard_normal((256, 64)).astype(np.float32) / 16


def network(rows: int = 4, scale: float = 1.0) -> nn.NnModule:
    """A product, called fc, and a chain after it."""
    block = Block(arg_types=[TensorType(f32, (rows, 256))])
    w = nn.WeightOp.make(type=TensorType(f32, W.shape), weight="w")
    product = nn.MatmulOp.make(block.args[0], w.result)
    product.location = NameLoc(StringAttr("fc"), UnknownLoc())
    ops = [w, product, last := nn.TanhOp.make(product.result), again := nn.AbsOp.make(last.result)]
    block.add_ops(ops)
    return nn.NnModule(nn.build_main(block, [again.result]), {"w": W * np.float32(scale)}, ("x",), ("y",))


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    path = tmp_path / "fleet.yaml"
    path.write_text(FLEET)
    return path


def test_the_measures_by_hand() -> None:
    errors = errors_of(np.array([1.0, -4.0, 2.5]), np.array([1.0, -4.0, 2.0]))
    assert (errors.absolute, errors.relative, errors.alike) == (0.5, 0.125, True)
    assert errors.snr_db == pytest.approx(10 * np.log10(21 / 0.25))
    assert errors_of(np.zeros(3), np.zeros(3)).within(0.0)
    assert errors_of(np.zeros((0, 3)), np.zeros((0, 3))).within(0.0)
    assert not errors_of(np.full(3, 1e-9), np.zeros(3)).within(1.0)


def test_what_is_not_finite_must_stand_at_the_same_places() -> None:
    wanted = np.array([np.nan, np.inf, -np.inf, 1.0])
    assert errors_of(wanted, wanted).within(0.0)
    for i, wrong in ((0, 1.0), (1, -np.inf), (2, np.nan), (3, np.inf)):
        found = wanted.copy()
        found[i] = wrong
        assert not errors_of(found, wanted).within(1.0)


@pytest.mark.parametrize("precision", [None, "bf16", "fp16", "int8", "int4", "bf16,weights=int4"])
def test_each_precision_is_within_its_tolerance_and_not_far_within_the_next(precision: str | None) -> None:
    found = dovetail.compile(network(), precision=precision).verify()
    assert found["holds"]
    name = (precision or "fp32").rpartition("=")[2]
    (piece,) = found["pieces"]
    ((row,), (whole,)) = piece["outputs"], found["whole"]["outputs"]
    assert piece["precision"] == name
    assert row["tolerance"] == TOLERANCE[name]
    assert 0 < row["relative_error"] == whole["relative_error"]
    assert (row["relative_error"] > 1e-5) == (name != "fp32")
    assert piece["executor"] == "jax on cpu"
    assert next((row["op"], row["place"]) for row in piece["along"]) == ("nn.matmul", "fc")
    assert len(piece["along"]) == 3


@needs_triton
@pytest.mark.parametrize("precision", [*(f"int{bits}" for bits in range(2, 8)), "bf16,weights=int8", "fp8"])
def test_triton_reads_weights_in_few_bits(fleet: Path, precision: str) -> None:
    program = dovetail.compile(network(), fleet=fleet, precision=precision)
    assert program.trace == [("network.run", "triton (interpreter)")]
    (step,) = program.network.steps
    text = next(str(f.content) for f in step.executor.files("a") if f.path == "a/network.py")
    assert ("quantised_matmul(" in text) == ("int" in precision)
    found = program.verify()
    assert found["holds"]
    if precision != "fp8":
        same = dovetail.compile(network(), precision=precision).verify()
        ours, theirs = (each["pieces"][0]["outputs"][0]["relative_error"] for each in (found, same))
        assert theirs / 2 < ours < theirs * 2  # they round at other places


def test_a_product_with_a_bias_is_rounded_once() -> None:
    """So that it errs exactly as float64 does where the operands and the result are rounded to bf16."""
    rng = np.random.default_rng(2)
    block = Block(arg_types=[TensorType(f32, (8, 256))])
    w = nn.WeightOp.make(type=TensorType(f32, W.shape), weight="w")
    bias = nn.WeightOp.make(type=TensorType(f32, (64,)), weight="bias")
    product = nn.GemmOp.make(block.args[0], w.result, bias.result)
    block.add_ops([w, bias, product])
    weights = {"w": W, "bias": rng.standard_normal(64).astype(np.float32)}
    made = nn.NnModule(nn.build_main(block, [product.result]), weights, ("x",), ("y",))
    program = dovetail.compile(made, precision="bf16")
    x = rng.standard_normal((8, 256)).astype(np.float32)
    (found,) = program(x)
    (step,) = program.network.steps
    (wanted,) = interpret(step.lowered.network.module, [x], step.lowered.network.weights, keep=rounded)
    assert np.mean(found == wanted) > 0.99  # sums in fp32 may fall on the other side of a half
    assert errors_of(found, wanted).relative < 2.0**-8


def test_a_program_that_is_wrong_misses_and_the_command_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Sums of eight squares of 300 are beyond the largest number of fp16, 65504.
    path = tmp_path / "net.mlir"
    block = Block(arg_types=[TensorType(f32, (4, 8))])
    turned = nn.TransposeOp.make(block.args[0], permutation=(1, 0))
    squares = nn.MatmulOp.make(block.args[0], turned.result)
    roots = nn.SqrtOp.make(squares.result)
    block.add_ops([turned, squares, roots])
    save_network(nn.NnModule(nn.build_main(block, [roots.result]), {}, ("x",), ("y",)), path)
    np.savez(tmp_path / "x.npz", x=np.full((4, 8), 300, np.float32))
    given = ["--inputs", str(tmp_path / "x.npz"), "--verify", "-o", str(tmp_path / "out")]
    assert cli.main(["compile", str(path), "--precision", "fp16", *given]) == 1
    said = capsys.readouterr().out
    assert "MISSES: not finite elsewhere" in said
    assert "to what is not finite, at `nn.gemm` at" in said
    document = json.loads((tmp_path / "out" / "verify.json").read_text())
    assert document["holds"] is False
    assert cli.main(["compile", str(path), "--precision", "bf16", *given]) == 0
    assert "all within tolerance" in capsys.readouterr().out


def test_the_op_at_which_errors_grow_is_named() -> None:
    block = Block(arg_types=[TensorType(f32, (4, 256))])
    far = nn.WeightOp.make(type=TensorType(f32, (256,)), weight="far")
    there = nn.AddOp.make(nn.TanhOp.make(block.args[0]).result, far.result)
    back = nn.SubOp.make(there.result, far.result)
    tanh = there.operands[0].owner
    ops = [far, tanh, there, back, last := nn.AbsOp.make(back.result)]
    block.add_ops(ops)  # type: ignore[arg-type]
    far_away = np.linspace(1e4, 2e4, 256).astype(np.float32)
    network = nn.NnModule(nn.build_main(block, [last.result]), {"far": far_away}, ("x",), ("y",))
    (piece,) = dovetail.compile(network).verify()["pieces"]
    assert not piece["holds"]
    assert piece["grows_most"]["op"] == "nn.sub"
    assert piece["grows_most"]["growth"] > 1000


def test_integers_are_exact_and_indices_are_places_in_their_table() -> None:
    block = Block(arg_types=[TensorType(i32, (2, 3))])
    table = nn.WeightOp.make(type=TensorType(f32, (256, 64)), weight="w")
    rows = nn.GatherOp.make(table.result, block.args[0], axis=0)
    most = nn.ArgMaxOp.make(rows.result, axis=2)
    block.add_ops([table, rows, most])
    found = dovetail.compile(nn.NnModule(nn.build_main(block, [most.result]), {"w": W}, ("x",), ("y",))).verify()
    (row,) = found["whole"]["outputs"]
    assert (row["tolerance"], row["holds"], row["absolute_error"]) == (0.0, True, 0.0)


def test_pieces_are_verified_one_by_one(fleet: Path) -> None:
    program = dovetail.compile(network(), placement=["epyc-9554", "xeon-8480", "xeon-8480"], precision="int8")
    found = program.verify(seed=3)
    assert [piece["piece"] for piece in found["pieces"]] == ["p0", "p1"]
    assert [piece["precision"] for piece in found["pieces"]] == ["int8", "fp32"]
    assert found["pieces"][1]["outputs"][0]["relative_error"] < 1e-6 < found["whole"]["outputs"][0]["relative_error"]


def test_bad_input_of_the_command(tmp_path: Path, fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "net.mlir"
    save_network(network(), path)
    (tmp_path / "x.npz").write_text("no zip")
    (tmp_path / "cpu.yaml").write_text(FLEET.replace("h100-sxm", "a100-sxm"))
    cases = {
        ("--precision", "bf15", "--verify"): "`bf15` is no precision",
        ("--precision", "softmaxes=bf16", "--verify"): "did you mean `softmax`?",
        ("--precision", "fp8", "--verify"): "`network` asks for fp8, which no device of the fleet has",
        (
            "--precision",
            "fp8",
            "--verify",
            "--fleet",
            str(tmp_path / "cpu.yaml"),
        ): "weights in int8 are kept on every device",
        ("--verify", "--inputs", str(tmp_path / "x.npz")): "is no .npz with arrays",
        ("--verify", "--inputs", "nowhere.npz"): "`nowhere.npz` cannot be read: No such file or directory",
        ("--inputs", "x.npz", "-o", "out"): "`--inputs` goes with `--verify`",
        (): "nothing says what to do with the program",
    }
    for arguments, message in cases.items():
        assert cli.main(["compile", str(path), *arguments]) == 1
        assert message in capsys.readouterr().err


def test_a_precision_that_is_too_narrow_is_told_from_a_program_that_is_wrong() -> None:
    program = dovetail.compile(lambda x: (x + 1000) - 1000, example_inputs=(np.ones(8, np.float32),), precision="bf16")
    found = program.verify(np.linspace(0.1, 0.9, 8, dtype=np.float32))
    assert not found["holds"]
    assert "MISSES, as rounding alone does" in verify_text(found)
