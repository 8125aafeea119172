"""The network small_cnn in JAX; its weights are in small_cnn.safetensors."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

INPUTS = {
    "image": ((1, 3, 16, 16), "float32"),
}
OUTPUTS = ("y",)


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


@jax.jit
def small_cnn(w: dict[str, Array], image: Array) -> Array:
    """Apply the network to image (n 1, c 3, h 16, w 16)."""
    x = conv(
        image, w["weight_0"], strides=(2, 2), pads=(0, 0, 1, 1)
    )  # (n 1, c 8, h 8, w 8)
    relu_1 = jax.nn.relu(x)  # (n 1, c 8, h 8, w 8)
    x = conv(relu_1, w["weight_1"], pads=(1, 1, 1, 1))  # (n 1, c 8, h 8, w 8)
    x = jax.nn.relu(x)  # (n 1, c 8, h 8, w 8)
    x = relu_1 + x  # (n 1, c 8, h 8, w 8)
    x = max_pool(x, kernel=(2, 2), strides=(2, 2))  # (n 1, c 8, h 4, w 4)
    x = x.mean(axis=(2, 3), keepdims=True)  # (n 1, c 8, 1, 1)
    x = x.reshape(1, 8)  # (1, c 8)
    x = x @ w["weight_2"]  # (1, 10)
    x = jax.nn.softmax(x, axis=1)  # (1, 10)
    return x
