"""Whole networks on the smallest scratchpad that runs them untiled (M_R), against the same network on one device."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from dovetail.backends.jax.program import build_program
from dovetail.backends.scratchpad_program.execute import build_scratchpad
from dovetail.backends.scratchpad_program.lower import least_size_bytes, lower
from dovetail.ir import nn
from dovetail.ir.read.huggingface import read_config
from dovetail.ir.read.onnx import read_onnx
from dovetail.ir.weights import fill_weights, reseed_constant_weights
from dovetail.passes.target import lower_for_target

BERT_SMALL = {
    "architectures": ["BertModel"], "vocab_size": 1000, "hidden_size": 512, "num_hidden_layers": 4,
    "num_attention_heads": 8, "intermediate_size": 2048, "hidden_act": "gelu", "layer_norm_eps": 1e-12,
    "max_position_embeddings": 128, "type_vocab_size": 2,
}  # fmt: skip
LLAMA_BLOCK = {
    "architectures": ["LlamaForCausalLM"], "vocab_size": 128, "hidden_size": 256, "num_hidden_layers": 1,
    "num_attention_heads": 8, "num_key_value_heads": 2, "intermediate_size": 512, "hidden_act": "silu",
    "rms_norm_eps": 1e-5,
}  # fmt: skip
pytestmark = pytest.mark.slow


def _hold(
    low: nn.NnModule, name: str, inputs: list[np.ndarray], run_plain, parameters: bool = False, in_place: bool = False
) -> tuple[int, int]:
    """Run `low` at M_R, hold it against its operators and against JAX; (size, DMA beyond the compulsory) in bytes."""
    size_bytes = least_size_bytes(low, parameters=parameters)
    program = lower(low, name, size_bytes, parameters=parameters, in_place=in_place)
    built = build_scratchpad(program)
    found, machine = built.run(*inputs)
    assert machine.loaded_bytes + machine.stored_bytes == program.dma_bytes
    for got, must in zip(found, run_plain(built, inputs), strict=True):
        assert got.tobytes() == must.tobytes()
    for got, must in zip(found, build_program(low, name)(*inputs), strict=True):
        np.testing.assert_allclose(got, must, rtol=1e-4, atol=1e-5 * float(np.abs(must).max()))
    return program.size_bytes, program.noncompulsory_bytes


@pytest.mark.parametrize(("in_place", "moved_bytes"), [(False, 4 * 2548 * 1024), (True, 5_619_712)])
def test_densenet121(in_place: bool, moved_bytes: int, run_plain) -> None:
    onnx = pytest.importorskip("onnx")
    light = Path(onnx.__file__).parent / "backend/test/data/light/light_densenet121.onnx"
    low = lower_for_target(reseed_constant_weights(read_onnx(light), seed=11), "npu")
    image = np.random.default_rng(1).standard_normal((1, 3, 7, 7), np.float32).repeat(32, 2).repeat(32, 3)
    # float32: four times the 1,568 KiB and 2,548 KiB of the int8 graph, which no order and no eviction can beat
    assert _hold(low, "densenet121", [image], run_plain, in_place=in_place) == (4 * 1568 * 1024, moved_bytes)


@pytest.mark.parametrize(
    ("config", "given", "size_bytes", "moved_bytes"),
    [
        pytest.param(BERT_SMALL, {}, 1_048_576, 1_049_600, id="bert_small"),
        pytest.param(BERT_SMALL, {"in_place": True}, 1_048_576, 0, id="bert_small in place"),
        pytest.param(BERT_SMALL, {"parameters": True}, 4_857_856, 1_049_600, id="bert_small with weights"),
        pytest.param(LLAMA_BLOCK, {}, 393_216, 131_072, id="llama_block"),
        pytest.param(LLAMA_BLOCK, {"in_place": True}, 393_216, 0, id="llama_block in place"),
        pytest.param(LLAMA_BLOCK, {"parameters": True}, 720_896, 393_216, id="llama_block with weights"),
    ],
)
def test_transformer(
    config, given: dict[str, bool], size_bytes: int, moved_bytes: int, run_plain, tmp_path: Path
) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    network = fill_weights(read_config(path, batch=1, sequence=64, mode="prefill"), seed=1)
    low = lower_for_target(network, "npu")
    rng, inputs = np.random.default_rng(0), []
    for name, arg in zip(low.input_names, nn.main_of(low.module).args, strict=True):
        shape = nn.shape_of(arg)
        ids = {"input_ids": rng.integers(0, 100, shape), "position_ids": np.arange(64).reshape(shape)}
        inputs.append(ids.get(name, np.ones(shape, np.int64)))
    assert _hold(low, "transformer", inputs, run_plain, **given) == (size_bytes, moved_bytes)
