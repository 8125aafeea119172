"""Whole small transformers mean the same after the passes of each kind of device."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from xdsl.dialects.builtin import f64

from dovetail.ir import nn
from dovetail.ir.interpret import interpret
from dovetail.ir.read.huggingface import read_config
from dovetail.ir.weights import fill_weights
from dovetail.passes.target import lower_for_target

LLAMA: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"], "vocab_size": 31, "hidden_size": 24, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 20, "hidden_act": "silu",
    "rms_norm_eps": 1e-5, "rope_theta": 1000.0,
}  # fmt: skip
CONFIGS: dict[str, dict[str, Any]] = {
    "llama": LLAMA,
    "mixtral": {**LLAMA, "architectures": ["MixtralForCausalLM"], "num_local_experts": 4, "num_experts_per_tok": 2},
    "gemma": {
        **LLAMA, "architectures": ["Gemma2ForCausalLM"], "head_dim": 8, "hidden_activation": "gelu_pytorch_tanh",
        "sliding_window": 2, "query_pre_attn_scalar": 16, "attn_logit_softcapping": 5.0, "final_logit_softcapping": 3.0,
    },
    "deepseek": {
        **LLAMA, "architectures": ["DeepseekV3ForCausalLM"], "num_key_value_heads": 4, "q_lora_rank": 9,
        "kv_lora_rank": 10, "qk_nope_head_dim": 6, "qk_rope_head_dim": 4, "v_head_dim": 5, "n_routed_experts": 6,
        "num_experts_per_tok": 2, "moe_intermediate_size": 7, "n_shared_experts": 2, "first_k_dense_replace": 1,
        "n_group": 3, "topk_group": 2, "routed_scaling_factor": 1.5,
    },
    "bert": {
        "architectures": ["BertModel"], "vocab_size": 31, "hidden_size": 24, "num_hidden_layers": 2,
        "num_attention_heads": 4, "intermediate_size": 20, "max_position_embeddings": 16,
    },
    "gpt2": {"architectures": ["GPT2LMHeadModel"], "vocab_size": 31, "n_embd": 24, "n_layer": 2, "n_head": 3},
    "vit": {
        "architectures": ["ViTModel"], "image_size": 8, "patch_size": 4, "hidden_size": 24, "num_hidden_layers": 2,
        "num_attention_heads": 3, "intermediate_size": 20,
    },
    "whisper": {
        "architectures": ["WhisperForConditionalGeneration"], "vocab_size": 31, "num_mel_bins": 5, "d_model": 24,
        "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 3, "decoder_attention_heads": 3,
        "encoder_ffn_dim": 20, "decoder_ffn_dim": 20, "max_source_positions": 6, "max_target_positions": 40,
    },
}  # fmt: skip
ENCODERS = {("bert", "decode"), ("vit", "decode")}
"""They have no caches to decode with."""


def inputs_of(network: nn.NnModule) -> list[np.ndarray]:
    rng, given = np.random.default_rng(0), []
    for name, arg in zip(network.input_names, nn.main_of(network.module).args, strict=True):
        shape = nn.shape_of(arg)
        if "position" in name:
            given.append(np.broadcast_to(np.arange(shape[1]), shape))
        elif nn.is_float(nn.tensor_type(arg).element_type):
            given.append(rng.normal(size=shape))
        else:
            given.append(rng.integers(0, 2, shape))
    return given


CASES = [(family, mode) for family in CONFIGS for mode in ("prefill", "decode") if (family, mode) not in ENCODERS]


@pytest.mark.parametrize("kind", ["cpu", "gpu", "npu"])
@pytest.mark.parametrize(("family", "mode"), CASES)
def test_the_passes_of_a_device_keep_the_meaning(family: str, kind: str, mode: str, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(CONFIGS[family]))
    network = fill_weights(read_config(path, batch=2, sequence=5, mode=mode, element=f64), seed=2)
    lowered = lower_for_target(network, kind)
    lowered.module.verify()
    if kind == "gpu":  # others leave some networks as they are
        assert str(lowered.module) != str(network.module)
    given = inputs_of(network)
    for before, after in zip(
        interpret(network.module, given, network.weights),
        interpret(lowered.module, given, lowered.weights),
        strict=True,
    ):
        np.testing.assert_allclose(after, before, rtol=1e-5, atol=1e-6)
