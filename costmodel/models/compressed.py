"""Attention over a window and, beyond it, over tokens that were compressed into fewer entries (DeepSeek-V4).

Equations are numbered as in `docs/math/models.md`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .elementwise import Values, least
from .latent import INDEX_SCALE_BYTES
from .mixers import Mixer, bounded_pairs, causal_pairs
from .products import Product

OVERLAPPING = 4
"""the ratio at which windows of the compressor overlap, which doubles its width, and at which an indexer picks"""
BUFFER_BYTES = 4
"""of an element that waits for its window to be full, kept in fp32"""


@dataclass(frozen=True)
class CompressedAttention(Mixer):
    """Attention of DeepSeek-V4 (its report, section 2.3; `modular_deepseek_v4.py` of transformers).

    One head of keys that are the values too. A token sees the last `window_tokens` and entries that stand for `ratio`
    tokens each: all of them, or with the ratio of 4 the best `index_topk` of an indexer. Ratio 0: the window alone.
    """

    hidden: int
    heads: int
    head_dim: int
    q_latent: int
    o_groups: int
    """groups of heads whose outputs are projected apart, each to `o_latent` elements"""
    o_latent: int
    window_tokens: int
    ratio: int = 0
    index_heads: int = 0
    index_head_dim: int = 0
    index_topk: int = 0
    kv_heads: int = field(default=1, init=False)

    @property
    def _indexed(self) -> bool:
        return self.ratio == OVERLAPPING

    @property
    def _overlap(self) -> int:
        return 2 if self._indexed else 1

    def _products(self) -> tuple[Product, ...]:
        """Queries over a latent vector, the shared key, the output in groups, the compressor, the indexer."""
        width = self.heads * self.head_dim
        found = [
            Product(self.q_latent + self.head_dim, self.hidden, "whole", "attention"),
            Product(width, self.q_latent, "columns", "attention"),
            Product(self.o_groups * self.o_latent, width // self.o_groups, "columns", "attention"),
            Product(self.hidden, self.o_groups * self.o_latent, "rows", "attention"),
        ]
        if self.ratio:
            found.append(Product(2 * self._overlap * self.head_dim, self.hidden, "whole", "attention"))
        if self._indexed:
            keys = 2 * self._overlap * self.index_head_dim + self.index_heads
            found.append(Product(self.index_heads * self.index_head_dim, self.q_latent, "whole", "indexer"))
            found.append(Product(keys, self.hidden, "whole", "indexer"))
        return tuple(found)

    @property
    def vectors(self) -> int:
        """Norms of the latent vector and the key, sinks; of the compressors, biases by position and norms."""
        compressed = self.ratio * self._overlap * self.head_dim + self.head_dim if self.ratio else 0
        indexed = self.ratio * self._overlap * self.index_head_dim + self.index_head_dim if self._indexed else 0
        return self.q_latent + self.head_dim + self.heads + compressed + indexed

    @property
    def kv_elements(self) -> float:
        """The key, which is the value."""
        return self.head_dim

    @property
    def growth(self) -> float:
        """One entry for `ratio` tokens; where there is only the window, as layers with a window count."""
        return 1 / self.ratio if self.ratio else 1.0

    @property
    def index_bytes(self) -> float:
        """The indexer's compressed key in fp8 with its scale, one for `ratio` tokens."""
        return (self.index_head_dim + INDEX_SCALE_BYTES) / self.ratio if self._indexed else 0.0

    @property
    def index_flops_per_pair(self) -> float:
        """2 index_heads index_head_dim."""
        return 2.0 * self.index_heads * self.index_head_dim if self._indexed else 0.0

    @property
    def state_bytes(self) -> float:
        """Keys and gates of the window that the compressors are filling."""
        width = self.head_dim + (self.index_head_dim if self._indexed else 0)
        return 2.0 * self.ratio * self._overlap**2 * width * BUFFER_BYTES

    def held(self, context: Values) -> Values:
        """The window, and an entry for `ratio` tokens. Equation (7)."""
        window = least(context, self.window_tokens)
        return window + context / self.ratio if self.ratio else window

    def reach(self, context: Values) -> Values:
        """The window, and all entries or those that the indexer picks. Equation (8)."""
        window = least(context, self.window_tokens)
        if not self.ratio:
            return window
        return window + (least(context / self.ratio, self.index_topk) if self._indexed else context / self.ratio)

    def pairs(self, new: Values, seen: Values) -> Values:
        """With the window's keys and with entries."""
        window = bounded_pairs(new, seen, self.window_tokens)
        if not self.ratio:
            return window
        if self._indexed:
            return window + bounded_pairs(new, seen, self.index_topk * self.ratio) / self.ratio
        return window + causal_pairs(new, seen) / self.ratio

    def index_pairs(self, new: Values, seen: Values) -> Values:
        """The indexer scores all entries."""
        return causal_pairs(new, seen) / self.ratio if self._indexed else super().index_pairs(new, seen)

    def flops_per_pair(self, decoding: bool) -> float:
        """2 heads head_dim for the score, as much for the weighted sum."""
        return 4 * self.heads * self.head_dim
