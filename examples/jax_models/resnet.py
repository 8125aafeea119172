"""
ResNet-50: He et al., "Deep Residual Learning for Image Recognition" (arXiv 1512.03385), table 1, with the strides in
the 3 x 3 convolutions.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

EPSILON = 1e-5
BLOCKS = (3, 4, 6, 3)
"""bottlenecks in each stage"""


def parameters(seed: int = 0, classes: int = 1000) -> dict[str, Any]:
    """Filters of variance 2 / inputs, and batch norms near the identity."""
    rng = np.random.default_rng(seed)

    def conv(inputs: int, outputs: int, size: int, gain: float = 2.0) -> dict[str, Array]:
        drawn = rng.standard_normal((outputs, inputs, size, size), dtype=np.float32)
        near = 1 + 0.1 * rng.standard_normal((2, outputs), dtype=np.float32)
        shift = 0.1 * rng.standard_normal((2, outputs), dtype=np.float32)
        w = drawn * (gain / (inputs * size * size)) ** 0.5
        names = ("w", "scale", "variance", "bias", "mean")
        return dict(zip(names, map(jnp.asarray, (w, near[0], near[1] ** 2, shift[0], shift[1])), strict=True))

    def block(inputs: int, width: int, first: bool) -> dict[str, Any]:
        made = {"a": conv(inputs, width, 1), "b": conv(width, width, 3), "c": conv(width, 4 * width, 1, gain=0.2)}
        return made | ({"side": conv(inputs, 4 * width, 1, gain=1.0)} if first else {})

    stages, inputs = [], 64
    for count, width in zip(BLOCKS, (64, 128, 256, 512), strict=True):
        stages.append([block(inputs if i == 0 else 4 * width, width, i == 0) for i in range(count)])
        inputs = 4 * width
    drawn = rng.standard_normal((inputs, classes), dtype=np.float32) * inputs**-0.5
    return {"stem": conv(3, 64, 7), "stages": stages, "head": jnp.asarray(drawn)}


def forward(p: dict[str, Any], images: Array) -> Array:
    """images (n, 3, h, w) -> logits (n, classes)."""
    x = jax.nn.relu(conv_norm(p["stem"], images, stride=2, pad=3))
    around = ((0, 0), (0, 0), (1, 1), (1, 1))
    x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 1, 3, 3), (1, 1, 2, 2), around)
    for number, stage in enumerate(p["stages"]):
        for place, layer in enumerate(stage):
            x = bottleneck(layer, x, stride=2 if number > 0 and place == 0 else 1)
    return x.mean(axis=(2, 3)) @ p["head"]


def bottleneck(p: dict[str, Any], x: Array, stride: int) -> Array:
    """1 x 1, 3 x 3 and 1 x 1, beside the identity or a projection."""
    y = jax.nn.relu(conv_norm(p["a"], x))
    y = jax.nn.relu(conv_norm(p["b"], y, stride=stride, pad=1))
    side = conv_norm(p["side"], x, stride=stride) if "side" in p else x
    return jax.nn.relu(conv_norm(p["c"], y) + side)


def conv_norm(p: dict[str, Array], x: Array, stride: int = 1, pad: int = 0) -> Array:
    """A convolution and a batch norm with the statistics of the training."""
    x = lax.conv_general_dilated(x, p["w"], (stride, stride), ((pad, pad), (pad, pad)))
    gain = p["scale"] * lax.rsqrt(p["variance"] + EPSILON)
    return x * gain[:, None, None] + (p["bias"] - p["mean"] * gain)[:, None, None]
