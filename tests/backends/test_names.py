"""Names of emitted networks: files that hide no module, and functions that hide nothing that their file needs."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from dovetail.backends.jax.emit import emit_jax
from dovetail.backends.jax.names import BESIDE, LIBRARIES, network_name
from dovetail.backends.pallas.emit import emit_pallas
from dovetail.backends.scratchpad_program.backend import program_within
from dovetail.backends.scratchpad_program.emit import emit
from dovetail.backends.triton.network import emit_network
from dovetail.backends.writer import write_folder
from dovetail.costmodel.hardware import find_device
from dovetail.ir import nn
from dovetail.ir.read.jaxpr import read_jax
from dovetail.passes.target import lower_for_target

TAKEN = ("numpy", "math", "kernels", "matmul", "empty", "run", "main", "w", "jax", "triton", "torch", "tensor")
W = np.random.default_rng(0).standard_normal((8, 4)).astype(np.float32)


def lowered(kind: str) -> nn.NnModule:
    return lower_for_target(read_jax(lambda x: abs(x @ W), (np.ones((3, 8), np.float32),)), kind)


def files_of(way: str, name: str) -> dict[str, str | bytes]:
    """What the backend writes for a network called `name`, by path in its folder."""
    device = find_device("h100-sxm")
    assert device is not None
    match way:
        case "jax":
            found = emit_jax(lowered("cpu"), name).files("f")
        case "pallas":
            found = emit_pallas(lowered("npu"), name, "tpu-v5e", 2**27).files("f")
        case "scratchpad":
            found = emit(program_within(lowered("npu"), name, 2**20)).files("f")
        case _:
            found = emit_network(lowered("gpu"), name, device).files("f")
    return {file.path.removeprefix("f/"): file.content for file in found}


@pytest.mark.parametrize("way", ["jax", "pallas", "scratchpad", "triton"])
@pytest.mark.parametrize("name", TAKEN)
def test_a_network_hides_no_module_and_none_of_its_own_functions(way: str, name: str) -> None:
    files = files_of(way, name)
    own = {path.removesuffix(".py") for path in files if "/" not in path and path.endswith(".py")}
    (module,) = own - {"run", "weights_file", "host_tensor"}
    assert module not in {*sys.stdlib_module_names, *LIBRARIES, *BESIDE}
    tree = ast.parse(str(files[f"{module}.py"]))
    taken = [each.asname or each.name for node in tree.body if isinstance(node, ast.ImportFrom) for each in node.names]
    made = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert made.count(module) == 1
    assert module not in taken
    (network,) = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == module]
    called = {
        node.func.id for node in ast.walk(network) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert not called & {arg.arg for arg in network.args.args} - {"empty"}
    assert module not in called


@pytest.mark.parametrize(
    ("text", "name"),
    [("see-it", "see_it"), ("each/2/fetch", "each_2_fetch"), ("class", "_class"), ("1st", "_1st"), ("json", "json_2")],
)
def test_a_name_is_that_of_the_node_as_an_identifier(text: str, name: str) -> None:
    assert network_name(text, ()) == name


@pytest.mark.parametrize("way", ["jax", "pallas", "triton"])
def test_the_script_beside_a_network_runs_it(way: str, tmp_path: Path) -> None:
    if way == "triton" and find_spec("triton") is None:
        pytest.skip("needs the extra dovetail[triton]")
    from dovetail.backends import OutputFile

    place = write_folder([OutputFile(path, text) for path, text in files_of(way, "math").items()], tmp_path / "out")
    x = np.random.default_rng(1).standard_normal((3, 8)).astype(np.float32)
    (given,) = lowered("cpu").input_names
    np.savez(tmp_path / "x.npz", allow_pickle=False, **{given: x})
    command = [sys.executable, "run.py", "--inputs", str(tmp_path / "x.npz"), "--outputs", str(tmp_path / "y.npz")]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "y.npz") as made:
        (found,) = made.values()
    np.testing.assert_allclose(found, abs(x @ W), rtol=1e-5, atol=1e-6)
