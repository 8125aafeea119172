"""The network small in JAX, its heavy operators as Pallas kernels for a TPU.

Kernels: 2 convolution, 1 matmul. XLA computes the rest: 1 conv, 1 reduce, 2 reshape, 1
softmax.
"""

from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
from jax import Array, lax
from pallas_kernels.convolution import convolution_nchw
from pallas_kernels.matmul import matmul

INPUTS = {
    "x": ((1, 3, 13, 15), "float32"),
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
    return jax.nn.relu(y + a)


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


@partial(jax.jit, static_argnames=["interpret"])
def small(w: dict[str, Array], x: Array, interpret: object = INTERPRET) -> Array:
    """Apply the network to x (1, 3, 13, 15)."""
    tpu = {"vmem_bytes": 134_217_728, "interpret": interpret}
    y = convolution_nchw(
        x,
        w["weight_0.2310"],
        w["weight_1"],
        blocks={"p": 7, "k": 8, "c": 3},
        strides=(2, 2),
        pads=(1, 1, 1, 1),
        activation=jax.nn.relu,
        **tpu,
    )  # (1, 8, 7, 8)
    y = convolution_nchw(
        y,
        w["weight_2.2310"],
        blocks={"p": 7, "k": 8, "c": 8},
        pads=(1, 1, 1, 1),
        activation=epilogue_1,
        beside=(y,),
        **tpu,
    )  # (n 1, c 8, h 7, w 8)
    y = conv(y, w["weight_3"], pads=(1, 1, 1, 1), groups=8)  # (n 1, c 8, h 7, w 8)
    y = y.mean(axis=(2, 3), keepdims=True)  # (n 1, c 8, 1, 1)
    y = y.reshape(1, 8)  # (1, c 8)
    y = matmul(y, w["weight_4"], blocks={"m": 1, "n": 5, "k": 8}, **tpu)  # (1, 5)
    y = jax.nn.softmax(y, axis=1)  # (1, 5)
    return y
