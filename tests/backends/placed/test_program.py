"""Networks on GPUs, NPUs and CPUs, whole and in pieces: each by the executor of its device, here and without us."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from xdsl.dialects.builtin import NameLoc, StringAttr, TensorType, UnknownLoc, f32
from xdsl.ir import Block

import dovetail
from dovetail import cli
from dovetail.backends import EmitContext
from dovetail.backends.pallas.backend import PallasBackend
from dovetail.backends.placed.drawn import random_inputs
from dovetail.backends.placed.placement import Placement
from dovetail.ir import nn
from dovetail.ir.read.jaxpr import read_jax
from dovetail.ir.read.networks import read_network
from dovetail.ir.read.saved import save_network
from dovetail.partition_driver import place_ops
from dovetail.passes.pieces.emit import working_ops
from dovetail.passes.pieces.prepare import prepare

pytestmark = pytest.mark.skipif(find_spec("triton") is None, reason="needs the extra dovetail[triton]")
FLEET = """
devices:
  gpu: {model: l4, count: 1, price: {rent: 0.70 USD/h}}
"""
MIXED = """
  npu: {kind: npu, memory: 1 GB, bandwidth: 9 GB/s, flops: {fp32: 5 TFLOP/s}, scratchpad: 32 KiB, price: {rent: 1USD/h}}
  cpu: {kind: cpu, memory: 8 GB, bandwidth: 20 GB/s, flops: {fp32: 0.1 TFLOP/s}, price: {rent: 0.1 USD/h}}
