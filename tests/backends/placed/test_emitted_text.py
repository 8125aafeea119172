"""The text of three networks on each way: golden, formatted, the same each time, shapes in it and weights not."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from xdsl.dialects.builtin import StringAttr, TensorType, f32
from xdsl.ir import Block

import dovetail
from dovetail.backends.placed.executors import Target
from dovetail.backends.placed.program import PlacedProgram, build_whole
from dovetail.backends.writer import write_folder
from dovetail.costmodel.hardware import find_device
from dovetail.ir import nn
from dovetail.ir.read.jaxpr import read_jax
from dovetail.passes.pieces.emit import working_ops
from dovetail.passes.pieces.prepare import prepare
from dovetail.passes.target import lower_for_target
from examples.jax_models import bert, llama, parameters

TARGETS = {
    "jax": Target("host", "cpu", None),
    "triton": Target("gpu", "gpu", find_device("h100-sxm")),
    "scratchpad": Target("npu", "npu", None, 2**20),
    "pallas": Target("tpu", "npu", find_device("tpu-v5e"), 2**27),
}
RUFF = Path(sys.executable).parent / "ruff"


def small_cnn() -> nn.NnModule:
    """Two convolutions, the second one strided, a pool, a residual sum, a mean and a classifier."""
    import jax
    import jax.numpy as jnp

    rng = np.random.default_rng(0)
    shapes = {"first": (8, 3, 3, 3), "second": (8, 8, 3, 3), "last": (8, 10)}
    w = {name: jnp.asarray(rng.standard_normal(shape, dtype=np.float32) / 4) for name, shape in shapes.items()}

    def classify(image: jax.Array) -> jax.Array:
        x = jax.nn.relu(jax.lax.conv(image, w["first"], (2, 2), "SAME"))
        x = x + jax.nn.relu(jax.lax.conv(x, w["second"], (1, 1), "SAME"))
        x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")
        return jax.nn.softmax(x.mean((2, 3)) @ w["last"], axis=-1)

    return read_jax(classify, (np.zeros((1, 3, 16, 16), np.float32),))


def bert_layer() -> nn.NnModule:
    config = bert.Config(layers=1, width=32, heads=4, vocabulary=50, positions=16)
    function = partial(bert.forward, config, parameters(bert.shapes(config)))
    return read_jax(function, (np.zeros((1, 8), np.int32),))


def llama_decode() -> nn.NnModule:
    config = llama.SMALL
    p = parameters(llama.shapes(config))
    cache = np.zeros((1, config.kv_heads, 8, config.head), np.float32)
    return read_jax(
        lambda x, k, v: llama.forward(config, p, x, (k, v)), (np.zeros((1, 1, 32), np.float32), cache, cache)
    )


NETWORKS = {made.__name__: made for made in (small_cnn, bert_layer, llama_decode)}
GOLDEN = (
    "emitted/small_cnn_jax.py", "emitted/small_cnn_triton.py", "emitted/small_cnn_scratchpad.py",
    "emitted/small_cnn_pallas.py", "emitted/bert_layer_pallas.py", "emitted/llama_decode_pallas.py",
    "emitted/bert_layer_jax.py", "emitted/bert_layer_triton.py", "emitted/bert_layer_scratchpad.py",
    "emitted/llama_decode_jax.py", "emitted/llama_decode_triton.py", "emitted/llama_decode_scratchpad.py",
)  # fmt: skip


def compiled(make: Callable[[], nn.NnModule], way: str) -> PlacedProgram:
    target = TARGETS[way]
    low = lower_for_target(make(), target.kind, target.device.id if target.device else None)
    program = build_whole(low, make.__name__, target)
    assert [step.executor.way for step in program.steps] == [way]
    return program


@pytest.mark.parametrize("way", TARGETS)
@pytest.mark.parametrize("name", NETWORKS)
def test_text_of_a_network(name: str, way: str, golden, tmp_path: Path) -> None:
    if way == "triton":
        pytest.importorskip("triton")
    files, again = (compiled(NETWORKS[name], way).files() for _ in range(2))
    assert files == again
    path = f"{way}/{name}/{name}.py"
    (text,) = [str(file.content) for file in files if file.path == path]
    kept = f"emitted/{name}_{way}.py"
    assert kept in GOLDEN
    golden(kept, text)
    assert re.search(r"# .*\(1, .*\)", text), "no shape in a comment"
    assert not re.search(r"\d\.\d{4,}.*\d\.\d{4,}", text), "weights among the text"
    assert len(text) < 22_000  # the weights as text would be several times that
    for file in files:
        place = tmp_path / file.path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(file.content if isinstance(file.content, bytes) else file.content.encode())
    require_clean(tmp_path, tmp_path.parent, "--isolated")


@pytest.mark.parametrize("way", TARGETS)
@pytest.mark.parametrize(
    "names",
    [("x",), ('say "x"',), ('it\'s "x"',), ("x" * 90,), ("x" * 300,), ("a b" * 100,), tuple("abcdefghijklm"), ()],
)
def test_ends_of_any_names_and_number_are_formatted(names: tuple[str, ...], way: str, tmp_path: Path) -> None:
    """None, many, long ones and such with quotes; as inputs and as outputs."""
    if way == "triton":
        pytest.importorskip("triton")
    block = Block(arg_types=[TensorType(f32, [2]) for _ in names])
    block.add_ops([nn.TanhOp.make(each) for each in block.args])
    made = [op.results[0] for op in block.ops]
    if not names:
        block.add_op(fill := nn.FillOp.make(type=TensorType(f32, [2]), value=0.5))
        made = [fill.result]
    outputs = tuple(f"{name} out" for name in names) or ("y",)
    network = nn.NnModule(nn.build_main(block, made), {}, names, outputs)
    target = TARGETS[way]
    low = lower_for_target(network, target.kind, target.device.id if target.device else None)
    require_clean(write_folder(build_whole(low, "net", target).files(), tmp_path / "out", False), tmp_path)


def with_long_names(network: nn.NnModule, length: int) -> nn.NnModule:
    """`network` whose weights, inputs and outputs have names of so many characters."""
    module, weights = network.module.clone(), dict[str, np.ndarray]()
    for op in nn.body_of(module):
        if isinstance(op, nn.WeightOp):
            name = op.weight.data.ljust(length, "q")
            weights[name] = network.weights[op.weight.data]
            op.attributes["weight"] = StringAttr(name)
    inputs, outputs = (
        [name.ljust(length, "_") + "0" for name in names] for names in (network.input_names, network.output_names)
    )
    return nn.NnModule(module, weights, tuple(inputs), tuple(outputs))


@pytest.mark.parametrize("way", TARGETS)
@pytest.mark.parametrize("make", [bert_layer, llama_decode])
def test_weights_of_long_names_are_formatted(make: Callable[[], nn.NnModule], way: str, tmp_path: Path) -> None:
    """Names that fill a line, that fill it with what is done with them, and that are longer than any."""
    if way == "triton":
        pytest.importorskip("triton")
    target = TARGETS[way]
    for length in (40, 58, 68, 75, 84, 300):
        named = with_long_names(make(), length)
        low = lower_for_target(named, target.kind, target.device.id if target.device else None)
        write_folder(build_whole(low, "net", target).files(), tmp_path / "out" / str(length), False)
    require_clean(tmp_path / "out", tmp_path)


def require_clean(folder: Path, runs_in: Path, *options: str) -> None:
    """`folder` passes `ruff check` and `ruff format` where that runs in `runs_in`."""
    assert RUFF.exists()
    for command in (["check", *options], ["format", "--check"]):
        done = subprocess.run([RUFF, *command, folder], capture_output=True, text=True, cwd=runs_in)
        assert done.returncode == 0, done.stdout


def test_a_saved_folder_is_clean_from_wherever_ruff_runs(tmp_path: Path) -> None:
    """All ways in one folder, with weights in few bits; folders called `jax` and `triton` are no packages of it."""
    pytest.importorskip("triton")
    network = llama_decode()
    count = len(working_ops(prepare(network)))
    devices = ("h100-sxm", "tpu-v5e", "epyc-9554")
    placement = [devices[i * len(devices) // count] for i in range(count)]
    program = dovetail.compile(network, placement=placement, precision="weights=int3")
    out = program.save(tmp_path / "out")
    assert {"jax", "pallas", "triton"} <= {path.name for path in out.iterdir()}
    for place in (tmp_path, out, out / "jax" / "p2", out / "pallas" / "p1", out / "triton" / "p0"):
        require_clean(out if place == tmp_path else place, place)


@pytest.mark.parametrize("way", TARGETS)
def test_a_network_without_a_name_of_its_own_is_the_network(way: str) -> None:
    if way == "triton":
        pytest.importorskip("triton")
    target = TARGETS[way]
    low = lower_for_target(small_cnn(), target.kind, target.device.id if target.device else None)
    for name, said in (("network", "he network "), ("small", "he network small ")):
        texts = {
            file.path: str(file.content) for file in build_whole(low, name, target).files() if file.path.endswith(".py")
        }
        assert texts["run.py"].startswith(f'"""Run t{said.rstrip()}.')
        assert texts[f"{way}/{name}/{name}.py"].startswith(f'"""T{said}')
        assert not any("network network" in text for text in texts.values())
