"""The network bert_layer in JAX, its heavy operators as Pallas kernels for a TPU.

Kernels: 1 attention, 7 matmul, 3 norm. XLA computes the rest: 2 add, 1 gather, 1 max, 1
min, 12 reshape, 1 slice, 4 transpose.
"""

from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
from jax import Array
from pallas_kernels.activations import gelu
from pallas_kernels.attention import flash_attention
from pallas_kernels.matmul import matmul
from pallas_kernels.norm import norm

INPUTS = {
    "tokens": ((1, 8), "int32"),
}
OUTPUTS = (
    "y0",
    "y1",
)
INTERPRET = jax.default_backend() != "tpu"  # kernels run in Pallas's interpreter


def load_weights(path: Path | None = None) -> dict[str, Array]:
    """The weights, by name, from the file at `path`, or the one called as this one."""
    from weights_file import read_safetensors

    arrays = read_safetensors(path or Path(__file__).with_suffix(".safetensors"))
    return {name: jnp.asarray(array) for name, array in arrays.items()}


def epilogue_1(y: Array, a: Array) -> Array:
    """What follows a product, block by block."""
    return a + y


@partial(jax.jit, static_argnames=["interpret"])
def bert_layer(
    w: dict[str, Array], tokens: Array, interpret: object = INTERPRET
) -> tuple[Array, ...]:
    """Apply the network to tokens (1, 8)."""
    tpu = {"vmem_bytes": 134_217_728, "interpret": interpret}
    x = jnp.maximum(tokens, -50)  # (1, 8)
    x = jnp.minimum(x, 49)  # (1, 8)
    x = jnp.take(w["weight_0"], x, axis=0)  # (1, 8, 32)
    x = x + w["reshape"]  # (1, 8, 32)
    x = x + w["reshape_2"]  # (1, 8, 32)
    layer_norm_1 = norm(
        x,
        w["weight_3"],
        w["weight_4"],
        blocks={"row": 8},
        epsilon=1e-12,
        centred=True,
        **tpu,
    )  # (1, 8, 32)
    x = matmul(
        layer_norm_1,
        w["weight_5"],
        w["weight_6"],
        blocks={"m": 8, "n": 32, "k": 32},
        **tpu,
    )  # (1, s 8, 32)
    x = x.reshape(1, 8, 4, 8)  # (b 1, s 8, h 4, d 8)
    transpose_1 = x.transpose(0, 2, 1, 3)  # (b 1, h 4, s 8, d 8)
    x = matmul(
        layer_norm_1,
        w["weight_7"],
        w["weight_8"],
        blocks={"m": 8, "n": 32, "k": 32},
        **tpu,
    )  # (1, t 8, 32)
    reshape_1 = x.reshape(1, 8, 4, 8)  # (b 1, t 8, h 4, d 8)
    x = matmul(
        layer_norm_1,
        w["weight_9"],
        w["weight_10"],
        blocks={"m": 8, "n": 32, "k": 32},
        **tpu,
    )  # (1, t 8, 32)
    x = x.reshape(1, 8, 4, 8)  # (b 1, t 8, h 4, d 8)
    transpose_2 = x.transpose(0, 2, 1, 3)  # (b 1, h 4, t 8, d 8)
    x = reshape_1.transpose(0, 2, 1, 3)  # (b 1, h 4, t 8, d 8)
    x = flash_attention(
        transpose_1,
        x,
        transpose_2,
        blocks={"i": 8, "j": 8},
        scale=0.3535533966440824,
        **tpu,
    )  # (b 1, h 4, s 8, d 8)
    x = x.transpose(0, 2, 1, 3)  # (b 1, s 8, h 4, d 8)
    x = x.reshape(1, 8, 32)  # (1, s 8, 32)
    x = matmul(
        x,
        w["weight_11"],
        w["weight_12"],
        blocks={"m": 8, "n": 32, "k": 32},
        activation=epilogue_1,
        beside=(layer_norm_1,),
        **tpu,
    )  # (1, 8, 32)
    layer_norm_2 = norm(
        x,
        w["weight_13"],
        w["weight_14"],
        blocks={"row": 8},
        epsilon=1e-12,
        centred=True,
        **tpu,
    )  # (1, 8, 32)
    x = matmul(
        layer_norm_2,
        w["weight_15"],
        w["weight_16"],
        blocks={"m": 8, "n": 128, "k": 32},
        activation=gelu,
        **tpu,
    )  # (1, 8, 128)
    x = matmul(
        x,
        w["weight_17"],
        w["weight_18"],
        blocks={"m": 8, "n": 32, "k": 128},
        activation=epilogue_1,
        beside=(layer_norm_2,),
        **tpu,
    )  # (1, 8, 32)
    layer_norm_3 = norm(
        x,
        w["weight_19"],
        w["weight_20"],
        blocks={"row": 8},
        epsilon=1e-12,
        centred=True,
        **tpu,
    )  # (1, 8, 32)
    x = layer_norm_3[:, :1]  # (1, 1, 32)
    x = x.reshape(1, 32)  # (1, 32)
    x = matmul(
        x,
        w["weight_21"],
        w["weight_22"],
        blocks={"m": 1, "n": 32, "k": 32},
        activation=jnp.tanh,
        **tpu,
    )  # (1, 32)
    return layer_norm_3, x