"""  # fmt: skip
LLAMA = {
    "architectures": ["LlamaForCausalLM"], "vocab_size": 16, "hidden_size": 16, "num_hidden_layers": 1,
    "num_attention_heads": 2, "num_key_value_heads": 1, "intermediate_size": 16, "hidden_act": "silu",
    "rms_norm_eps": 1e-5, "rope_theta": 1000.0,
}  # fmt: skip
SIZES = {"tokens": 4}
TOKENS = np.array([[3, 1, 4, 15]])


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    path = tmp_path / "fleet.yaml"
    path.write_text(FLEET + MIXED)
    return path


@pytest.fixture
def gpus(tmp_path: Path) -> Path:
    path = tmp_path / "gpus.yaml"
    path.write_text(FLEET)
    return path


@pytest.fixture
def llama(tmp_path: Path) -> Path:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(LLAMA))
    return path


def one_op(op: nn.TensorOp, block: Block) -> nn.NnModule:
    """`op` between two others, at a place called `here`."""
    op.location = NameLoc(StringAttr("here"), UnknownLoc())
    last = nn.TanhOp.make(op.results[0])
    block.add_ops([op, last])
    return nn.NnModule(nn.build_main(block, [last.result]), {}, ("x",), ("y",))


def largest_of_many() -> nn.NnModule:
    """Of more elements than a Triton kernel sorts."""
    block = Block(arg_types=[TensorType(f32, (2, 20000))])
    return one_op(nn.TopKOp.make(block.args[0], axis=1, k=3), block)


def run_alone(folder: Path, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
    """What `run.py` of a saved program gives in a process that cannot import Dovetail."""
    given, made = folder.parent / "given.npz", folder.parent / "made.npz"
    np.savez(given, **inputs)  # type: ignore[arg-type]
    (folder / "dovetail.py").write_text("raise ImportError('Dovetail is not here')\n")
    command = [sys.executable, "run.py", "--inputs", str(given), "--outputs", str(made)]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
    with np.load(made) as found:
        return [found[name] for name in found.files]


def test_a_network_on_a_gpu_runs_as_triton_kernels(gpus: Path, tmp_path: Path) -> None:
    x = np.random.default_rng(0).standard_normal((3, 8)).astype(np.float32)
    w = np.random.default_rng(1).standard_normal((8, 5)).astype(np.float32)
    program = dovetail.compile(lambda x: abs(x @ w), fleet=gpus, example_inputs=(x,))
    assert program.trace == [("network.run", "triton (interpreter)")]
    assert not program.network.notes
    np.testing.assert_allclose(program(x), abs(x @ w), rtol=1e-5, atol=1e-6)
    out = program.save(tmp_path / "out")
    assert json.loads((out / "plan.json").read_text())["placements"][0]["device"] == "gpu"
    assert (out / "triton" / "network" / "weights.safetensors").is_file()
    (found,) = run_alone(out, dict.fromkeys(program.network.inputs, x))
    np.testing.assert_allclose(found, abs(x @ w), rtol=1e-5, atol=1e-6)


def test_an_operator_without_a_kernel_is_named_with_its_place(gpus: Path) -> None:
    network = largest_of_many()
    program = dovetail.compile(network, fleet=gpus)
    ((_, executor),) = program.trace
    assert executor.startswith(
        "jax on cpu: not on `gpu`, since no Triton kernel picks the largest of more than 16384, at `"
    )
    ((note),) = program.network.notes
    assert note.severity == "warning"
    assert note.message in executor
    x = np.random.default_rng(0).standard_normal((2, 20000)).astype(np.float32)
    np.testing.assert_allclose(program(x)[0], np.tanh(-np.sort(-x)[:, :3]), rtol=1e-5, atol=1e-6)


def test_the_command_says_so(gpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    save_network(largest_of_many(), tmp_path / "top.mlir")
    assert cli.main(["compile", str(tmp_path / "top.mlir"), "--fleet", str(gpus), "-o", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().err
    assert "warning[executor]: not on `gpu`, since no Triton kernel picks the largest of more than 16384, at `" in said
    assert (tmp_path / "out" / "run.py").is_file()


def test_a_network_over_a_gpu_an_npu_and_a_cpu_is_the_whole(
    llama: Path, fleet: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    count = len(working_ops(prepare(read_network(llama, SIZES))))
    third = count // 3
    placement = ["gpu"] * third + ["npu"] * third + ["cpu"] * (count - 2 * third)
    program = dovetail.compile(llama, fleet=fleet, sizes=SIZES, placement=placement)
    executors = ["triton (interpreter)", "scratchpad machine of 32768 bytes", "jax on cpu"]
    assert [text for _, text in program.trace] == executors
    whole = dovetail.compile(llama, sizes=SIZES)
    inputs = (TOKENS, np.arange(4)[None])
    expected = whole(*inputs)
    for found, wanted in zip(program(*inputs), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)
    out = program.save(tmp_path / "out")
    document = json.loads((out / "plan.json").read_text())
    assert [(row["device"], row["executor"]) for row in document["pieces"]] == list(
        zip(("gpu", "npu", "cpu"), executors, strict=True)
    )
    assert {(row["from"], row["to"]) for row in document["transfers"]} >= {("p0", "p1"), ("p1", "p2")}
    assert cli.main(["run", str(out), "--requests", "2"]) == 0
    assert "each of 2 more:" in capsys.readouterr().out
    alone = run_alone(out, dict(zip(program.network.inputs, inputs, strict=True)))
    for found, wanted in zip(alone, expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_a_network_over_a_gpu_two_tpus_and_a_cpu_is_the_whole(llama: Path, tmp_path: Path) -> None:
    """Pieces on TPUs bring different kernels, which one program finds."""
    count = len(working_ops(prepare(read_network(llama, SIZES))))
    half = count // 2
    devices = {"l4": 2, "tpu-v5e": half, "epyc-9554": 2, "tpu-v5p": count - half - 4}
    placement = [device for device, ops in devices.items() for _ in range(ops)]
    program = dovetail.compile(llama, sizes=SIZES, placement=placement)
    executors = ["triton (interpreter)", "pallas (interpret mode)", "jax on cpu", "pallas (interpret mode)"]
    assert [text for _, text in program.trace] == executors
    inputs = (TOKENS, np.arange(4)[None])
    expected = dovetail.compile(llama, sizes=SIZES)(*inputs)
    out = program.save(tmp_path / "out")
    brought = [{path.name for path in out.glob(f"pallas/{piece}/pallas_kernels/*")} for piece in ("p1", "p3")]
    assert brought[0] != brought[1]
    alone = run_alone(out, dict(zip(program.network.inputs, inputs, strict=True)))
    for found, again, wanted in zip(program(*inputs), alone, expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(again, wanted, rtol=1e-5, atol=1e-5)


def test_a_network_planned_for_a_tpu_is_a_jax_program_with_kernels(tmp_path: Path) -> None:
    (tmp_path / "tpus.yaml").write_text("devices:\n  tpu: {model: tpu-v5p, count: 1, price: {rent: 4.2 USD/h}}\n")
    x = np.random.default_rng(0).standard_normal((3, 8)).astype(np.float32)
    w = np.random.default_rng(1).standard_normal((8, 5)).astype(np.float32)
    program = dovetail.compile(lambda x: abs(x @ w), fleet=tmp_path / "tpus.yaml", example_inputs=(x,))
    assert program.trace == [("network.run", "pallas (interpret mode)")]
    np.testing.assert_allclose(program(x), abs(x @ w), rtol=1e-5, atol=1e-6)
    out = program.save(tmp_path / "out")
    assert not (out / "scratchpad").exists()
    source = (out / "pallas" / "network" / "network.py").read_text()
    assert '"vmem_bytes": 67_108_864' in source  # of one core of two
    (found,) = run_alone(out, dict.fromkeys(program.network.inputs, x))
    np.testing.assert_allclose(found, abs(x @ w), rtol=1e-5, atol=1e-6)
    written = PallasBackend().emit(program.plan.document, EmitContext(program.plan.base_dir)) if program.plan else []
    assert {file.path: file.content for file in written}["pallas/network/network.py"] == source


def test_a_placement_that_a_solver_found_is_followed(fleet: Path, tmp_path: Path) -> None:

    x = np.random.default_rng(0).standard_normal((3, 8)).astype(np.float32)
    path = tmp_path / "net.mlir"
    save_network(read_jax(lambda x: (x @ x.T, abs(x)), (x,)), path)
    solved = place_ops(str(path), "l4,h100-sxm", time_limit_s=5.0).document
    program = dovetail.compile(path, placement=solved)
    assert {text for _, text in program.trace} == {"triton (interpreter)"}
    for found, wanted in zip(program(x), (x @ x.T, abs(x)), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


def test_weights_that_are_outputs_are_saved_too(tmp_path: Path) -> None:
    block = Block(arg_types=[TensorType(f32, (2,))])
    weight = nn.WeightOp.make(type=TensorType(f32, (2,)), weight="w")
    block.add_op(weight)
    relu = nn.ReluOp.make(block.args[0])
    block.add_op(relu)
    w, x = np.array([1, 2], np.float32), np.array([-1, 3], np.float32)
    both = nn.NnModule(nn.build_main(block, [relu.result, weight.result]), {"w": w}, ("x",), ("y", "w"))
    program = dovetail.compile(both, placement=["epyc-9554"])
    for found in (program(x), run_alone(program.save(tmp_path / "out"), {"x": x})):
        np.testing.assert_allclose(found[0], np.maximum(x, 0), rtol=1e-6)
        np.testing.assert_array_equal(found[1], w)


@pytest.mark.parametrize(
    ("placement", "message"),
    [
        (["gpu"], "has 2 ops to place, and 1 are placed"),
        (["gpu", "gpq"], "`gpq` is no device of the fleet"),
        ({"pieces": 3}, "no plan of `dovetail partition --over`"),
        ({"pieces": [{"piece": "b", "device": "cpu", "start_ns": 9}, {"piece": "a", "device": "gpu", "start_ns": 1}]},
         "the pieces cannot run in their order"),
    ],
)  # fmt: skip
def test_a_placement_that_does_not_fit_is_refused(placement: Placement, message: str, fleet: Path) -> None:
    block = Block(arg_types=[TensorType(f32, (4, 4))])
    network = one_op(nn.ReluOp.make(block.args[0]), block)
    with pytest.raises(dovetail.InputError, match=message):
        dovetail.compile(network, fleet=fleet, placement=placement)


def test_run_py_draws_tokens_that_the_table_has(
    llama: Path, fleet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = len(working_ops(prepare(read_network(llama, SIZES))))
    program = dovetail.compile(llama, fleet=fleet, sizes=SIZES, placement=["cpu"] * count)
    out = program.save(tmp_path / "out")
    drawn = runpy.run_path(str(out / "run.py"), run_name="script")["random_inputs"]()
    for found, wanted in zip(drawn.values(), random_inputs(program.network), strict=True):
        np.testing.assert_array_equal(found, wanted)
    assert max(found.max() for found in drawn.values()) in range(2, 16)
    monkeypatch.syspath_prepend(out / "jax" / "p0")
    for found in runpy.run_path(str(out / "jax" / "p0" / "run.py"), run_name="script")["random_inputs"]().values():
        assert set(np.unique(found)) <= {0, 1}
