"""The network small_cnn in JAX, its heavy operators as Pallas kernels for a TPU.

Kernels: 2 convolution, 1 matmul. XLA computes the rest: 1 max_pool, 1 reduce, 1
reshape, 1 softmax.
"""

from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from pallas_kernels.convolution import convolution_nchw
from pallas_kernels.matmul import matmul

INPUTS = {
    "image": ((1, 3, 16, 16), "float32"),
}
OUTPUTS = ("y",)
INTERPRET = jax.default_backend() != "tpu"  # kernels run in Pallas's interpreter


def load_weights(path: Path | None = None) -> dict[str, Array]:
    """The weights, by name, from the file at `path`, or the one called as this one."""
    from weights_file import read_safetensors

    arrays = read_safetensors(path or Path(__file__).with_suffix(".safetensors"))
    return {name: jnp.asarray(array) for name, array in arrays.items()}


def epilogue_1(y: Array, a: Array) -> Array:
    """What follows a product, block by block."""
    return a + jax.nn.relu(y)


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


@partial(jax.jit, static_argnames=["interpret"])
def small_cnn(
    w: dict[str, Array], image: Array, interpret: object = INTERPRET
) -> Array:
    """Apply the network to image (1, 3, 16, 16)."""
    tpu = {"vmem_bytes": 134_217_728, "interpret": interpret}
    x = convolution_nchw(
        image,
        w["weight_0.2310"],
        blocks={"p": 8, "k": 8, "c": 3},
        strides=(2, 2),
        pads=(0, 0, 1, 1),
        activation=jax.nn.relu,
        **tpu,
    )  # (1, 8, 8, 8)
    x = convolution_nchw(
        x,
        w["weight_1.2310"],
        blocks={"p": 8, "k": 8, "c": 8},
        pads=(1, 1, 1, 1),
        activation=epilogue_1,
        beside=(x,),
        **tpu,
    )  # (n 1, c 8, h 8, w 8)
    x = max_pool(x, kernel=(2, 2), strides=(2, 2))  # (n 1, c 8, h 4, w 4)
    x = x.mean(axis=(2, 3), keepdims=True)  # (n 1, c 8, 1, 1)
    x = x.reshape(1, 8)  # (1, c 8)
    x = matmul(x, w["weight_2"], blocks={"m": 1, "n": 10, "k": 8}, **tpu)  # (1, 10)
    x = jax.nn.softmax(x, axis=1)  # (1, 10)
    return x
