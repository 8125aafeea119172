"""Multi-head attention with keys and values shared by groups of heads, over all of the context or a part of it.

Equations are numbered as in `docs/math/models.md`.
"""

from __future__ import annotations

from dataclasses import dataclass

from .elementwise import Values, least
from .mixers import Mixer, bounded_pairs, causal_pairs, chunked_pairs
from .products import Product

INDEX_KEY_BYTES = 2
"""of an element of the indexer's key (vLLM's MiniMax-M3)"""


@dataclass(frozen=True)
class Attention(Mixer):
    """Grouped-query attention (arXiv 2305.13245); with `kv_heads = heads`, multi-head attention."""

    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    v_head_dim: int = 0
    """of values where it differs from that of queries and keys; 0 for `head_dim`"""
    qkv_bias: bool = False
    o_bias: bool = False
    qk_norm: bool = False
    """queries and keys are normalised by head (Qwen3)"""
    qk_norm_whole: bool = False
    """queries and keys are normalised over all heads at once (MiniMax-M2)"""
    output_gate: bool = False
    """the output is multiplied with a gate as wide as the queries (Qwen3-Next)"""
    head_gate: bool = False
    """the output of each head is multiplied with a gate of one number (Step-3.5)"""
    keys_are_values: bool = False
    """one projection gives both (full layers of Gemma 4); the cache still holds both, normalised differently"""
    sinks: bool = False
    """a learnt logit for each head stands in the softmax (gpt-oss)"""
    window_tokens: int = 0
    """each token sees the last so many; 0 for all"""
    chunk_tokens: int = 0
    """each token sees those of its own chunk of so many (Llama 4); 0 for all"""
    index_heads: int = 0
    index_head_dim: int = 0
    index_topk: int = 0
    """each token sees so many, in blocks that an indexer picks (MiniMax-M3); 0 for all"""

    @property
    def _v_dim(self) -> int:
        return self.v_head_dim or self.head_dim

    def _products(self) -> tuple[Product, ...]:
        """Queries (with their gate), keys and values in one, then the output. Equation (1)."""
        queries = self.heads * (self.head_dim + (self._v_dim if self.output_gate else 0))
        keys = self.kv_heads * (self.head_dim + (0 if self.keys_are_values else self._v_dim))
        found = [
            Product(queries + keys, self.hidden, "columns", "attention"),
            Product(self.hidden, self.heads * self._v_dim, "rows", "attention"),
        ]
        if self.head_gate:
            found.append(Product(self.heads, self.hidden, "columns", "attention"))
        if self.index_topk:
            found.append(Product((self.index_heads + 1) * self.index_head_dim, self.hidden, "columns", "indexer"))
        return tuple(found)

    @property
    def vectors(self) -> int:
        """Biases, norms of queries and keys (the indexer's too), sinks."""
        biases = self.products[0].n * self.qkv_bias + self.hidden * self.o_bias
        norms = 2 * self.head_dim * self.qk_norm + (self.heads + self.kv_heads) * self.head_dim * self.qk_norm_whole
        return biases + norms + self.heads * self.sinks + (2 * self.index_head_dim if self.index_topk else 0)

    @property
    def kv_elements(self) -> float:
        """A key and a value for each head that has its own."""
        return self.kv_heads * (self.head_dim + self._v_dim)

    @property
    def index_bytes(self) -> float:
        """The indexer's key in 16 bits."""
        return INDEX_KEY_BYTES * self.index_head_dim if self.index_topk else 0.0

    @property
    def index_flops_per_pair(self) -> float:
        """2 index_heads index_head_dim."""
        return 2.0 * self.index_heads * self.index_head_dim if self.index_topk else 0.0

    def held(self, context: Values) -> Values:
        """All, or no more than the window or the chunk."""
        bound = self.window_tokens or self.chunk_tokens
        return least(context, bound) if bound else context

    def reach(self, context: Values) -> Values:
        """As held, or what an indexer picks.

        After the first chunk the mean of a chunk's positions, since the sequences of a batch are spread over them.
        """
        if self.index_topk:
            return least(context, self.index_topk)
        if not self.chunk_tokens:
            return self.held(context)
        past = context > self.chunk_tokens
        return past * (self.chunk_tokens + 1) / 2 + (1 - past) * context

    def pairs(self, new: Values, seen: Values) -> Values:
        """Of `new` tokens after `seen` others."""
        if self.window_tokens or self.index_topk:
            return bounded_pairs(new, seen, self.window_tokens or self.index_topk)
        if self.chunk_tokens:
            return chunked_pairs(new, seen, self.chunk_tokens)
        return causal_pairs(new, seen)

    def index_pairs(self, new: Values, seen: Values) -> Values:
        """The indexer scores all."""
        return causal_pairs(new, seen) if self.index_topk else super().index_pairs(new, seen)

    def flops_per_pair(self, decoding: bool) -> float:
        """2 heads head_dim for the score, as much for the weighted sum."""
        return 2 * self.heads * (self.head_dim + self._v_dim)
