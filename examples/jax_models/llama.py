"""
Blocks of Llama (Touvron et al., arXiv 2302.13971; grouped queries: Ainslie et al., arXiv 2305.13245) and of Mixtral
(Jiang et al., "Mixtral of Experts", arXiv 2401.04088), with a cache of keys and values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from .layers import attention, causal, merge_heads, rms_norm, split_heads

EPSILON = 1e-5


@dataclass(frozen=True)
class Config:
    """Sizes of one block; `experts` 0 is Llama's dense feed-forward layer."""

    width: int
    heads: int
    kv_heads: int
    hidden: int
    experts: int = 0
    active: int = 2
    theta: float = 500000.0

    @property
    def head(self) -> int:
        """Width of a head."""
        return self.width // self.heads


LLAMA_8B = Config(width=4096, heads=32, kv_heads=8, hidden=14336)
MIXTRAL_8X7B = Config(width=4096, heads=32, kv_heads=8, hidden=14336, experts=8, theta=1e6)
SMALL = Config(width=32, heads=4, kv_heads=2, hidden=48)
SMALL_EXPERTS = Config(width=32, heads=4, kv_heads=2, hidden=48, experts=4)

Cache = tuple[Array, Array]
"""Keys and values so far, (b, kv_heads, s, head) each."""


def shapes(c: Config) -> dict[str, Any]:
    """The tree of weights' shapes of one block."""
    kv = c.kv_heads * c.head
    attention_shapes = {"q": (c.width, c.width), "k": (c.width, kv), "v": (c.width, kv), "out": (c.width, c.width)}
    norms = {"norm1_scale": (c.width,), "norm2_scale": (c.width,)}
    up, down = (c.width, c.hidden), (c.hidden, c.width)
    if not c.experts:
        return {**attention_shapes, **norms, "gate": up, "up": up, "down": down}
    each = {"gate": (c.experts, *up), "up": (c.experts, *up), "down": (c.experts, *down)}
    return {**attention_shapes, **norms, **each, "router": (c.width, c.experts)}


def forward(c: Config, p: dict[str, Any], x: Array, cache: Cache | None = None) -> tuple[Array, Cache]:
    """x (b, s, d), the hidden states after those in `cache` -> (b, s, d) and the longer cache."""
    before = 0 if cache is None else cache[0].shape[2]
    normed = rms_norm(p["norm1_scale"], x, EPSILON)
    positions = jnp.arange(before, before + x.shape[1])
    q = rotated(split_heads(normed @ p["q"], c.heads), positions, c.theta)
    k = rotated(split_heads(normed @ p["k"], c.kv_heads), positions, c.theta)
    v = split_heads(normed @ p["v"], c.kv_heads)
    if cache is not None:
        k, v = jnp.concatenate([cache[0], k], axis=2), jnp.concatenate([cache[1], v], axis=2)
    group = c.heads // c.kv_heads
    seen = attention(q, jnp.repeat(k, group, axis=1), jnp.repeat(v, group, axis=1), causal(x.shape[1], k.shape[2]))
    x = x + merge_heads(seen) @ p["out"]
    normed = rms_norm(p["norm2_scale"], x, EPSILON)
    return x + (experts(c, p, normed) if c.experts else swiglu(p, normed)), (k, v)


def rotated(x: Array, positions: Array, theta: float) -> Array:
    """Su et al., "RoFormer" (arXiv 2104.09864), with halves instead of pairs; x (b, h, s, k)."""
    half = x.shape[-1] // 2
    angles = positions[:, None] * theta ** (-jnp.arange(half) / half)
    cos, sin = jnp.cos(angles), jnp.sin(angles)
    left, right = x[..., :half], x[..., half:]
    return jnp.concatenate([left * cos - right * sin, right * cos + left * sin], axis=-1)


def swiglu(p: dict[str, Any], x: Array) -> Array:
    """Shazeer, "GLU Variants Improve Transformer" (arXiv 2002.05202), equation 6."""
    return (jax.nn.silu(x @ p["gate"]) * (x @ p["up"])) @ p["down"]


def experts(c: Config, p: dict[str, Any], x: Array) -> Array:
    """The `active` experts of the largest logits, weighted by the softmax of these; each computes every token here."""
    logits, chosen = jax.lax.top_k(x @ p["router"], c.active)
    weights = jnp.sum(jax.nn.one_hot(chosen, c.experts) * jax.nn.softmax(logits, axis=-1)[..., None], axis=-2)
    hidden = jax.nn.silu(jnp.einsum("bsd,edh->ebsh", x, p["gate"])) * jnp.einsum("bsd,edh->ebsh", x, p["up"])
    return jnp.einsum("ebsh,ehd,bse->bsd", hidden, p["down"], weights)
