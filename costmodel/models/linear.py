"""Mixers that keep a state of fixed size: Mamba-2, gated delta networks, Kimi delta attention.

Equations are numbered as in `docs/math/models.md`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .mixers import Mixer
from .products import Product

CONVOLUTION_BYTES = 2
"""of one element of a convolution's state, kept in the activations' 16 bits"""


@dataclass(frozen=True)
class Mamba2(Mixer):
    """The state-space mixer of Mamba-2 (arXiv 2405.21060, section 7), as Nemotron-H has it (arXiv 2504.03624).

    One product gives gate, input, B, C and the step sizes; a short convolution runs over input, B and C.
    """

    hidden: int
    heads: int
    head_dim: int
    state: int
    """elements of state for each channel"""
    state_groups: int
    """groups of heads that share B and C"""
    kernel: int = 4
    """taps of the convolution"""
    convolution_bias: bool = True
    element_bytes: int = 4
    """[bytes] of one element of the state"""
    kv_heads: int = field(default=0, init=False)

    @property
    def _inner(self) -> int:
        return self.heads * self.head_dim

    @property
    def _convolved(self) -> int:
        return self._inner + 2 * self.state_groups * self.state

    def _products(self) -> tuple[Product, ...]:
        return (
            Product(self._inner + self._convolved + self.heads, self.hidden, "columns", "linear"),
            Product(self.hidden, self._inner, "rows", "linear"),
        )

    @property
    def vectors(self) -> int:
        """Convolution, decay, skip and bias of the step for each head, and the gated norm."""
        convolution = self._convolved * (self.kernel + self.convolution_bias)
        return convolution + 3 * self.heads + self._inner

    @property
    def kv_parts(self) -> int:
        """By heads."""
        return self.heads

    @property
    def state_bytes(self) -> float:
        """heads head_dim state elements, and kernel - 1 inputs of the convolution."""
        convolution = self._convolved * (self.kernel - 1) * CONVOLUTION_BYTES
        return self._inner * self.state * self.element_bytes + convolution

    @property
    def flops_per_token(self) -> float:
        """For each element of state: decay, the outer product and its sum (3), the read-out (2). Equation (9)."""
        return 5.0 * self._inner * self.state + 2.0 * self._convolved * self.kernel


@dataclass(frozen=True)
class GatedDeltaNet(Mixer):
    """The gated delta rule (arXiv 2412.06464, equation 10), with the projections of Qwen3-Next and Qwen3.5."""

    hidden: int
    key_heads: int
    key_dim: int
    heads: int
    """of values"""
    head_dim: int
    """of values"""
    kernel: int = 4
    element_bytes: int = 4
    """[bytes] of one element of the state"""
    kv_heads: int = field(default=0, init=False)

    @property
    def _convolved(self) -> int:
        return 2 * self.key_heads * self.key_dim + self.heads * self.head_dim

    def _products(self) -> tuple[Product, ...]:
        """Queries, keys, values and the output's gate; decay and strength of each head; the output."""
        values = self.heads * self.head_dim
        return (
            Product(self._convolved + values, self.hidden, "columns", "linear"),
            Product(2 * self.heads, self.hidden, "columns", "linear"),
            Product(self.hidden, values, "rows", "linear"),
        )

    @property
    def vectors(self) -> int:
        """Convolution, decay and bias of each head, and the gated norm of a head."""
        return self._convolved * self.kernel + 2 * self.heads + self.head_dim

    @property
    def kv_parts(self) -> int:
        """By the heads of values."""
        return self.heads

    @property
    def state_bytes(self) -> float:
        """A key_dim x head_dim matrix for each head of values, and kernel - 1 inputs of the convolution."""
        convolution = self._convolved * (self.kernel - 1) * CONVOLUTION_BYTES
        return self.heads * self.key_dim * self.head_dim * self.element_bytes + convolution

    @property
    def flops_per_token(self) -> float:
        """Of an element of state: decay (1), the key's read (2), the correction (2), the query's (2). Equation (10)."""
        return 7.0 * self.heads * self.key_dim * self.head_dim + 2.0 * self._convolved * self.kernel


@dataclass(frozen=True)
class KimiDelta(Mixer):
    """Kimi delta attention (arXiv 2510.26692): the gated delta rule with a decay for each channel of the keys."""

    hidden: int
    heads: int
    head_dim: int
    """of keys and values, and the rank of the decay's projection"""
    kernel: int = 4
    full_gate: bool = False
    """the output's gate is one matrix, not a product of two of rank `head_dim` (Kimi K3)"""
    channel_decay: bool = False
    """the decay's scale is one for each channel of a head (Kimi K3), not one for each head"""
    element_bytes: int = 4
    """[bytes] of one element of the state"""
    kv_heads: int = field(default=0, init=False)

    @property
    def _inner(self) -> int:
        return self.heads * self.head_dim

    def _products(self) -> tuple[Product, ...]:
        """Queries, keys and values; the strength of each head; decay and gate; the output."""
        down = Product(self.head_dim, self.hidden, "whole", "linear")
        up = Product(self._inner, self.head_dim, "columns", "linear")
        gate = (Product(self._inner, self.hidden, "columns", "linear"),) if self.full_gate else (down, up)
        return (
            Product(3 * self._inner, self.hidden, "columns", "linear"),
            Product(self.heads, self.hidden, "columns", "linear"),
            *(down, up),
            *gate,
            Product(self.hidden, self._inner, "rows", "linear"),
        )

    @property
    def vectors(self) -> int:
        """Three convolutions, scale and bias of the decay, the norm of a head."""
        scales = self.head_dim if self.channel_decay else self.heads
        return 3 * self._inner * self.kernel + scales + self._inner + self.head_dim

    @property
    def kv_parts(self) -> int:
        """By heads."""
        return self.heads

    @property
    def state_bytes(self) -> float:
        """A head_dim x head_dim matrix for each head, and kernel - 1 inputs of three convolutions."""
        convolution = 3 * self._inner * (self.kernel - 1) * CONVOLUTION_BYTES
        return self._inner * self.head_dim * self.element_bytes + convolution

    @property
    def flops_per_token(self) -> float:
        """As of the gated delta rule, with keys as wide as values."""
        return 7.0 * self._inner * self.head_dim + 6.0 * self._inner * self.kernel
