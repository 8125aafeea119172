"""Layers that several networks share. Shapes: b batch, s sequence, d width, h heads, k width of a head."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array


def dense(p: dict[str, Any], x: Array) -> Array:
    """(..., d) -> (..., e)"""
    return x @ p["w"] + p["b"]


def dense_shapes(inputs: int, outputs: int) -> dict[str, tuple[int, ...]]:
    """Shapes of a dense layer with bias."""
    return {"w": (inputs, outputs), "b": (outputs,)}


def layer_norm(p: dict[str, Any], x: Array, epsilon: float) -> Array:
    """Ba, Kiros and Hinton, "Layer Normalization", equation 4."""
    mean = x.mean(-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(-1, keepdims=True)
    return (x - mean) * jax.lax.rsqrt(variance + epsilon) * p["scale"] + p["bias"]


def norm_shapes(width: int) -> dict[str, tuple[int, ...]]:
    """Shapes of a layer norm."""
    return {"scale": (width,), "bias": (width,)}


def rms_norm(scale: Array, x: Array, epsilon: float) -> Array:
    """Zhang and Sennrich, "Root Mean Square Layer Normalization", equation 4."""
    return x * jax.lax.rsqrt((x * x).mean(-1, keepdims=True) + epsilon) * scale


def split_heads(x: Array, heads: int) -> Array:
    """(b, s, h * k) -> (b, h, s, k)"""
    b, s, width = x.shape
    return x.reshape(b, s, heads, width // heads).transpose(0, 2, 1, 3)


def merge_heads(x: Array) -> Array:
    """(b, h, s, k) -> (b, s, h * k)"""
    b, h, s, k = x.shape
    return x.transpose(0, 2, 1, 3).reshape(b, s, h * k)


def attention(q: Array, k: Array, v: Array, mask: Array | None = None) -> Array:
    """Vaswani et al., "Attention Is All You Need", equation 1; q, k, v: (b, h, s, k); mask (s, t), true where seen."""
    scores = jnp.einsum("bhsk,bhtk->bhst", q, k) / q.shape[-1] ** 0.5
    if mask is not None:
        scores = jnp.where(mask, scores, jnp.finfo(scores.dtype).min)
    return jnp.einsum("bhst,bhtk->bhsk", jax.nn.softmax(scores, axis=-1), v)


def causal(queries: int, keys: int) -> Array:
    """(queries, keys): query i, the last queries of `keys` positions, sees the keys up to its own."""
    return jnp.arange(keys)[None, :] <= jnp.arange(queries)[:, None] + keys - queries
