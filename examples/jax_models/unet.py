"""U-Net: Ronneberger, Fischer and Brox, "U-Net: Convolutional Networks for Biomedical Image Segmentation" (1505.04597).

Convolutions are padded, so that the image keeps its size and what is joined needs no cropping.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from .weights import parameters

WAYS = ("down", "up")


@dataclass(frozen=True)
class Config:
    """Sizes of a U-Net; each of `depth` levels halves the image and doubles the channels."""

    width: int
    """channels of the first level"""
    image: int
    depth: int = 4
    classes: int = 2

    @property
    def channels(self) -> list[int]:
        """Of each level, the lowest last."""
        return [self.width << level for level in range(self.depth + 1)]


BASE = Config(width=64, image=256)
SMALL = Config(width=4, image=32)


def shapes(c: Config) -> dict[str, Any]:
    """The tree of weights' shapes; kernels as matrices (inputs * kernel, outputs), as `parameters` scales them."""
    down = [_two(before, after) for before, after in zip([1, *c.channels], c.channels, strict=False)]
    up = [{"join": (2 * n, 4 * n), "b": (n,), **_two(2 * n, n)} for n in reversed(c.channels[:-1])]
    return {"down": down, "up": up, "out": (c.width, c.classes), "b": (c.classes,)}


def weights(c: Config, seed: int = 0) -> Any:
    """Seeded; kernels before a ReLU have the variance of He et al. (1502.01852, equation 10), or signals would die."""
    tree = parameters(shapes(c), seed)
    gain = {"w1": 2**0.5, "w2": 2**0.5}
    levels = {way: [{key: gain.get(key, 1.0) * w for key, w in level.items()} for level in tree[way]] for way in WAYS}
    return {**tree, **levels}


def _two(before: int, after: int) -> dict[str, tuple[int, ...]]:
    """Shapes of two convolutions of 3 x 3."""
    return {"w1": (9 * before, after), "b1": (after,), "w2": (9 * after, after), "b2": (after,)}


def forward(c: Config, p: dict[str, Any], images: Array) -> Array:
    """images (b, 1, height, width) -> logits (b, classes, height, width)."""
    *levels, lowest = p["down"]
    x, across = images, []
    for level in levels:
        across.append(two_convolutions(level, x))
        x = jax.lax.reduce_window(across[-1], -jnp.inf, jax.lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")
    x = two_convolutions(lowest, x)
    for level, kept in zip(p["up"], reversed(across), strict=True):
        x = jnp.concatenate([kept, doubled(level, x)], axis=1)
        x = two_convolutions(level, x)
    return jnp.einsum("bchw,co->bohw", x, p["out"]) + p["b"][:, None, None]


def two_convolutions(p: dict[str, Array], x: Array) -> Array:
    """(b, c, h, w) -> (b, d, h, w)"""
    for w, b in (("w1", "b1"), ("w2", "b2")):
        kernel = p[w].T.reshape(-1, x.shape[1], 3, 3)
        x = jax.nn.relu(jax.lax.conv(x, kernel, (1, 1), "SAME") + p[b][:, None, None])
    return x


def doubled(p: dict[str, Array], x: Array) -> Array:
    """
    (b, 2n, h, w) -> (b, n, 2h, 2w): the up-convolution of 2 x 2.

    Its windows do not overlap, so it is a product for each pixel, whose results stand beside one another.
    """
    b, _, h, w = x.shape
    made = jnp.einsum("bchw,cd->bdhw", x, p["join"]).reshape(b, -1, 2, 2, h, w)
    return made.transpose(0, 1, 4, 2, 5, 3).reshape(b, -1, 2 * h, 2 * w) + p["b"][:, None, None]
