"""Scripts beside saved programs take inputs as these declare them, and tell others in words, whatever runs them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from xdsl.dialects.builtin import TensorType, f32, i8
from xdsl.ir import Block

from dovetail.backends.placed.executors import Target
from dovetail.backends.placed.program import build_whole
from dovetail.backends.safetensors import safetensors_bytes
from dovetail.backends.writer import write_folder
from dovetail.costmodel.hardware import find_device
from dovetail.ir import nn
from dovetail.ir.npz import write_npz
from dovetail.passes.target import lower_for_target

X, ROWS = np.ones((2, 3), np.float32), np.array([1, 0], np.int8)
GOOD = {"x": X, "i": ROWS}
TARGETS = {
    "jax": Target("host", "cpu", None),
    "pallas": Target("tpu", "npu", find_device("tpu-v5e"), 2**24),
    "triton": Target("gpu", "gpu", find_device("h100-sxm")),
    "scratchpad": Target("npu", "npu", None, 2**20),
}
WRONG: Mapping[str, Mapping[str, np.ndarray]] = {
    "input x has the shape (3, 3), not (2, 3)": {"x": np.ones((3, 3), np.float32), "i": ROWS},
    "input x holds complex64, not float32": {"x": X.astype(np.complex64), "i": ROWS},
    "input i has numbers that int8 does not hold": {"x": X, "i": np.array([1, 300])},
    "has no input i": {"x": X},
}


def network() -> nn.NnModule:
    """The rows of x w at i."""
    block = Block(arg_types=[TensorType(f32, [2, 3]), TensorType(i8, [2])])
    w = nn.WeightOp.make(type=TensorType(f32, [3, 4]), weight="w")
    product = nn.MatmulOp.make(block.args[0], w.result)
    rows = nn.GatherOp.make(product.result, block.args[1], axis=0)
    block.add_ops([w, product, rows])
    held = {"w": np.arange(12, dtype=np.float32).reshape(3, 4)}
    return nn.NnModule(nn.build_main(block, [rows.result]), held, ("x", "i"), ("y",))


@pytest.fixture(scope="module", params=TARGETS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A saved program, and the way it runs."""
    target = TARGETS[request.param]
    if request.param == "triton" and find_spec("triton") is None:
        pytest.skip("needs the extra dovetail[triton]")
    low = lower_for_target(network(), target.kind, target.device.id if target.device else None)
    program = build_whole(low, "net", target)
    assert [step.executor.way for step in program.steps] == [request.param]
    return request.param, write_folder(program.files(), tmp_path_factory.mktemp(request.param) / "out", False)


def told(script: Path, given: Mapping[str, np.ndarray], folder: Path) -> str:
    """What `script` says of these inputs: nothing, where it takes them."""
    if "scratchpad" in script.parts:
        path = folder / "x.safetensors"
        path.write_bytes(safetensors_bytes(given))
    else:
        path = folder / "x.npz"
        write_npz(path, dict(given))
    command = [sys.executable, script.name, "--inputs", str(path)]
    done = subprocess.run(command, cwd=script.parent, capture_output=True, text=True, env={"PATH": ""})
    assert (done.returncode == 0) == (not done.stderr), done.stderr
    return done.stderr


@pytest.mark.parametrize("wrong", WRONG)
def test_the_script_of_a_program_tells_wrong_inputs(wrong: str, folder: tuple[str, Path], tmp_path: Path) -> None:
    said = told(folder[1] / "run.py", WRONG[wrong], tmp_path)
    assert wrong in said
    assert "Traceback" not in said


def test_the_script_of_a_piece_tells_wrong_inputs(folder: tuple[str, Path], tmp_path: Path) -> None:
    way, out = folder
    script = out / way / "net" / ("net.py" if way == "scratchpad" else "run.py")
    wrong = "input i has numbers that int8 does not hold"
    said = told(script, WRONG[wrong], tmp_path)
    assert wrong in said
    assert "Traceback" not in said
    assert not told(script, GOOD, tmp_path)


def test_scripts_tell_files_that_are_none_and_counts_that_are_none(folder: tuple[str, Path], tmp_path: Path) -> None:
    script = folder[1] / "run.py"
    broken, single, good = tmp_path / "broken.npz", tmp_path / "x.npy", tmp_path / "good.npz"
    broken.write_bytes(b"no file of arrays")
    np.save(single, X)
    write_npz(good, GOOD)
    wrong = {
        ("--inputs", "nowhere.npz"): "nowhere.npz cannot be read: No such file or directory",
        ("--inputs", str(broken)): "is no .npz with arrays",
        ("--inputs", str(single)): "is no .npz with arrays",
        ("--requests", "0"): "0 is no whole number of 1 or more",
        ("--inputs", str(good), "--outputs", "nowhere/y.npz"): "nowhere/y.npz cannot be written: No such file",
    }
    for arguments, told_so in wrong.items():
        command = [sys.executable, script.name, *arguments]
        done = subprocess.run(command, cwd=script.parent, capture_output=True, text=True)
        assert done.returncode in (1, 2)
        assert told_so in done.stderr
        assert "Traceback" not in done.stderr


def test_weights_that_are_cut_off_are_told_in_one_line(folder: tuple[str, Path], tmp_path: Path) -> None:
    way, out = folder
    copy = tmp_path / "out"
    shutil.copytree(out, copy)
    (weights,) = (copy / way / "net").glob("*.safetensors")
    weights.write_bytes(weights.read_bytes()[:-8])
    for script in (copy / "run.py", copy / way / "net" / ("net.py" if way == "scratchpad" else "run.py")):
        done = subprocess.run([sys.executable, script.name], cwd=script.parent, capture_output=True, text=True)
        assert done.returncode == 2
        cut = rf"{script.name}: .*{weights.name} is no whole safetensors file: it is cut off after \d+ bytes\n"
        assert re.fullmatch(cut, done.stderr)
