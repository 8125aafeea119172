"""Small configs of every family, written out here, and what the networks of them give."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from xdsl.dialects.builtin import f64

from dovetail.ir import nn
from dovetail.ir.interpret import interpret
from dovetail.ir.read.huggingface import read_config
from dovetail.ir.weights import fill_weights

LLAMA: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"], "vocab_size": 31, "hidden_size": 24, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 20, "hidden_act": "silu",
    "rms_norm_eps": 1e-5, "rope_theta": 1000.0,
}  # fmt: skip
LLAMA3 = {
    **LLAMA, "num_attention_heads": 3, "num_key_value_heads": 1, "attention_bias": True, "mlp_bias": True,
    "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                     "original_max_position_embeddings": 32},
}  # fmt: skip
MISTRAL = {**LLAMA, "architectures": ["MistralForCausalLM"], "sliding_window": 3}
QWEN2 = {
    **LLAMA, "architectures": ["Qwen2ForCausalLM"], "use_sliding_window": True, "sliding_window": 2,
    "max_window_layers": 1, "tie_word_embeddings": True,
}  # fmt: skip
QWEN3 = {**LLAMA, "architectures": ["Qwen3ForCausalLM"], "head_dim": 8, "tie_word_embeddings": True}
MIXTRAL = {
    **LLAMA, "architectures": ["MixtralForCausalLM"], "num_local_experts": 4, "num_experts_per_tok": 2,
}  # fmt: skip
QWEN3_MOE = {
    **QWEN3, "architectures": ["Qwen3MoeForCausalLM"], "num_experts": 5, "num_experts_per_tok": 3,
    "moe_intermediate_size": 12, "norm_topk_prob": True, "mlp_only_layers": [0], "decoder_sparse_step": 1,
}  # fmt: skip
GEMMA2 = {
    **LLAMA, "architectures": ["Gemma2ForCausalLM"], "head_dim": 8, "hidden_activation": "gelu_pytorch_tanh",
    "sliding_window": 2, "query_pre_attn_scalar": 16, "attn_logit_softcapping": 5.0, "final_logit_softcapping": 3.0,
}  # fmt: skip
GEMMA3 = {
    **LLAMA, "architectures": ["Gemma3ForCausalLM"], "head_dim": 8, "hidden_activation": "gelu_pytorch_tanh",
    "sliding_window": 2, "sliding_window_pattern": 2, "query_pre_attn_scalar": 16, "rope_local_base_freq": 100.0,
    "rope_scaling": {"rope_type": "linear", "factor": 8.0},
}  # fmt: skip
DEEPSEEK2 = {
    **LLAMA, "architectures": ["DeepseekV2ForCausalLM"], "num_key_value_heads": 4, "q_lora_rank": None,
    "kv_lora_rank": 10, "qk_nope_head_dim": 6, "qk_rope_head_dim": 4, "v_head_dim": 5, "n_routed_experts": 6,
    "num_experts_per_tok": 2, "moe_intermediate_size": 7, "n_shared_experts": 2, "first_k_dense_replace": 1,
    "topk_method": "group_limited_greedy", "n_group": 3, "topk_group": 2, "routed_scaling_factor": 1.5,
    "rope_scaling": {"type": "yarn", "factor": 40, "beta_fast": 32, "beta_slow": 1, "mscale": 0.707,
                     "mscale_all_dim": 0.9, "original_max_position_embeddings": 64},
}  # fmt: skip
DEEPSEEK3 = {
    **DEEPSEEK2, "architectures": ["DeepseekV3ForCausalLM"], "q_lora_rank": 9, "topk_method": "noaux_tc",
    "scoring_func": "sigmoid", "norm_topk_prob": True, "num_nextn_predict_layers": 1,
}  # fmt: skip
BERT = {
    "architectures": ["BertForMaskedLM"], "vocab_size": 31, "hidden_size": 24, "num_hidden_layers": 2,
    "num_attention_heads": 4, "intermediate_size": 20, "hidden_act": "gelu", "max_position_embeddings": 16,
    "type_vocab_size": 2, "layer_norm_eps": 1e-12,
}  # fmt: skip
GPT2 = {
    "architectures": ["GPT2LMHeadModel"], "vocab_size": 31, "n_positions": 40, "n_embd": 24, "n_layer": 2, "n_head": 3,
    "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5,
}  # fmt: skip
VIT = {
    "architectures": ["ViTForImageClassification"], "image_size": 8, "patch_size": 4, "num_channels": 3,
    "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 20, "num_labels": 7,
}  # fmt: skip
WHISPER = {
    "architectures": ["WhisperForConditionalGeneration"], "vocab_size": 31, "num_mel_bins": 5, "d_model": 24,
    "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 3, "decoder_attention_heads": 3,
    "encoder_ffn_dim": 20, "decoder_ffn_dim": 20, "max_source_positions": 6, "max_target_positions": 40,
}  # fmt: skip
CONFIGS: dict[str, dict[str, Any]] = {
    "llama": LLAMA, "llama3": LLAMA3, "mistral": MISTRAL, "qwen2": QWEN2, "qwen3": QWEN3, "mixtral": MIXTRAL,
    "qwen3_moe": QWEN3_MOE, "gemma2": GEMMA2, "gemma3": GEMMA3, "deepseek2": DEEPSEEK2, "deepseek3": DEEPSEEK3,
    "bert": BERT, "gpt2": GPT2, "vit": VIT, "whisper": WHISPER,
}  # fmt: skip

Write = Callable[..., Path]
Run = Callable[..., dict[str, np.ndarray]]


@pytest.fixture
def configs() -> dict[str, dict[str, Any]]:
    """A small config of each family."""
    return CONFIGS


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """`write(config)` is the path of a config.json that holds it; `write(config, key=value)` with a key changed."""

    def write_file(config: dict[str, Any], **changed: Any) -> Path:
        path = tmp_path / "config.json"
        path.write_text(json.dumps({**config, **changed}, indent=1))
        return path

    return write_file


@pytest.fixture
def network(write: Write) -> Callable[..., nn.NnModule]:
    """`network(config, batch=2, ...)`: the network of a small config in f64, with seeded weights."""

    def read(config: dict[str, Any], **how: Any) -> nn.NnModule:
        return fill_weights(read_config(write(config), element=f64, **how), seed=3)

    return read


@pytest.fixture
def run() -> Run:
    """`run(network, name=array, ...)`: its outputs by name, by the interpreter."""

    def run_network(network: nn.NnModule, given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        results = interpret(network.module, [given[name] for name in network.input_names], network.weights)
        return dict(zip(network.output_names, results, strict=True))

    return run_network
