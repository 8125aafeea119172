"""The network llama_decode in JAX, its heavy operators as Pallas kernels for a TPU.

Kernels: 1 attention, 7 matmul, 2 norm. XLA computes the rest: 2 concat, 6 reshape, 2
rotary.
"""

from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
from jax import Array
from pallas_kernels.attention import flash_attention
from pallas_kernels.matmul import matmul
from pallas_kernels.norm import norm

INPUTS = {
    "x": ((1, 1, 32), "float32"),
    "k": ((1, 2, 8, 8), "float32"),
    "v": ((1, 2, 8, 8), "float32"),
}
OUTPUTS = (
    "y0",
    "y1.0",
    "y1.1",
)
INTERPRET = jax.default_backend() != "tpu"  # kernels run in Pallas's interpreter


def load_weights(path: Path | None = None) -> dict[str, Array]:
    """The weights, by name, from the file at `path`, or the one called as this one."""
    from weights_file import read_safetensors

    arrays = read_safetensors(path or Path(__file__).with_suffix(".safetensors"))
    return {name: jnp.asarray(array) for name, array in arrays.items()}


def epilogue_1(y: Array, a: Array) -> Array:
    """What follows a product, block by block."""
    return jax.nn.silu(a) * y


def rotary(x: Array, cos: Array, sin: Array, interleaved: bool = False) -> Array:
    """Turn pairs of the first elements of (b, h, s, d) by the angles of each place."""
    half = cos.shape[-1]
    if cos.ndim == 3:
        cos, sin = cos[:, None], sin[:, None]
    first, rest = x[..., : 2 * half], x[..., 2 * half :]
    if interleaved:
        a, b = first[..., ::2], first[..., 1::2]
        turned = jnp.stack([a * cos - b * sin, b * cos + a * sin], axis=-1)
        return jnp.concatenate([turned.reshape(first.shape), rest], axis=-1)
    a, b = first[..., :half], first[..., half:]
    return jnp.concatenate([a * cos - b * sin, b * cos + a * sin, rest], axis=-1)


@partial(jax.jit, static_argnames=["interpret"])
def llama_decode(
    w: dict[str, Array], x: Array, k: Array, v: Array, interpret: object = INTERPRET
) -> tuple[Array, ...]:
    """Apply the network to x (1, 1, 32), k (b 1, h 2, 8, d 8), v (b 1, h 2, 8, d 8)."""
    tpu = {"vmem_bytes": 134_217_728, "interpret": interpret}
    rms_norm_1 = norm(
        x, w["weight_0"], blocks={"row": 1}, epsilon=1e-05, centred=False, **tpu
    )  # (1, 1, 32)
    y = matmul(
        rms_norm_1, w["weight_1"], blocks={"m": 1, "n": 32, "k": 32}, **tpu
    )  # (1, 1, 32)
    y = y.reshape(1, 4, 1, 8)  # (b 1, h 4, s 1, d 8)
    rotary_1 = rotary(
        y, w["constant_9"].reshape(1, 4), w["constant_10"].reshape(1, 4)
    )  # (b 1, h 4, s 1, d 8)
    y = matmul(
        rms_norm_1, w["weight_2"], blocks={"m": 1, "n": 16, "k": 32}, **tpu
    )  # (1, 1, 16)
    y = y.reshape(1, 2, 1, 8)  # (b 1, h 2, s 1, d 8)
    rotary_2 = rotary(
        y, w["constant_9"].reshape(1, 4), w["constant_10"].reshape(1, 4)
    )  # (b 1, h 2, s 1, d 8)
    y = matmul(
        rms_norm_1, w["weight_3"], blocks={"m": 1, "n": 16, "k": 32}, **tpu
    )  # (1, 1, 16)
    reshape_1 = y.reshape(1, 2, 1, 8)  # (b 1, h 2, 1, d 8)
    concat_1 = jnp.concatenate([k, rotary_2], axis=2)  # (b 1, h 2, t 9, d 8)
    concat_2 = jnp.concatenate([v, reshape_1], axis=2)  # (b 1, h 2, t 9, d 8)
    y = flash_attention(
        rotary_1,
        concat_1,
        concat_2,
        blocks={"i": 1, "j": 9},
        scale=0.3535533966440824,
        **tpu,
    )  # (b 1, h 4, s 1, d 8)
    y = y.reshape(1, 1, 32)  # (1, 1, 32)
    fusion_1 = matmul(
        y, w["weight_4"], x, blocks={"m": 1, "n": 32, "k": 32}, **tpu
    )  # (1, 1, 32)
    rms_norm_2 = norm(
        fusion_1, w["weight_5"], blocks={"row": 1}, epsilon=1e-05, centred=False, **tpu
    )  # (1, 1, 32)
    y = matmul(
        rms_norm_2, w["weight_6"], blocks={"m": 1, "n": 48, "k": 32}, **tpu
    )  # (1, 1, 48)
    y = matmul(
        rms_norm_2,
        w["weight_7"],
        blocks={"m": 1, "n": 48, "k": 32},
        activation=epilogue_1,
        beside=(y,),
        **tpu,
    )  # (1, 1, 48)
    y = matmul(
        y, w["weight_8"], fusion_1, blocks={"m": 1, "n": 32, "k": 48}, **tpu
    )  # (1, 1, 32)
    return y, concat_1, concat_2
