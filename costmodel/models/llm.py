"""Language models as groups of equal layers, and the totals that follow from them.

Equations are numbered as in `docs/math/models.md`.
"""

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
from .vision import Vision

_NONE: Mapping[str, Any] = MappingProxyType({})
KEPT = ("table", "router", "vector", "vision")
"""kinds of weights that quantisation leaves in 16 bits"""
KEPT_OF_FOUR_BITS = ("attention", "linear", "indexer")
"""and those that quantisation to 4 bits leaves besides"""


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
    """of the published checkpoint: that of most of its weights"""
    precisions: Mapping[str, str] = field(default_factory=lambda: _NONE, hash=False)
    """of the published checkpoint's other weights, by kind of product"""
    scale_bytes: float | None = None
    """[bytes] of scales for each quantised weight of the published checkpoint; None for what is usual"""
    vision: Vision | None = None
    extra_parameters: int = 0
    """outside of layers and tables, besides the last norm"""
    mark: str = "data_sheet"
    """`guess` where the config does not say all that the model has, and `source` says what was taken"""
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
        """All weights, norms among them. Equation (12)."""
        layers = sum(group.count * group.parameters for group in self.groups)
        vision = self.vision.parameters if self.vision else 0
        return layers + self.hidden + self.table_parameters + self.extra_parameters + vision

    @cached_property
    def active_parameters(self) -> int:
        """What a token of text passes: all but vision and the experts that it does not take; both tables count."""
        idle = sum(g.count * (g.network.parameters - g.network.active_parameters) for g in self.groups)
        return self.parameters - idle - (self.vision.parameters if self.vision else 0)

    @cached_property
    def parameters_by_kind(self) -> Mapping[str, int]:
        """Kind of product -> parameters; `table` for the vocabulary, `vector` for what is no matrix."""
        found = {"table": self.table_parameters, "vector": self.hidden + self.extra_parameters}
        if self.vision:
            found["vision"] = self.vision.parameters
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

    def precision_of(self, kind: str, precision: str | None = None) -> str:
        """The precision of weights of that kind at `precision` (the checkpoint's own if None).

        Where the model was not published so: vocabulary tables, routers, norms and what sees images stay in 16 bits,
        and in checkpoints of 4 bits attention too.
        """
        chosen = precision or self.precision
        if chosen == self.precision and kind in self.precisions:
            return self.precisions[kind]
        size = bytes_per_weight(chosen)
        kept = size < 2 and (kind in KEPT or (size < 1 and kind in KEPT_OF_FOUR_BITS))
        return "bf16" if kept else chosen

    def bytes_per_parameter(self, kind: str, precision: str | None = None) -> float:
        """[bytes] of one weight of that kind at `precision` (the checkpoint's own if None), with its scales.

        Weights at the checkpoint's own precision have its scales, others what is usual.
        """
        chosen = self.precision_of(kind, precision)
        size = bytes_per_element(chosen)
        if self.scale_bytes is not None and size < 2 and chosen == self.precision:
            return size + self.scale_bytes
        return bytes_per_weight(chosen)

    def weight_bytes(self, precision: str | None = None) -> float:
        """[bytes] of the weights at `precision` (the checkpoint's own if None). Equation (13)."""
        kinds = self.parameters_by_kind.items()
        return sum(count * self.bytes_per_parameter(kind, precision) for kind, count in kinds)

    def kv_bytes_per_token(self, kv_precision: str = "bf16") -> float:
        """[bytes] of KV cache that one token of context takes where no window cuts it."""
        size = bytes_per_element(kv_precision)
        mixers = ((group.count, group.mixer) for group in self.groups)
        return sum(count * (m.kv_elements * m.growth * size + m.index_bytes) for count, m in mixers)

    def kv_bytes(self, tokens: Values, kv_precision: str = "bf16") -> Values:
        """[bytes] of cache and states of a sequence of `tokens`; windows keep no more than theirs. Equation (14)."""
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
