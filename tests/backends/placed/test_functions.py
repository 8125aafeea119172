"""JAX functions on each way: as JAX has it, the same from the saved folder, whose text passes `ruff`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import dovetail
from dovetail.ir.npz import read_npz, write_npz
from dovetail.ir.read.jaxpr import read_jax
from dovetail.passes.pieces.emit import working_ops
from dovetail.passes.pieces.prepare import prepare

pytestmark = pytest.mark.skipif(find_spec("triton") is None, reason="needs the extra dovetail[triton]")
FLEET = """
devices:
  gpu: {model: h100-sxm, count: 1, price: {rent: 2 USD/h}}
  tpu: {model: tpu-v5e, count: 1, price: {rent: 2 USD/h}}
  npu: {kind: npu, memory: 1 GB, bandwidth: 9 GB/s, flops: {fp32: 5 TFLOP/s}, scratchpad: 32 KiB, price: {rent: 1USD/h}}
  cpu: {kind: cpu, memory: 8 GB, bandwidth: 20 GB/s, flops: {fp32: 0.1 TFLOP/s}, price: {rent: 0.1 USD/h}}
"""  # fmt: skip
WAYS = ("cpu", "gpu", *(pytest.param(way, marks=pytest.mark.slow) for way in ("tpu", "npu", "split")))
X = np.linspace(-2, 2, 24, dtype=np.float32).reshape(4, 6)
WHOLE = np.arange(-8, 8)
RUFF = Path(sys.executable).parent / "ruff"

Case = tuple[Callable[..., Any], tuple[Any, ...]]
CASES: dict[str, Case] = {
    "divisions beside integers of 64 bits": (
        lambda i: {"down": i // 3, "most": jnp.argmax(i), "sorted": jnp.sort(i)},
        (WHOLE.astype(np.int32),),
    ),
    "divisions of short integers": (lambda i, j: (i // 3, jax.lax.div(jnp.int16(100), j)), (np.int8(7), np.int16(-7))),
    "a cache": (lambda k, x, at: k.at[at].set(x), (jnp.asarray(X), X[0], np.int32(2))),
    "nothing to compute": (lambda x, y: {"b": x, "a": [y, y]}, (X, X + 1)),
    "bfloat16": (lambda x: (jax.nn.softmax(x), x + 1), (jnp.asarray(X, jnp.bfloat16),)),
    "scalars": (lambda a, n, flag, x: jnp.where(flag, x * a, x + n), (1.5, 3, True, X)),
}


def held(array: Any) -> np.ndarray:
    """As it comes out of a file: bfloat16 as float32."""
    array = np.asarray(array)
    return array.astype(np.float32) if array.dtype.kind == "V" else array


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", CASES)
def test_a_function_runs_here_and_from_its_folder(name: str, way: str, tmp_path: Path) -> None:
    function, inputs = CASES[name]
    network = read_jax(function, inputs)
    count = len(working_ops(prepare(network)))
    devices = [("gpu", "npu", "cpu")[i * 3 // count] for i in range(count)] if way == "split" else [way] * count
    (tmp_path / "fleet.yaml").write_text(FLEET)
    program = dovetail.compile(function, tmp_path / "fleet.yaml", inputs, placement=devices)
    expected = jax.tree.map(np.asarray, jax.jit(function)(*inputs))
    found = program(*inputs)
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    flat = dict(zip(network.output_names, jax.tree.leaves(expected), strict=True))
    for array, wanted in zip(jax.tree.leaves(found), flat.values(), strict=True):
        assert array.dtype == wanted.dtype
    program.save(tmp_path / "out")
    write_npz(tmp_path / "x.npz", dict(zip(network.input_names, map(np.asarray, jax.tree.leaves(inputs)), strict=True)))
    command = [sys.executable, "run.py", "--inputs", str(tmp_path / "x.npz"), "--outputs", str(tmp_path / "y.npz")]
    done = subprocess.run(command, cwd=tmp_path / "out", capture_output=True, text=True, env={"PATH": ""})
    assert done.returncode == 0, done.stderr
    written = read_npz(tmp_path / "y.npz")
    for (key, wanted), array in zip(flat.items(), jax.tree.leaves(found), strict=True):
        tolerance = 1e-2 if wanted.dtype == jnp.bfloat16 else 1e-5  # two units in the last place of bfloat16
        np.testing.assert_allclose(held(array), held(wanted), rtol=tolerance, err_msg=key)
        np.testing.assert_allclose(written[key], held(array), rtol=tolerance, err_msg=key)
    for check in (("check",), ("format", "--check")):
        told = subprocess.run([RUFF, *check, tmp_path / "out"], capture_output=True, text=True)
        assert told.returncode == 0, told.stdout
