"""The network small in JAX; its weights are in small.npz."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

INPUTS = {
    "image": ((1, 3, 16, 16), "float32"),
    "bias": ((10,), "float32"),
}
OUTPUTS = (
    "scores",
    "features",
)


def load_weights() -> dict[str, Array]:
    """The weights, by name, from the file beside this one."""
    with np.load(Path(__file__).with_suffix(".npz"), allow_pickle=False) as file:
        return {name: jnp.asarray(file[name]) for name in file.files}


def conv2d(
    x: Array,
    w: Array,
    bias: Array | None = None,
    strides: tuple[int, int] = (1, 1),
    pads: tuple[int, int, int, int] = (0, 0, 0, 0),
    dilations: tuple[int, int] = (1, 1),
    groups: int = 1,
) -> Array:
    """Convolve (n, c, h, w) with (m, c / groups, kh, kw); pads: top, left, bottom, right."""
    top, left, bottom, right = pads
    y = lax.conv_general_dilated(
        x,
        w,
        window_strides=strides,
        padding=((top, bottom), (left, right)),
        rhs_dilation=dilations,
        dimension_numbers=("NCHW", "OIHW", "NCHW"),
        feature_group_count=groups,
    )
    return y if bias is None else y + bias[:, None, None]


def max_pool(
    x: Array,
    kernel: tuple[int, int],
    strides: tuple[int, int] = (1, 1),
    pads: tuple[int, int, int, int] = (0, 0, 0, 0),
) -> Array:
    """The largest element of each window of (n, c, h, w); padding never wins."""
    top, left, bottom, right = pads
    padding = ((0, 0), (0, 0), (top, bottom), (left, right))
    window = (1, 1, *kernel), (1, 1, *strides), padding
    return lax.reduce_window(x, -jnp.inf, lax.max, *window)


def average_pool(
    x: Array,
    kernel: tuple[int, int],
    strides: tuple[int, int] = (1, 1),
    pads: tuple[int, int, int, int] = (0, 0, 0, 0),
    count_pads: bool = False,
) -> Array:
    """The mean of each window of (n, c, h, w), with or without the padding in it."""
    top, left, bottom, right = pads
    padding = ((0, 0), (0, 0), (top, bottom), (left, right))
    window = (1, 1, *kernel), (1, 1, *strides), padding
    total = lax.reduce_window(x, 0.0, lax.add, *window)
    if count_pads:
        return total / (kernel[0] * kernel[1])
    ones = jnp.ones((1, 1, *x.shape[2:]), x.dtype)
    return total / lax.reduce_window(ones, 0.0, lax.add, *window)


def small(w: dict[str, Array], image: Array, bias: Array) -> tuple[Array, ...]:
    """Apply the network to image (1, 3, 16, 16), bias (10,)."""
    x = conv2d(
        image, w["conv/w"], w["conv/b"], strides=(2, 2), pads=(1, 1, 1, 1)
    )  # (1, 8, 8, 8)
    relu_1 = jax.nn.relu(x * w["bn.gain"] + w["bn.shift"])  # (1, 8, 8, 8)
    max_pool_1 = max_pool(relu_1, kernel=(3, 3), pads=(1, 1, 1, 1))  # (1, 8, 8, 8)
    x = average_pool(relu_1, kernel=(3, 3), pads=(1, 1, 1, 1))  # (1, 8, 8, 8)
    concat_1 = jnp.concatenate([max_pool_1, x], axis=1)  # (1, 16, 8, 8)
    x = concat_1.mean(axis=(2, 3), keepdims=True)  # (1, 16, 1, 1)
    x = x.reshape(1, 16)  # (1, 16)
    x = x @ w["fc/w"].T + bias  # (1, 10)
    x = jax.nn.softmax(x, axis=1)  # (1, 10)
    return x, concat_1
