"""Multi-head latent attention, whole or over the tokens that an indexer picks.

Equations are numbered as in `docs/math/models.md`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .elementwise import Values, least
from .mixers import Mixer, bounded_pairs, causal_pairs
from .products import Product

INDEX_SCALE_BYTES = 4
"""one fp32 scale for the key of an indexer, which is kept in fp8 (DeepSeek-V3.2-Exp, `inference/model.py`)"""


@dataclass(frozen=True)
class LatentAttention(Mixer):
    """Multi-head latent attention (arXiv 2405.04434, section 2.1): one cached vector for all heads.

    With `index_topk` it is DeepSeek sparse attention (DeepSeek-V3.2-Exp report, section 2): an indexer of
    `index_heads` small heads scores all tokens, and attention is over the best `index_topk`.
    """

    hidden: int
    heads: int
    head_dim: int
    """of queries and keys, `rope_dim` of it with rotary positions"""
    rope_dim: int
    v_head_dim: int
    kv_latent: int
    q_latent: int = 0
    """0 where queries come straight from the hidden vector"""
    index_heads: int = 0
    index_head_dim: int = 0
    index_topk: int = 0
    index_shared: bool = False
    """the picks are those of an earlier layer; this one has no indexer of its own (GLM-5.2)"""
    output_gate: bool = False
    """the output is multiplied with a gate as wide as all heads' values, straight from the hidden vector"""

    kv_heads: int = field(default=1, init=False)
    """the latent vector serves all heads"""

    def _products(self) -> tuple[Product, ...]:
        """Down to the latent vectors, up to the heads, the output, and the indexer's. Equation (5)."""
        nope = self.head_dim - self.rope_dim
        q_up = Product(self.heads * self.head_dim, self.q_latent or self.hidden, "columns", "attention")
        kv_up = Product(self.heads * (nope + self.v_head_dim), self.kv_latent, "columns", "attention")
        down = Product(self.q_latent + self.kv_latent + self.rope_dim, self.hidden, "whole", "attention")
        out = Product(self.hidden, self.heads * self.v_head_dim, "rows", "attention")
        gate = (Product(self.heads * self.v_head_dim, self.hidden, "columns", "attention"),) * self.output_gate
        return (down, q_up, kv_up, out, *gate, *self._indexer)

    @property
    def _indexer(self) -> tuple[Product, ...]:
        """Queries from the latent vector; one key for all heads and the heads' weights from the hidden vector."""
        if not self.index_topk or self.index_shared:
            return ()
        return (
            Product(self.index_heads * self.index_head_dim, self.q_latent or self.hidden, "whole", "indexer"),
            Product(self.index_head_dim + self.index_heads, self.hidden, "whole", "indexer"),
        )

    @property
    def vectors(self) -> int:
        """Norms of the latent vectors; scale and shift of the indexer's keys."""
        return self.q_latent + self.kv_latent + (2 * self.index_head_dim if self._indexer else 0)

    @property
    def kv_elements(self) -> float:
        """The latent vector and the rotary part of the key, once for all heads."""
        return self.kv_latent + self.rope_dim

    @property
    def index_bytes(self) -> float:
        """The indexer's key in fp8 with its scale."""
        return self.index_head_dim + INDEX_SCALE_BYTES if self._indexer else 0.0

    @property
    def index_flops_per_pair(self) -> float:
        """2 index_heads index_head_dim."""
        return 2.0 * self.index_heads * self.index_head_dim if self._indexer else 0.0

    def held(self, context: Values) -> Values:
        """All: an indexer may pick any of them."""
        return context

    def reach(self, context: Values) -> Values:
        """All, or those that the indexer picks."""
        return least(context, self.index_topk) if self.index_topk else context

    def pairs(self, new: Values, seen: Values) -> Values:
        """Of `new` tokens after `seen` others, each with no more than the indexer picks."""
        return bounded_pairs(new, seen, self.index_topk) if self.index_topk else causal_pairs(new, seen)

    def index_pairs(self, new: Values, seen: Values) -> Values:
        """The indexer scores all."""
        return causal_pairs(new, seen) if self._indexer else super().index_pairs(new, seen)

    def flops_per_pair(self, decoding: bool) -> float:
        """Equation (6): 2 heads (head_dim + v_head_dim) with keys and values expanded, as engines prefill.

        2 heads (2 kv_latent + rope_dim) on the latent vectors themselves, as they decode; sparse attention always.
        """
        latent = decoding or self.index_topk
        width = 2 * self.kv_latent + self.rope_dim if latent else self.head_dim + self.v_head_dim
        return 2 * self.heads * width
