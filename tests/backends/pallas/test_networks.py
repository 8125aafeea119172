"""Networks as JAX programs with Pallas kernels: interpreted, with races looked for, lowered and compiled for TPUs."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from dovetail.backends.jax.frame import jitted
from dovetail.backends.pallas.emit import emit_pallas
from dovetail.backends.pallas.program import PallasProgram, build_pallas
from dovetail.ir import nn
from dovetail.ir.diagnostics import InputError
from dovetail.ir.interpret import interpret
from dovetail.ir.read.huggingface import read_config
from dovetail.ir.read.jaxpr import read_jax
from dovetail.ir.weights import fill_weights
from dovetail.passes.target import lower_for_target

MIB = 2**20
TPU = "tpu-v5e"
TOPOLOGY = {"tpu-v5e": ("v5e:2x2", 128), "tpu-v5p": ("v5p:2x2x1", 64), "tpu-v6e": ("v6e:2x2", 128)}
BERT = {
    "architectures": ["BertModel"], "vocab_size": 31, "hidden_size": 24, "num_hidden_layers": 1,
    "num_attention_heads": 3, "intermediate_size": 40, "hidden_act": "gelu", "layer_norm_eps": 1e-12,
    "max_position_embeddings": 16, "type_vocab_size": 2,
}  # fmt: skip
LLAMA = {
    "architectures": ["LlamaForCausalLM"], "vocab_size": 31, "hidden_size": 24, "num_hidden_layers": 1,
    "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 40, "hidden_act": "silu",
    "rms_norm_eps": 1e-5, "rope_theta": 1000.0,
}  # fmt: skip
Case = tuple[nn.NnModule, list[np.ndarray]]


def cnn() -> Case:
    """A residual block with two convolutions, a grouped one, a pool and a head."""
    rng = np.random.default_rng(0)
    shapes = [(8, 3, 3, 3), (8, 8, 3, 3), (8, 1, 3, 3), (8, 5)]
    stem, second, grouped, head = (rng.normal(0, 0.3, shape).astype(np.float32) for shape in shapes)
    shift = rng.standard_normal(8).astype(np.float32)

    def conv(x: jax.Array, w: Any, stride: int = 1, groups: int = 1) -> jax.Array:
        return lax.conv_general_dilated(x, w, (stride, stride), ((1, 1), (1, 1)), feature_group_count=groups)

    def network(x: jax.Array) -> jax.Array:
        x = jax.nn.relu(conv(x, stem, stride=2) + shift[:, None, None])
        x = jax.nn.relu(conv(x, second) + x)
        x = conv(x, grouped, groups=8)
        return jax.nn.softmax(x.mean((2, 3)) @ head)

    image = rng.standard_normal((1, 3, 13, 15)).astype(np.float32)
    return read_jax(network, (image,)), [image]


def of_config(config: dict[str, Any], tokens: int) -> Case:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "config.json"
        path.write_text(json.dumps(config))
        network = fill_weights(read_config(path, batch=1, sequence=tokens), 0)
    rng = np.random.default_rng(1)
    given = {"position_ids": np.arange(tokens)[None], "attention_mask": np.ones((1, tokens)), "token_type_ids": None}
    args = nn.main_of(network.module).args
    inputs = []
    for name, arg in zip(network.input_names, args, strict=True):
        shape = nn.shape_of(arg)
        made = given.get(name)
        inputs.append(rng.integers(0, 2 if "type" in name else 31, shape) if made is None else made)
    return network, inputs


CASES: dict[str, Callable[[], Case]] = {
    "cnn": cnn, "bert": lambda: of_config(BERT, 5), "llama": lambda: of_config(LLAMA, 5),
}  # fmt: skip


def built(case: Case, device: str = TPU, vmem_mib: float = 128) -> PallasProgram:
    return build_pallas(lower_for_target(case[0], "npu", device), "network", device, vmem_mib * MIB)


def hold(case: Case, found: tuple[np.ndarray, ...], tolerance: float = 1e-5) -> None:
    """To the tolerance of float32, of the largest element."""
    network, inputs = case
    for each, expected in zip(found, interpret(network.module, inputs, network.weights), strict=True):
        np.testing.assert_allclose(each, expected, rtol=tolerance, atol=tolerance * np.abs(expected).max())


@pytest.mark.parametrize("name", CASES)
def test_a_network_is_what_it_means_and_lowers_for_a_tpu(name: str) -> None:
    case = CASES[name]()
    program = built(case)
    assert program.trace == [("network.run", "pallas (interpret mode)")]
    hold(case, program(*case[1]))
    with jax.enable_x64(True):
        traced = jitted(program.function).trace(*program.arguments(case[1]), interpret=False)
        module = traced.lower(lowering_platforms=("tpu",)).as_text()
    text = program.source.sources["network.py"]
    calls = re.findall("= (?:matmul|convolution_nchw|flash_attention|norm)\\(", text)
    assert 3 <= module.count("tpu_custom_call") <= len(calls)  # equal ones are lowered once


@pytest.mark.slow
def test_races_are_looked_for_in_whole_networks() -> None:
    from jax._src.pallas.mosaic.interpret import interpret_pallas_call as interpreter
    from jax.experimental.pallas import tpu as pltpu

    case = cnn()
    params = pltpu.InterpretParams(detect_races=True, num_cores_or_threads=2)
    hold(case, built(case)(*case[1], interpret=params))
    assert interpreter.races is not None
    assert not interpreter.races.races_found


def test_what_xla_computes_is_told_with_its_reason() -> None:
    source = built(cnn()).source
    (why,) = source.left
    assert why.startswith("`nn.conv`, since it has 8 groups, and the kernel one, at `")
    assert "test_networks.py:" in why
    text = source.sources["network.py"]
    assert "Kernels: 2 convolution, 1 matmul. XLA computes the rest: 1 conv, " in text
    kernels = {path for path in source.sources if path.startswith("pallas_kernels/") and path.endswith(".py")}
    assert kernels == {"pallas_kernels/convolution.py", "pallas_kernels/matmul.py"}


def test_bias_activation_and_residual_are_done_in_the_kernel() -> None:
    text = built(cnn()).source.sources["network.py"]
    assert "activation=jax.nn.relu" in text
    assert "    return jax.nn.relu(y + a)" in text or "    return jax.nn.relu(a + y)" in text
    assert re.search(r"beside=\(\w+,\)", text)


def test_a_kernel_that_overflows_vmem_is_refused_before_a_compiler_sees_it() -> None:
    case = cnn()
    some = built(case, vmem_mib=1.19).source  # a MiB is the compiler's
    assert any("the kernel `convolution` needs" in why and "there are 1,247,805" in why for why in some.left)
    assert "Kernels: 1 convolution, 1 matmul. XLA computes the rest: 1 add, 2 conv" in some.sources["network.py"]
    with pytest.raises(InputError, match=r"needs [0-9,]* bytes of VMEM, there are 1,048,576"):
        built(case, vmem_mib=1)


def test_a_network_without_heavy_operators_has_no_kernel() -> None:
    x = np.ones((2, 3), np.float32)
    with pytest.raises(InputError, match="none of its operators has a Pallas kernel"):
        built((read_jax(lambda x: jnp.tanh(x) + 1, (x,)), [x]))


def test_bfloat16_keeps_its_type() -> None:
    rng = np.random.default_rng(2)
    w = jnp.asarray(rng.standard_normal((24, 10)), jnp.bfloat16)
    x = np.asarray(jnp.asarray(rng.standard_normal((2, 3, 24)), jnp.bfloat16))
    case = read_jax(lambda x: jax.nn.silu(x @ w), (x,)), [x]
    found = built(case)(x)
    assert found[0].dtype == x.dtype
    hold(case, tuple(each.astype(np.float32) for each in found), 1e-2)


def test_the_source_is_golden_formatted_and_clean(golden, tmp_path: Path) -> None:
    case = cnn()
    first, second = (emit_pallas(lower_for_target(case[0], "npu", TPU), "small", TPU, 128 * MIB) for _ in range(2))
    assert first.files("pallas/small") == second.files("pallas/small")
    golden("pallas/small.py", first.sources["small.py"])
    ruff = Path(sys.executable).parent / "ruff"
    if not ruff.exists():
        pytest.skip("ruff is not installed")
    for name in CASES:
        program = built(CASES[name]())
        (tmp_path / f"{name}.py").write_text(program.source.sources["network.py"])
    for command in (["check"], ["format", "--diff"]):
        done = subprocess.run([ruff, *command, "--isolated", tmp_path], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


@pytest.mark.skipif(
    importlib.util.find_spec("libtpu") is None, reason="the compiler for TPUs, libtpu, is not installed"
)
@pytest.mark.slow
@pytest.mark.parametrize("device", TOPOLOGY)
@pytest.mark.parametrize("name", CASES)
def test_a_network_compiles_for_each_chip(name: str, device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from jax.experimental import topologies
    from jax.sharding import SingleDeviceSharding

    monkeypatch.setenv("TPU_SKIP_MDS_QUERY", "1")
    topology, vmem_mib = TOPOLOGY[device]
    on = SingleDeviceSharding(topologies.get_topology_desc(platform="tpu", topology_name=topology).devices[0])
    case = CASES[name]()
    program = built(case, device, vmem_mib)
    described = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=on), program.arguments(case[1]))
    with jax.enable_x64(True):
        assert jitted(program.function).lower(*described, interpret=False).compile() is not None
