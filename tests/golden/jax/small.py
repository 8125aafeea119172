"""The network small in JAX; its weights are in small.safetensors."""

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


def load_weights(path: Path | None = None) -> dict[str, Array]:
    """The weights, by name, from the file at `path`, or the one called as this one."""
    from weights_file import read_safetensors

    arrays = read_safetensors(path or Path(__file__).with_suffix(".safetensors"))
    return {name: jnp.asarray(array) for name, array in arrays.items()}


def conv(
    x: Array,
    w: Array,
    bias: Array | None = None,
    strides: tuple[int, ...] = (),
    pads: tuple[int, ...] = (),
    dilations: tuple[int, ...] = (),
    groups: int = 1,
) -> Array:
    """Convolve (n, c, ...) with (m, c / groups, ...); pads: all before, all after."""
    rank = x.ndim - 2
    pads = pads or (0,) * (2 * rank)
    y = lax.conv_general_dilated(
        x,
        w,
        window_strides=strides or (1,) * rank,
        padding=tuple(zip(pads[:rank], pads[rank:], strict=True)),
        rhs_dilation=dilations or (1,) * rank,
        feature_group_count=groups,
        preferred_element_type=jnp.float32,
    )
    y = y if bias is None else y + bias.reshape(-1, *(1,) * rank)
    return y.astype(x.dtype)


def max_pool(
    x: Array,
    kernel: tuple[int, ...],
    strides: tuple[int, ...] = (),
    pads: tuple[int, ...] = (),
    dilations: tuple[int, ...] = (),
) -> Array:
    """The largest element of each window of (n, c, ...); padding never wins."""
    rank = x.ndim - 2
    pads = pads or (0,) * (2 * rank)
    real = jnp.issubdtype(x.dtype, jnp.floating)
    return lax.reduce_window(
        x,
        np.array(-np.inf if real else jnp.iinfo(x.dtype).min, x.dtype),
        lax.max,
        window_dimensions=(1, 1, *kernel),
        window_strides=(1, 1, *(strides or (1,) * rank)),
        padding=((0, 0), (0, 0), *zip(pads[:rank], pads[rank:], strict=True)),
        window_dilation=(1, 1, *(dilations or (1,) * rank)),
    )


def average_pool(
    x: Array,
    kernel: tuple[int, ...],
    strides: tuple[int, ...] = (),
    pads: tuple[int, ...] = (),
    dilations: tuple[int, ...] = (),
    count_pads: bool = False,
) -> Array:
    """The mean of each window of (n, c, ...), with or without the padding in it."""
    rank = x.ndim - 2
    pads = pads or (0,) * (2 * rank)
    window = {
        "window_dimensions": (1, 1, *kernel),
        "window_strides": (1, 1, *(strides or (1,) * rank)),
        "padding": ((0, 0), (0, 0), *zip(pads[:rank], pads[rank:], strict=True)),
        "window_dilation": (1, 1, *(dilations or (1,) * rank)),
    }
    total = lax.reduce_window(x, 0.0, lax.add, **window)
    if count_pads:
        return total / int(np.prod(kernel))
    ones = jnp.ones((1, 1, *x.shape[2:]), x.dtype)
    return total / lax.reduce_window(ones, 0.0, lax.add, **window)


def batch_norm(
    x: Array,
    scale: Array,
    bias: Array,
    mean: Array,
    variance: Array,
    epsilon: float,
) -> Array:
    """Normalise each channel c of (n, c, ...) by statistics of the training."""
    gain = scale * lax.rsqrt(variance.astype(jnp.float32) + epsilon)
    shape = (-1,) + (1,) * (x.ndim - 2)
    y = x * gain.reshape(shape) + (bias - mean * gain).reshape(shape)
    return y.astype(x.dtype)


@jax.jit
def small(w: dict[str, Array], image: Array, bias: Array) -> tuple[Array, ...]:
    """Apply the network to image (n 1, c 3, h 16, w 16), bias (10,)."""
    x = conv(
        image, w["conv/w"], w["conv/b"], strides=(2, 2), pads=(1, 1, 1, 1)
    )  # (n 1, c 8, h 8, w 8)
    x = batch_norm(x, *w["bn"], epsilon=1e-05)  # (n 1, c 8, h 8, w 8)
    relu_1 = jax.nn.relu(x)  # (n 1, c 8, h 8, w 8)
    max_pool_1 = max_pool(
        relu_1, kernel=(3, 3), pads=(1, 1, 1, 1)
    )  # (n 1, c 8, h 8, w 8)
    x = average_pool(relu_1, kernel=(3, 3), pads=(1, 1, 1, 1))  # (n 1, c 8, h 8, w 8)
    concat_1 = jnp.concatenate([max_pool_1, x], axis=1)  # (n 1, 16, h 8, w 8)
    x = concat_1.mean(axis=(2, 3), keepdims=True)  # (n 1, 16, 1, 1)
    x = x.reshape(1, 16)  # (1, 16)
    x = x @ w["fc/w"].T + bias  # (1, 10)
    x = jax.nn.softmax(x, axis=1)  # (1, 10)
    return x, concat_1
