"""Emitted networks exported for platforms that are not here: each is read back, and that for CPUs is called."""

from __future__ import annotations

import json
from pathlib import Path

import jax
import numpy as np
import pytest
from jax import export
from xdsl.dialects.builtin import TensorType, f32
from xdsl.ir import Block

import dovetail
from dovetail import cli
from dovetail.backends.jax.export import PLATFORMS, exported
from dovetail.backends.jax.program import build_program
from dovetail.ir import nn
from dovetail.ir.diagnostics import InputError
from dovetail.ir.read.huggingface import read_config
from dovetail.ir.read.saved import save_network
from dovetail.ir.weights import fill_weights

MIXTRAL = {
    "architectures": ["MixtralForCausalLM"], "vocab_size": 16, "hidden_size": 16, "num_hidden_layers": 1,
    "num_attention_heads": 2, "num_key_value_heads": 1, "intermediate_size": 16, "hidden_act": "silu",
    "rms_norm_eps": 1e-5, "rope_theta": 1000.0, "num_local_experts": 4, "num_experts_per_tok": 2,
}  # fmt: skip


def pooled(x: tuple[int, ...] = (1, 3, 8, 8)) -> nn.NnModule:
    """A convolution and a pool."""
    block = Block(arg_types=[TensorType(f32, list(x))])
    w = nn.WeightOp.make(type=TensorType(f32, [4, 3, 3, 3]), weight="w")
    conv = nn.ConvOp.make(block.args[0], w.result, strides=(1, 1), pads=(1, 1, 1, 1), dilations=(1, 1))
    pool = nn.MaxPoolOp.make(conv.result, kernel=(2, 2), strides=(2, 2), pads=(0, 0, 0, 0), dilations=(1, 1))
    block.add_ops([w, conv, pool])
    values = {"w": np.random.default_rng(1).normal(size=(4, 3, 3, 3)).astype(np.float32)}
    return nn.NnModule(nn.build_main(block, [pool.result]), values, ("x",), ("y",))


@pytest.fixture
def decoder(tmp_path: Path) -> nn.NnModule:
    """A decoder with experts: grouped products, a route, attention."""
    path = tmp_path / "config.json"
    path.write_text(json.dumps(MIXTRAL))
    return fill_weights(read_config(path, batch=1, sequence=4, mode="prefill"), seed=1)


def test_a_decoder_is_exported_for_every_platform(decoder: nn.NnModule) -> None:
    program = build_program(decoder, "decoder")
    for platform in PLATFORMS:
        again = export.deserialize(bytearray(exported(program, platform)))
        assert again.platforms == (platform,)
        assert [(a.shape, str(a.dtype)) for a in again.in_avals[-2:]] == list(program.inputs.values())
    inputs = (np.array([[3, 1, 4, 1]], np.int32), np.arange(4, dtype=np.int32)[None])
    again = export.deserialize(bytearray(exported(program, "cpu")))
    with jax.enable_x64(True):
        made = again.call(program.placed, *(np.int64(each) for each in inputs))
    for found, wanted in zip(made, program(*inputs), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-6)


def test_the_command_writes_them(tmp_path: Path) -> None:
    save_network(pooled(), tmp_path / "net.mlir")
    out = tmp_path / "out"
    assert cli.main(["compile", str(tmp_path / "net.mlir"), "--export", "cpu,tpu", "-o", str(out)]) == 0
    place = out / "jax" / "network"
    assert sorted(path.name for path in place.glob("*.jax_export")) == [
        "network.cpu.jax_export",
        "network.tpu.jax_export",
    ]
    network = build_program(pooled())
    x = np.random.default_rng(0).normal(size=(1, 3, 8, 8)).astype(np.float32)
    again = export.deserialize(bytearray((place / "network.cpu.jax_export").read_bytes()))
    np.testing.assert_allclose(again.call(network.placed, x), network(x)[0], rtol=1e-5, atol=1e-6)


def test_equal_networks_are_exported_as_equal_bytes() -> None:
    first, second = (exported(build_program(pooled(), "net"), "cuda") for _ in range(2))
    assert first == second


def test_all_unknown_platforms_are_told(tmp_path: Path) -> None:
    program = dovetail.compile(pooled())
    with pytest.raises(InputError) as told:
        program.save(tmp_path / "out", exports=("cudo", "tpu", "vulkan"))
    assert [each.message for each in told.value.diagnostics] == [
        "`cudo` is no platform of JAX",
        "`vulkan` is no platform of JAX",
    ]
    assert not (tmp_path / "out").exists()
