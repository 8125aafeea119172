"""Feed-forward networks of a layer: one for every token, or a mixture of experts.

Equations are numbered as in `docs/math/models.md`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import cached_property

from .elementwise import Values
from .products import Kind, Product, parameters_of


class FeedForward(ABC):
    """What every token passes, and experts of which it takes some."""

    experts: int
    experts_per_token: int

    @cached_property
    def products(self) -> tuple[Product, ...]:
        """The weight matrices that every token is multiplied with."""
        return self._products()

    @abstractmethod
    def _products(self) -> tuple[Product, ...]: ...

    @property
    @abstractmethod
    def vectors(self) -> int:
        """Parameters that are no matrix, besides those of the routed experts."""

    @property
    @abstractmethod
    def width(self) -> int:
        """Intermediate elements that one token makes, over all networks it passes."""

    @cached_property
    def expert_products(self) -> tuple[Product, ...]:
        """The weight matrices of one routed expert."""
        return self._expert_products()

    def _expert_products(self) -> tuple[Product, ...]:
        return ()

    @property
    def expert_vectors(self) -> int:
        """Biases of one routed expert."""
        return 0

    @cached_property
    def expert_parameters(self) -> int:
        """Of one routed expert."""
        return parameters_of(self.expert_products) + self.expert_vectors

    def parameters_with(self, experts: float) -> float:
        """Of what every token passes, with so many of the routed experts."""
        return parameters_of(self.products) + self.vectors + experts * self.expert_parameters

    @cached_property
    def parameters(self) -> int:
        """All weights."""
        return int(self.parameters_with(self.experts))

    @cached_property
    def active_parameters(self) -> int:
        """Of what one token passes."""
        return int(self.parameters_with(self.experts_per_token))

    def distinct_experts(self, tokens: Values) -> Values:
        """Expected number of routed experts that a batch of `tokens` touches. Equation (11).

        E (1 - (1 - k/E)^tokens): each token picks k of E evenly. 0 for a network without.
        """
        if not self.experts:
            return tokens * 0.0
        return self.experts * (1 - (1 - self.experts_per_token / self.experts) ** tokens)


@dataclass(frozen=True)
class NoNetwork(FeedForward):
    """A layer without one: of a network that alternates (Nemotron-H), or cut away by a search (Nemotron-NAS)."""

    experts: int = field(default=0, init=False)
    experts_per_token: int = field(default=0, init=False)

    def _products(self) -> tuple[Product, ...]:
        return ()

    @property
    def vectors(self) -> int:
        """None."""
        return 0

    @property
    def width(self) -> int:
        """None."""
        return 0


def _matrices(hidden: int, ffn: int, gated: bool, kind: Kind) -> tuple[Product, ...]:
    """Gate and up in one where it is gated, then down."""
    up = Product(ffn * (2 if gated else 1), hidden, "columns", kind)
    return (up, Product(hidden, ffn, "rows", kind))


@dataclass(frozen=True)
class Dense(FeedForward):
    """One network for every token; gated (arXiv 2002.05202) unless said otherwise."""

    hidden: int
    ffn: int
    gated: bool = True
    ffn_bias: bool = False
    experts: int = field(default=0, init=False)
    experts_per_token: int = field(default=0, init=False)

    def _products(self) -> tuple[Product, ...]:
        """Gate and up, then down."""
        return _matrices(self.hidden, self.ffn, self.gated, "network")

    @property
    def vectors(self) -> int:
        """Biases."""
        return sum(product.n for product in self.products) if self.ffn_bias else 0

    @property
    def width(self) -> int:
        """As wide as the network."""
        return self.ffn


@dataclass(frozen=True)
class Mixture(FeedForward):
    """Routed experts of width `ffn`, of which a token takes `experts_per_token`, and shared ones that all take."""

    hidden: int
    ffn: int
    experts: int
    experts_per_token: int
    shared_experts: int = 0
    shared_ffn: int = 0
    """width of each shared expert; 0 for `ffn`"""
    gated: bool = True
    ffn_bias: bool = False
    """the routed experts and the router have biases (gpt-oss)"""
    router_correction: bool = False
    """one number for each expert that balances the picks (DeepSeek-V3)"""
    shared_gate: bool = False
    """the shared experts' output is multiplied with a gate of one number (Qwen3-Next)"""
    router_scale: bool = False
    """the router scales its input and the experts' outputs by learnt numbers (Gemma 4)"""
    expert_hidden: int = 0
    """width of the vectors that routed experts take and give, with projections to and from it; 0 for `hidden`"""
    expert_norm: bool = False
    """the experts' sum is normalised before it is projected back (Kimi K3)"""

    def _products(self) -> tuple[Product, ...]:
        """Router, shared experts as one network, their gate, projections to and from the routed experts."""
        found = [Product(self.experts, self.hidden, "whole", "router")]
        if self.shared_experts:
            found += _matrices(self.hidden, self._shared_width, self.gated, "shared")
        if self.shared_gate:
            found.append(Product(1, self.hidden, "whole", "router"))
        if self.expert_hidden:
            found.append(Product(self.expert_hidden, self.hidden, "whole", "shared"))
            found.append(Product(self.hidden, self.expert_hidden, "whole", "shared"))
        return tuple(found)

    @property
    def _shared_width(self) -> int:
        return self.shared_experts * (self.shared_ffn or self.ffn)

    @property
    def vectors(self) -> int:
        """The router's biases and scales, and the norm of the experts' sum."""
        scales = (self.hidden + self.experts) * self.router_scale + self.expert_hidden * self.expert_norm
        return self.experts * (self.ffn_bias + self.router_correction) + scales

    def _expert_products(self) -> tuple[Product, ...]:
        """Gate and up, then down."""
        return _matrices(self.expert_hidden or self.hidden, self.ffn, self.gated, "expert")

    @property
    def expert_vectors(self) -> int:
        """Biases."""
        return sum(product.n for product in self.expert_products) if self.ffn_bias else 0

    @property
    def width(self) -> int:
        """Of the experts that a token takes, and the shared ones."""
        return self.experts_per_token * self.ffn + self._shared_width
