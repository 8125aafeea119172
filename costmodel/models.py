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
from .precision import bytes_per_element

FOLDER = Path(__file__).parent / "catalogue" / "models"
_NONE: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class LLM:
    """A decoder-only transformer with grouped-query attention and a gated feed-forward network.

    With `experts` it is a mixture: each layer holds that many feed-forward networks of width `ffn`, of which a
    token takes `experts_per_token`.
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
        q_width, kv_width = self.heads * self.head_dim, self.kv_heads * self.head_dim
        weights = 2 * self.hidden * q_width + 2 * self.hidden * kv_width
        biases = q_width + 2 * kv_width if self.qkv_bias else 0
        return weights + biases + (2 * self.head_dim if self.qk_norm else 0)

    @property
    def expert_parameters(self) -> int:
        """Of one feed-forward network: gate, up and down projections."""
        return 3 * self.hidden * self.ffn

    @property
    def embedding_parameters(self) -> int:
        """Of one vocabulary table; the head is another unless they are tied."""
        return self.vocab * self.hidden

    @property
    def parameters(self) -> int:
        """All weights, norms among them."""
        router = self.hidden * self.experts
        layer = self.attention_parameters + max(1, self.experts) * self.expert_parameters + router + 2 * self.hidden
        tables = self.embedding_parameters * (1 if self.tied_embeddings else 2)
        return self.layers * layer + self.hidden + tables

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
        size = bytes_per_element(precision or self.precision)
        kept = self.embedding_parameters * (1 if self.tied_embeddings else 2)
        if size < 1:
            kept += self.layers * self.attention_parameters
        return size * (self.parameters - kept) + max(size, 2.0) * kept

    def kv_bytes_per_token(self, kv_precision: str = "bf16") -> float:
        """[bytes] of KV cache that one token of context takes: 2 x layers x kv_heads x head_dim elements."""
        return 2 * self.layers * self.kv_heads * self.head_dim * bytes_per_element(kv_precision)


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


ARCHITECTURES = (
    "LlamaForCausalLM",
    "MistralForCausalLM",
    "Qwen2ForCausalLM",
    "Qwen3ForCausalLM",
    "MixtralForCausalLM",
    "Qwen3MoeForCausalLM",
)
"""Hugging Face architectures that `LLM` describes exactly."""


def read_hf_config(path: Path, id: str | None = None) -> LLM:
    """The model of a Hugging Face config.json.

    ValueError, saying what, for an architecture or a variant that the formulas do not cover.
    """
    config = json.loads(path.read_text(encoding="utf-8"))
    name = (config.get("architectures") or ["none"])[0]
    if name not in ARCHITECTURES:
        raise ValueError(f"the architecture `{name}` is not covered; known are {', '.join(ARCHITECTURES)}")
    if config.get("mlp_only_layers") or config.get("decoder_sparse_step", 1) != 1 or config.get("mlp_bias"):
        raise ValueError("layers that differ from each other and biases in the network are not covered")
    experts = config.get("num_local_experts") or config.get("num_experts") or 0
    ffn = config.get("moe_intermediate_size") if experts else None
    heads, hidden = config["num_attention_heads"], config["hidden_size"]
    return LLM(
        id=id or path.stem,
        layers=config["num_hidden_layers"],
        hidden=hidden,
        heads=heads,
        kv_heads=config.get("num_key_value_heads", heads),
        head_dim=config.get("head_dim") or hidden // heads,
        ffn=ffn or config["intermediate_size"],
        vocab=config["vocab_size"],
        tied_embeddings=bool(config.get("tie_word_embeddings", False)),
        qk_norm=name.startswith("Qwen3"),
        qkv_bias=name.startswith("Qwen2"),
        experts=experts,
        experts_per_token=config.get("num_experts_per_tok", 0) if experts else 0,
        context_tokens=config.get("max_position_embeddings", 131072),
        precision="fp16" if config.get("torch_dtype") == "float16" else "bf16",
        source=f"{path.name} of the model",
    )
