"""What all token mixers of a layer answer: their weights, what they cache, and what a new token reads of it.

Equations are numbered as in `docs/math/models.md`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import cached_property

from .elementwise import Values, least, most
from .products import Product, parameters_of


class Mixer(ABC):
    """Attention of some kind, or a recurrence; the defaults are those of one that caches nothing.

    Work on the cache of a step is `pairs x flops_per_pair` and `index_pairs x index_flops_per_pair`, on the state
    `tokens x flops_per_token`; products with weights come on top.
    """

    heads: int
    """query heads, as the kernel sees them"""
    kv_heads: int
    head_dim: int

    @cached_property
    def products(self) -> tuple[Product, ...]:
        """The weight matrices."""
        return self._products()

    @abstractmethod
    def _products(self) -> tuple[Product, ...]: ...

    @property
    @abstractmethod
    def vectors(self) -> int:
        """Parameters that are no matrix: norms, biases, convolutions."""

    @cached_property
    def parameters(self) -> int:
        """All weights."""
        return parameters_of(self.products) + self.vectors

    @property
    def kv_elements(self) -> float:
        """Elements of cache for each token that is held."""
        return 0.0

    @property
    def growth(self) -> float:
        """Entries of the cache for each token of a long context."""
        return 1.0

    @property
    def index_bytes(self) -> float:
        """[bytes] for each token of context that an indexer keeps besides, whatever the cache's precision."""
        return 0.0

    @property
    def state_bytes(self) -> float:
        """[bytes] kept for a sequence whatever its length: recurrent and convolution states."""
        return 0.0

    @property
    def flops_per_token(self) -> float:
        """Of updating and reading the state."""
        return 0.0

    @property
    def index_flops_per_pair(self) -> float:
        """Of scoring one (query, key) pair in an indexer."""
        return 0.0

    @property
    def kv_parts(self) -> int:
        """Over how many devices of a tensor-parallel group the cache can be split."""
        return max(1, self.kv_heads)

    def held(self, context: Values) -> Values:
        """Tokens whose cache is kept of a sequence of `context` tokens."""
        return context * 0.0

    def reach(self, context: Values) -> Values:
        """Cached tokens that a new token reads after `context` others."""
        return self.held(context)

    def pairs(self, new: Values, seen: Values) -> Values:
        """(query, key) pairs of `new` tokens after `seen` others."""
        return (new + seen) * 0.0

    def index_pairs(self, new: Values, seen: Values) -> Values:
        """(query, key) pairs that an indexer scores."""
        return (new + seen) * 0.0

    def flops_per_pair(self, decoding: bool) -> float:
        """Of one pair: its score and its part of the weighted sum."""
        return 0.0


@dataclass(frozen=True)
class NoMixer(Mixer):
    """A layer without one: of a network that alternates (Nemotron-H), or cut away by a search (Nemotron-NAS)."""

    heads: int = field(default=0, init=False)
    kv_heads: int = field(default=0, init=False)
    head_dim: int = field(default=0, init=False)

    def _products(self) -> tuple[Product, ...]:
        return ()

    @property
    def vectors(self) -> int:
        """None."""
        return 0


def causal_pairs(new: Values, seen: Values) -> Values:
    """Pairs where each token sees itself and all before it: new seen + new (new + 1) / 2. Equation (2)."""
    return new * seen + new * (new + 1) / 2


def bounded_pairs(new: Values, seen: Values, bound: float) -> Values:
    """Pairs where no token has more than `bound`: the window's last ones, or an indexer's best ones. Equation (3)."""
    free = least(new, most(0.0, bound - seen))
    return free * seen + free * (free + 1) / 2 + (new - free) * least(bound, seen + new)


def chunked_pairs(new: Values, seen: Values, chunk: float) -> Values:
    """Pairs where each token sees itself and those before it in the same chunk of `chunk` tokens. Equation (4)."""

    def up_to(tokens: Values) -> Values:
        full = tokens // chunk
        rest = tokens - full * chunk
        return full * chunk * (chunk + 1) / 2 + rest * (rest + 1) / 2

    return up_to(seen + new) - up_to(seen)
