"""Models: language models with their exact parameter counts, and networks that run once per visit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from .figures import read_entries
from .hardware import canonical
from .networks import Network, read_network
from .precision import bytes_per_element, bytes_per_weight

FOLDER = Path(__file__).parent / "catalogue" / "models"
_NONE: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class LLM:
    """A decoder-only transformer with grouped-query or latent attention and a gated feed-forward network.

    With `experts` it is a mixture: each layer but the first `dense_layers` holds that many feed-forward networks of
    width `ffn`, of which a token takes `experts_per_token`, and `shared_experts` more that every token takes.
    With `kv_latent` attention is multi-head latent attention (arXiv 2405.04434, section 2.1): the cache holds one
    vector of that width for all heads, and one of `rope_dim`. With `window_tokens`, `window_layers` of the layers
    attend to so many tokens only.
    """

    id: str
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    ffn: int
    vocab: int
    tied_embeddings: bool = False
    qk_norm: bool = False
    """queries and keys are normalised by head (Qwen3)"""
    qkv_bias: bool = False
    experts: int = 0
    experts_per_token: int = 0
    shared_experts: int = 0
    dense_layers: int = 0
    dense_ffn: int = 0
    q_latent: int = 0
    kv_latent: int = 0
    rope_dim: int = 0
    """of `head_dim`, with latent attention"""
    v_head_dim: int = 0
    """with latent attention; else as `head_dim`"""
    window_tokens: int = 0
    window_layers: int = 0
    context_tokens: int = 131072
    """longest context it was made for"""
    precision: str = "bf16"
    """of the published checkpoint"""
    quality: Mapping[str, float] = field(default_factory=lambda: _NONE, compare=False)
    """benchmark scores, by name"""
    source: str = ""
    date: str = ""

    @property
    def attention_parameters(self) -> int:
        """Of one layer: q, k, v and o projections, with biases and norms of q and k where it has them."""
        if self.kv_latent:
            return self._latent_attention_parameters
        q_width, kv_width = self.heads * self.head_dim, self.kv_heads * self.head_dim
        weights = 2 * self.hidden * q_width + 2 * self.hidden * kv_width
        biases = q_width + 2 * kv_width if self.qkv_bias else 0
        return weights + biases + (2 * self.head_dim if self.qk_norm else 0)

    @property
    def _latent_attention_parameters(self) -> int:
        """Down to the latent vectors and their norms, up to the heads, and the output projection."""
        kv_up = self.kv_latent * self.heads * (self.head_dim - self.rope_dim + self.v_head_dim)
        kv = self.hidden * (self.kv_latent + self.rope_dim) + self.kv_latent + kv_up
        q_up = (self.q_latent or self.hidden) * self.heads * self.head_dim
        q = (self.hidden + 1) * self.q_latent + q_up
        return q + kv + self.heads * self.v_head_dim * self.hidden

    @property
    def expert_parameters(self) -> int:
        """Of one feed-forward network: gate, up and down projections."""
        return 3 * self.hidden * self.ffn

    def network_parameters(self, experts: float) -> float:
        """Of the feed-forward networks of all layers, where `experts` routed ones of each mixture layer count."""
        mixture = (experts + self.shared_experts) * self.expert_parameters + self.hidden * self.experts
        dense = 3 * self.hidden * self.dense_ffn
        return (self.layers - self.dense_layers) * mixture + self.dense_layers * dense

    @property
    def embedding_parameters(self) -> int:
        """Of one vocabulary table; the head is another unless they are tied."""
        return self.vocab * self.hidden

    @property
    def parameters(self) -> int:
        """All weights, norms among them."""
        layers = self.layers * (self.attention_parameters + 2 * self.hidden)
        tables = self.embedding_parameters * (1 if self.tied_embeddings else 2)
        return layers + int(self.network_parameters(max(1, self.experts))) + self.hidden + tables

    def distinct_experts(self, tokens: float) -> float:
        """Expected number of a layer's feed-forward networks that a batch of `tokens` touches.

        E (1 - (1 - k/E)^tokens): each token picks k of E evenly. 1 for a dense model.
        """
        if not self.experts:
            return 1.0
        return self.experts * (1 - (1 - self.experts_per_token / self.experts) ** tokens)

    def weight_bytes(self, precision: str | None = None) -> float:
        """[bytes] of the weights at `precision` (the checkpoint's own if None).

        Quantised checkpoints keep the vocabulary tables in 16 bits, and those of 4 bits the attention too.
        """
        size = bytes_per_weight(precision or self.precision)
        kept = self.embedding_parameters * (1 if self.tied_embeddings else 2)
        if size < 1:
            kept += self.layers * self.attention_parameters
        return size * (self.parameters - kept) + max(size, 2.0) * kept

    def kv_bytes_per_token(self, kv_precision: str = "bf16") -> float:
        """[bytes] of KV cache that one token of context takes where no window cuts it.

        2 x layers x kv_heads x head_dim elements; layers x (kv_latent + rope_dim) with latent attention.
        """
        width = self.kv_latent + self.rope_dim if self.kv_latent else 2 * self.kv_heads * self.head_dim
        return self.layers * width * bytes_per_element(kv_precision)

    def kv_bytes(self, tokens: float, kv_precision: str = "bf16") -> float:
        """[bytes] of KV cache of one sequence of `tokens`; layers with a window keep no more than that."""
        return self.mean_over_layers(tokens, min(tokens, self.window_tokens)) * self.kv_bytes_per_token(kv_precision)

    def mean_over_layers(self, everywhere: float, in_window: float) -> float:
        """The mean of a figure that is `in_window` in layers with a window and `everywhere` in the others."""
        share = self.window_layers / self.layers
        return (1 - share) * everywhere + share * in_window

    @property
    def kv_parts(self) -> int:
        """Over how many devices of a tensor-parallel group the KV cache can be split; latent vectors cannot."""
        return 1 if self.kv_latent else self.kv_heads

    def flops_per_pair(self, decoding: bool) -> float:
        """Of one (query, key) pair in one layer: scores and weighted sum.

        4 heads head_dim. Latent attention: 2 heads (head_dim + v_head_dim) with keys and values expanded, as engines
        prefill; 2 heads (2 kv_latent + rope_dim) on the latent vectors themselves, as they decode.
        """
        if not self.kv_latent:
            return 4 * self.heads * self.head_dim
        width = 2 * self.kv_latent + self.rope_dim if decoding else self.head_dim + self.v_head_dim
        return 2 * self.heads * width


@cache
def model_entries() -> Mapping[str, Mapping[str, Any]]:
    """The catalogue's entries of models by canonical id."""
    return MappingProxyType({canonical(id): entry for id, entry in read_entries(FOLDER)})


@cache
def load_models() -> Mapping[str, LLM | Network]:
    """The catalogue's models by canonical id."""
    return MappingProxyType({id: read_model(id, entry) for id, entry in model_entries().items()})


@cache
def _aliases() -> Mapping[str, str]:
    """Canonical Hugging Face ids of the catalogue's models, to their own."""
    entries = model_entries().items()
    return {canonical(alias): id for id, entry in entries for alias in entry.get("aliases", ())}


def find_model(name: str) -> LLM | Network | None:
    """The catalogue's model of that id or Hugging Face id (`_` and `-` alike), or None."""
    id = canonical(name)
    id = _aliases().get(id, id)
    return read_model(id, model_entries()[id]) if id in model_entries() else None


def read_model(id: str, entry: Mapping[str, Any]) -> LLM | Network:
    """The model of a catalogue entry; TypeError or ValueError for one that is not understood."""
    if "unit" in entry:
        return read_network(id, entry)
    shape = {key: value for key, value in entry.items() if key not in ("aliases", "source", "date")}
    return LLM(id, source=entry["source"], date=str(entry["date"]), **shape)


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
        shape = _latent_shape(config) if name == LATENT else _shape(name, config)
        return LLM(
            id=id or path.stem,
            layers=config["num_hidden_layers"],
            hidden=config["hidden_size"],
            heads=config["num_attention_heads"],
            vocab=config["vocab_size"],
            tied_embeddings=bool(config.get("tie_word_embeddings", False)),
            context_tokens=config.get("max_position_embeddings", 131072),
            precision=_precision(config),
            source=f"{path.name} of the model",
            **shape,
        )
    except KeyError as error:
        raise ValueError(f"the key {error} is missing") from error


def _shape(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """What differs between the architectures with grouped-query attention."""
    if config.get("mlp_only_layers") or config.get("decoder_sparse_step", 1) != 1 or config.get("mlp_bias"):
        raise ValueError("layers that differ from each other and biases in the network are not covered")
    experts = config.get("num_local_experts") or config.get("num_experts") or 0
    heads, hidden = config["num_attention_heads"], config["hidden_size"]
    return {
        "kv_heads": config.get("num_key_value_heads", heads),
        "head_dim": config.get("head_dim") or hidden // heads,
        "ffn": (config.get("moe_intermediate_size") if experts else None) or config["intermediate_size"],
        "qk_norm": name.startswith("Qwen3"),
        "qkv_bias": name.startswith("Qwen2"),
        "experts": experts,
        "experts_per_token": config.get("num_experts_per_tok", 0) if experts else 0,
        **_window(name, config),
    }


def _window(name: str, config: Mapping[str, Any]) -> dict[str, int]:
    """The sliding window; where Qwen models use one, it is not in every layer."""
    window = config.get("sliding_window")
    if not window or (name.startswith("Qwen") and not config.get("use_sliding_window")):
        return {}
    if name.startswith("Qwen"):
        raise ValueError("sliding windows in some of the layers are not covered")
    return {"window_tokens": window, "window_layers": config["num_hidden_layers"]}


def _latent_shape(config: Mapping[str, Any]) -> dict[str, Any]:
    """Multi-head latent attention and a mixture with shared experts (DeepSeek-V3, arXiv 2412.19437)."""
    if config.get("moe_layer_freq", 1) != 1:
        raise ValueError("mixtures in some of the layers are not covered")
    return {
        "kv_heads": config["num_attention_heads"],
        "head_dim": config["qk_nope_head_dim"] + config["qk_rope_head_dim"],
        "v_head_dim": config["v_head_dim"],
        "rope_dim": config["qk_rope_head_dim"],
        "q_latent": config["q_lora_rank"] or 0,
        "kv_latent": config["kv_lora_rank"],
        "ffn": config["moe_intermediate_size"],
        "experts": config["n_routed_experts"],
        "experts_per_token": config["num_experts_per_tok"],
        "shared_experts": config["n_shared_experts"] or 0,
        "dense_layers": config["first_k_dense_replace"],
        "dense_ffn": config["intermediate_size"],
    }


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
