"""ViT: Dosovitskiy et al., "An Image is Worth 16x16 Words" (arXiv 2010.11929), with its classifier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from .layers import attention, dense, dense_shapes, layer_norm, merge_heads, norm_shapes, split_heads

EPSILON = 1e-6


@dataclass(frozen=True)
class Config:
    """Sizes of a ViT."""

    layers: int
    width: int
    heads: int
    image: int = 224
    patch: int = 16
    classes: int = 1000

    @property
    def patches(self) -> int:
        """Patches of one image."""
        return (self.image // self.patch) ** 2


BASE = Config(layers=12, width=768, heads=12)
SMALL = Config(layers=2, width=32, heads=4, image=16, patch=4, classes=10)


def shapes(c: Config) -> dict[str, Any]:
    """The tree of weights' shapes."""
    layer = {
        "qkv": dense_shapes(c.width, 3 * c.width),
        "out": dense_shapes(c.width, c.width),
        "up": dense_shapes(c.width, 4 * c.width),
        "down": dense_shapes(4 * c.width, c.width),
        "norm1": norm_shapes(c.width),
        "norm2": norm_shapes(c.width),
    }
    return {
        "patches": dense_shapes(3 * c.patch**2, c.width),
        "first": (1, c.width),
        "positions": (c.patches + 1, c.width),
        "layers": [layer] * c.layers,
        "norm": norm_shapes(c.width),
        "head": dense_shapes(c.width, c.classes),
    }


def forward(c: Config, p: dict[str, Any], images: Array) -> Array:
    """images (b, 3, height, width) -> logits (b, classes)."""
    kernel = p["patches"]["w"].T.reshape(c.width, 3, c.patch, c.patch)
    x = jax.lax.conv(images, kernel, (c.patch, c.patch), "VALID") + p["patches"]["b"][:, None, None]
    x = x.reshape(x.shape[0], c.width, c.patches).transpose(0, 2, 1)
    first = jnp.broadcast_to(p["first"], (x.shape[0], 1, c.width))
    x = jnp.concatenate([first, x], axis=1) + p["positions"]
    for layer in p["layers"]:
        qkv = dense(layer["qkv"], layer_norm(layer["norm1"], x, EPSILON))
        q, k, v = (split_heads(part, c.heads) for part in jnp.split(qkv, 3, axis=-1))
        x = x + dense(layer["out"], merge_heads(attention(q, k, v)))
        hidden = jax.nn.gelu(dense(layer["up"], layer_norm(layer["norm2"], x, EPSILON)), approximate=False)
        x = x + dense(layer["down"], hidden)
    return dense(p["head"], layer_norm(p["norm"], x, EPSILON)[:, 0])
