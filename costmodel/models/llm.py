"""Language models as groups of equal layers, and the totals that follow from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

from ..precision import bytes_per_element, bytes_per_weight
from .elementwise import Values
from .feed_forward import FeedForward
from .mixers import Mixer

_NONE: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class LayerGroup:
    """So many equal layers, each with one mixer, one network, and norms as wide as the hidden vector."""

    count: int
    mixer: Mixer
    network: FeedForward
    norms: int
    """parameters of the norms of one layer"""

    @property
    def parameters(self) -> int:
        """Of one layer."""
        return self.mixer.parameters + self.network.parameters + self.norms


@dataclass(frozen=True)
class LLM:
    """A decoder-only language model."""

    id: str
    hidden: int
    vocab: int
    groups: tuple[LayerGroup, ...]
    tied_embeddings: bool = False
    context_tokens: int = 131072
    """longest context it was made for"""
    precision: str = "bf16"
    """of the published checkpoint"""
    quality: Mapping[str, float] = field(default_factory=lambda: _NONE, compare=False)
    """benchmark scores, by name"""
    source: str = ""
    date: str = ""

    @cached_property
    def layers(self) -> int:
        """Layers of all groups."""
        return sum(group.count for group in self.groups)

    @property
    def embedding_parameters(self) -> int:
        """Of one vocabulary table; the head is another unless they are tied."""
        return self.vocab * self.hidden

    @property
    def table_parameters(self) -> int:
        """Of the vocabulary tables."""
        return self.embedding_parameters * (1 if self.tied_embeddings else 2)

    @cached_property
    def parameters(self) -> int:
        """All weights, norms among them."""
        layers = sum(group.count * group.parameters for group in self.groups)
        return layers + self.hidden + self.table_parameters

    @cached_property
    def active_parameters(self) -> int:
        """All but the routed experts that a token does not take; both vocabulary tables count."""
        idle = sum(g.count * (g.network.parameters - g.network.active_parameters) for g in self.groups)
        return self.parameters - idle

    @cached_property
    def parameters_by_kind(self) -> Mapping[str, int]:
        """Kind of product -> parameters; `table` for the vocabulary, `vector` for what is no matrix."""
        found = {"table": self.table_parameters, "vector": self.hidden}
        for group in self.groups:
            mixer, network = group.mixer, group.network
            for product in (*mixer.products, *network.products):
                found[product.kind] = found.get(product.kind, 0) + group.count * product.parameters
            for product in network.expert_products:
                routed = group.count * network.experts * product.parameters
                found[product.kind] = found.get(product.kind, 0) + routed
            vectors = mixer.vectors + network.vectors + network.experts * network.expert_vectors + group.norms
            found["vector"] += group.count * vectors
        return found

    def bytes_per_parameter(self, kind: str, precision: str | None = None) -> float:
        """[bytes] of one weight of that kind at `precision` (the checkpoint's own if None), with its scales.

        Quantised checkpoints keep the vocabulary tables in 16 bits, and those of 4 bits the attention too.
        """
        size = bytes_per_weight(precision or self.precision)
        kept = kind == "table" or (size < 1 and kind in ("attention", "linear", "indexer"))
        return max(size, 2.0) if kept else size

    def weight_bytes(self, precision: str | None = None) -> float:
        """[bytes] of the weights at `precision` (the checkpoint's own if None)."""
        kinds = self.parameters_by_kind.items()
        return sum(count * self.bytes_per_parameter(kind, precision) for kind, count in kinds)

    def kv_bytes_per_token(self, kv_precision: str = "bf16") -> float:
        """[bytes] of KV cache that one token of context takes where no window cuts it."""
        size = bytes_per_element(kv_precision)
        return sum(g.count * (g.mixer.kv_elements * size + g.mixer.index_bytes) for g in self.groups)

    def kv_bytes(self, tokens: Values, kv_precision: str = "bf16") -> Values:
        """[bytes] of cache and states of one sequence of `tokens`; layers with a window keep no more than that."""
        size = bytes_per_element(kv_precision)
        cached = (
            g.count * (g.mixer.held(tokens) * g.mixer.kv_elements * size + tokens * g.mixer.index_bytes)
            for g in self.groups
        )
        return sum(cached, start=self.state_bytes)

    @cached_property
    def state_bytes(self) -> float:
        """[bytes] of the states of one sequence, whatever its length."""
        return sum(group.count * group.mixer.state_bytes for group in self.groups)
