"""The layers of emitted JAX code: each is copied, as it stands here, into the sources that call it."""

import jax.numpy as jnp
from jax import Array, lax


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


def batch_norm(
    x: Array,
    scale: Array,
    bias: Array,
    mean: Array,
    variance: Array,
    epsilon: float,
) -> Array:
    """Normalise each channel c of (n, c, ...) by statistics of the training."""
    gain = scale * lax.rsqrt(variance + epsilon)
    shape = (-1,) + (1,) * (x.ndim - 2)
    return x * gain.reshape(shape) + (bias - mean * gain).reshape(shape)
