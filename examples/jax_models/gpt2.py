"""GPT-2: Radford et al., "Language Models are Unsupervised Multitask Learners" (2019)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
from jax import Array

from .layers import attention, causal, dense, dense_shapes, layer_norm, merge_heads, norm_shapes, split_heads

EPSILON = 1e-5


@dataclass(frozen=True)
class Config:
    """Sizes of a GPT-2."""

    layers: int
    width: int
    heads: int
    vocabulary: int = 50257
    positions: int = 1024


BASE = Config(layers=12, width=768, heads=12)
SMALL = Config(layers=2, width=32, heads=4, vocabulary=50, positions=16)


def shapes(c: Config) -> dict[str, Any]:
    """The tree of weights' shapes; the head is the transpose of the words."""
    layer = {
        "qkv": dense_shapes(c.width, 3 * c.width),
        "out": dense_shapes(c.width, c.width),
        "up": dense_shapes(c.width, 4 * c.width),
        "down": dense_shapes(4 * c.width, c.width),
        "norm1": norm_shapes(c.width),
        "norm2": norm_shapes(c.width),
    }
    return {
        "words": (c.vocabulary, c.width),
        "positions": (c.positions, c.width),
        "layers": [layer] * c.layers,
        "norm": norm_shapes(c.width),
    }


def forward(c: Config, p: dict[str, Any], tokens: Array) -> Array:
    """tokens (b, s) -> logits (b, s, vocabulary)."""
    length = tokens.shape[1]
    x = p["words"][tokens] + p["positions"][:length]
    for layer in p["layers"]:
        qkv = dense(layer["qkv"], layer_norm(layer["norm1"], x, EPSILON))
        q, k, v = (split_heads(qkv[..., i * c.width : (i + 1) * c.width], c.heads) for i in range(3))
        x = x + dense(layer["out"], merge_heads(attention(q, k, v, causal(length, length))))
        x = x + dense(layer["down"], jax.nn.gelu(dense(layer["up"], layer_norm(layer["norm2"], x, EPSILON))))
    return layer_norm(p["norm"], x, EPSILON) @ p["words"].T
