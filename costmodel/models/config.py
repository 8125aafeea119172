"""Language models from the config.json files that Hugging Face repositories hold."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .attention import Attention
from .feed_forward import Dense, Mixture
from .latent import LatentAttention
from .llm import LLM, LayerGroup

LATENT = "DeepseekV3ForCausalLM"
ARCHITECTURES = (
    "LlamaForCausalLM",
    "MistralForCausalLM",
    "Qwen2ForCausalLM",
    "Qwen3ForCausalLM",
    "MixtralForCausalLM",
    "Qwen3MoeForCausalLM",
    LATENT,
)
"""Architectures that `LLM` describes exactly."""


def read_hf_config(path: Path, id: str | None = None) -> LLM:
    """The model of a Hugging Face config.json.

    ValueError, saying what, for a file that is none, and for an architecture or a variant that the formulas do not
    cover.
    """
    config = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(config, dict):
        raise ValueError("a config.json is a mapping")
    name = (config.get("architectures") or ["none"])[0]
    if name not in ARCHITECTURES:
        raise ValueError(f"the architecture `{name}` is not covered; known are {', '.join(ARCHITECTURES)}")
    try:
        return LLM(
            id=id or path.stem,
            hidden=config["hidden_size"],
            vocab=config["vocab_size"],
            groups=_latent_groups(config) if name == LATENT else _groups(name, config),
            tied_embeddings=bool(config.get("tie_word_embeddings", False)),
            context_tokens=config.get("max_position_embeddings", 131072),
            precision=_precision(config),
            source=f"{path.name} of the model",
        )
    except KeyError as error:
        raise ValueError(f"the key {error} is missing") from error


def _groups(name: str, config: Mapping[str, Any]) -> tuple[LayerGroup, ...]:
    """Equal layers with grouped-query attention."""
    if config.get("mlp_only_layers") or config.get("decoder_sparse_step", 1) != 1 or config.get("mlp_bias"):
        raise ValueError("layers that differ from each other and biases in the network are not covered")
    experts = config.get("num_local_experts") or config.get("num_experts") or 0
    heads, hidden = config["num_attention_heads"], config["hidden_size"]
    mixer = Attention(
        hidden=hidden,
        heads=heads,
        kv_heads=config.get("num_key_value_heads", heads),
        head_dim=config.get("head_dim") or hidden // heads,
        qk_norm=name.startswith("Qwen3"),
        qkv_bias=name.startswith("Qwen2"),
        window_tokens=_window(name, config),
    )
    ffn = (config.get("moe_intermediate_size") if experts else None) or config["intermediate_size"]
    network = Mixture(hidden, ffn, experts, config["num_experts_per_tok"]) if experts else Dense(hidden, ffn)
    return (LayerGroup(config["num_hidden_layers"], mixer, network, 2 * hidden),)


def _window(name: str, config: Mapping[str, Any]) -> int:
    """The sliding window; where Qwen models use one, it is not in every layer."""
    window = config.get("sliding_window")
    if not window or (name.startswith("Qwen") and not config.get("use_sliding_window")):
        return 0
    if name.startswith("Qwen"):
        raise ValueError("sliding windows in some of the layers are not covered")
    return window


def _latent_groups(config: Mapping[str, Any]) -> tuple[LayerGroup, ...]:
    """Multi-head latent attention and a mixture with shared experts (DeepSeek-V3, arXiv 2412.19437)."""
    if config.get("moe_layer_freq", 1) != 1:
        raise ValueError("mixtures in some of the layers are not covered")
    hidden = config["hidden_size"]
    mixer = LatentAttention(
        hidden=hidden,
        heads=config["num_attention_heads"],
        head_dim=config["qk_nope_head_dim"] + config["qk_rope_head_dim"],
        rope_dim=config["qk_rope_head_dim"],
        v_head_dim=config["v_head_dim"],
        kv_latent=config["kv_lora_rank"],
        q_latent=config["q_lora_rank"] or 0,
    )
    network = Mixture(
        hidden,
        config["moe_intermediate_size"],
        config["n_routed_experts"],
        config["num_experts_per_tok"],
        config["n_shared_experts"] or 0,
    )
    dense = config["first_k_dense_replace"]
    first = LayerGroup(dense, mixer, Dense(hidden, config["intermediate_size"]), 2 * hidden)
    rest = LayerGroup(config["num_hidden_layers"] - dense, mixer, network, 2 * hidden)
    return (first, rest) if dense else (rest,)


def _precision(config: Mapping[str, Any]) -> str:
    """That of the checkpoint; ValueError for a quantisation that is not known."""
    quantised = config.get("quantization_config")
    if not quantised:
        return "fp16" if (config.get("torch_dtype") or config.get("dtype")) == "float16" else "bf16"
    method, bits = quantised.get("quant_method"), quantised.get("bits")
    known = {("fp8", None): "fp8", ("mxfp4", None): "fp4"}
    known |= {(m, b): f"int{b}" for m in ("gptq", "awq") for b in (4, 8)}
    if (method, bits) not in known:
        raise ValueError(f"checkpoints quantised by `{method}` are not covered; write the `precision` of a plain one")
    return known[method, bits]
