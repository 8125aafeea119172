"""BERT, encoder and pooler: Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers" (1810.04805)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from .layers import attention, dense, dense_shapes, layer_norm, merge_heads, norm_shapes, split_heads

EPSILON = 1e-12


@dataclass(frozen=True)
class Config:
    """Sizes of a BERT."""

    layers: int
    width: int
    heads: int
    vocabulary: int = 30522
    positions: int = 512

    @property
    def hidden(self) -> int:
        """Width of the feed-forward layer."""
        return 4 * self.width


BASE = Config(layers=12, width=768, heads=12)
SMALL = Config(layers=2, width=32, heads=4, vocabulary=50, positions=16)


def shapes(c: Config) -> dict[str, Any]:
    """The tree of weights' shapes."""
    layer = {name: dense_shapes(c.width, c.width) for name in ("query", "key", "value", "out")}
    layer |= {"up": dense_shapes(c.width, c.hidden), "down": dense_shapes(c.hidden, c.width)}
    layer |= {"attention_norm": norm_shapes(c.width), "output_norm": norm_shapes(c.width)}
    return {
        "words": (c.vocabulary, c.width),
        "positions": (c.positions, c.width),
        "kinds": (2, c.width),
        "norm": norm_shapes(c.width),
        "layers": [layer] * c.layers,
        "pooler": dense_shapes(c.width, c.width),
    }


def forward(c: Config, p: dict[str, Any], tokens: Array) -> tuple[Array, Array]:
    """tokens (b, s) -> hidden states (b, s, d) and the pooled first one (b, d)."""
    x = p["words"][tokens] + p["positions"][: tokens.shape[1]] + p["kinds"][0]
    x = layer_norm(p["norm"], x, EPSILON)
    for layer in p["layers"]:
        q, k, v = (split_heads(dense(layer[name], x), c.heads) for name in ("query", "key", "value"))
        x = layer_norm(layer["attention_norm"], x + dense(layer["out"], merge_heads(attention(q, k, v))), EPSILON)
        hidden = jax.nn.gelu(dense(layer["up"], x), approximate=False)
        x = layer_norm(layer["output_norm"], x + dense(layer["down"], hidden), EPSILON)
    return x, jnp.tanh(dense(p["pooler"], x[:, 0]))
