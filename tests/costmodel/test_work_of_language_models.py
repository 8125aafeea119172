"""Language models told twice, as groups of layers and as networks of nn ops of one config.json: the same work."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from dovetail.costmodel.models import LLM, read_hf_config
from dovetail.costmodel.tensor_graph import parameters, total
from dovetail.ir import nn
from dovetail.ir.read.huggingface import read_config
from dovetail.passes.target import simplify

LAYERS = 4
BATCH, TOKENS = 2, 512
LLAMA: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 32000, "hidden_size": 2048,
    "num_hidden_layers": LAYERS, "num_attention_heads": 16, "num_key_value_heads": 4, "intermediate_size": 5632,
    "hidden_act": "silu", "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "max_position_embeddings": 4096,
    "tie_word_embeddings": False, "torch_dtype": "bfloat16",
}  # fmt: skip
CONFIGS: Mapping[str, dict[str, Any]] = {
    "llama": LLAMA,
    "mistral": {**LLAMA, "architectures": ["MistralForCausalLM"], "model_type": "mistral", "sliding_window": 256},
    "qwen3": {**LLAMA, "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "head_dim": 128},
    "mixtral": {
        **LLAMA, "architectures": ["MixtralForCausalLM"], "model_type": "mixtral", "num_local_experts": 8,
        "num_experts_per_tok": 2,
    },
    "deepseek": {
        **LLAMA, "architectures": ["DeepseekV3ForCausalLM"], "model_type": "deepseek_v3", "num_key_value_heads": 16,
        "q_lora_rank": 768, "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128,
        "n_routed_experts": 16, "num_experts_per_tok": 4, "n_shared_experts": 1, "moe_intermediate_size": 1024,
        "first_k_dense_replace": 1, "moe_layer_freq": 1, "n_group": 4, "topk_group": 2, "norm_topk_prob": True,
        "scoring_func": "sigmoid", "routed_scaling_factor": 2.5, "topk_method": "noaux_tc",
    },
}  # fmt: skip


@pytest.fixture(params=CONFIGS)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    file = tmp_path / "config.json"
    file.write_text(json.dumps(CONFIGS[request.param]))
    return file


def prefill_flops(llm: LLM, batch: int, tokens: int) -> float:
    """Of products with weights, logits of every token among them, and of attention."""
    flops = 2.0 * batch * tokens * llm.embedding_parameters
    for group in llm.groups:
        network = group.network
        weights = sum(p.parameters for p in (*group.mixer.products, *network.products))
        weights += network.experts_per_token * sum(p.parameters for p in network.expert_products)
        pairs = group.mixer.pairs(float(tokens), 0.0)
        flops += group.count * batch * (2 * tokens * weights + pairs * group.mixer.flops_per_pair(decoding=False))
    return flops


def as_network(path: Path) -> nn.NnModule:
    return simplify(read_config(path, batch=BATCH, sequence=TOKENS))


def test_a_prefill_takes_the_same_flops(path: Path) -> None:
    """Softmax, norms, activations and rotary embedding are in the network alone: under 0.2 %."""
    told = prefill_flops(read_hf_config(path), BATCH, TOKENS)
    assert told <= total(as_network(path)).flops <= 1.002 * told


def test_the_weights_are_the_same(path: Path) -> None:
    """To the last one; the frequencies of the rotary embedding are in the network alone."""
    assert read_hf_config(path).parameters == pytest.approx(parameters(as_network(path)), rel=1e-5)
