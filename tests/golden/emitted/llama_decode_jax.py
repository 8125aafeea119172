"""The network llama_decode in JAX; its weights are in llama_decode.safetensors."""

from pathlib import Path

import jax
import jax.numpy as jnp
from jax import Array, lax

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


def load_weights(path: Path | None = None) -> dict[str, Array]:
    """The weights, by name, from the file at `path`, or the one called as this one."""
    from weights_file import read_safetensors

    arrays = read_safetensors(path or Path(__file__).with_suffix(".safetensors"))
    return {name: jnp.asarray(array) for name, array in arrays.items()}


def rms_norm(
    x: Array,
    scale: Array | None = None,
    *,
    axis: int,
    epsilon: float,
) -> Array:
    """Divide by the root of the mean square of the axes from `axis` on, in float32."""
    axes = tuple(range(axis, x.ndim))
    y = x.astype(jnp.float32)
    y = y * lax.rsqrt(jnp.square(y).mean(axes, keepdims=True) + epsilon)
    return (y if scale is None else y * scale).astype(x.dtype)


def attention(
    q: Array,
    k: Array,
    v: Array,
    mask: Array | None = None,
    *,
    scale: float,
    causal: bool = False,
    window: int = 0,
    softcap: float = 0.0,
) -> Array:
    """Attend with (b, hq, m, d) to (b, hkv, n, d); queries are the last m of n places."""
    (b, heads, m, d), n = q.shape, k.shape[2]
    q = q.reshape(b, k.shape[1], -1, m, d)
    axes = "bhgmd,bhnd->bhgmn"
    scores = scale * jnp.einsum(axes, q, k, preferred_element_type=jnp.float32)
    if softcap:
        scores = softcap * jnp.tanh(scores / softcap)
    if mask is not None:
        scores = scores + jnp.broadcast_to(mask, (b, heads, m, n)).reshape(scores.shape)
    place, key = jnp.arange(n - m, n)[:, None], jnp.arange(n)
    seen = (key <= place) | (not causal)
    if window:
        seen &= key > place - window
    scores = jnp.where(seen, scores, -jnp.inf)
    powers = jnp.exp(scores - jnp.maximum(scores.max(axis=-1, keepdims=True), -1e30))
    total = powers.sum(axis=-1, keepdims=True)
    weights = (powers / jnp.where(total > 0, total, 1.0)).astype(v.dtype)
    return jnp.einsum("bhgmn,bhnd->bhgmd", weights, v).reshape(b, heads, m, -1)


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


@jax.jit
def llama_decode(
    w: dict[str, Array], x: Array, k: Array, v: Array
) -> tuple[Array, ...]:
    """Apply the network to x (1, 1, 32), k (b 1, h 2, 8, d 8), v (b 1, h 2, 8, d 8)."""
    rms_norm_1 = rms_norm(x, w["weight_0"], axis=2, epsilon=1e-05)  # (1, 1, 32)
    y = rms_norm_1 @ w["weight_1"]  # (1, 1, 32)
    y = y.reshape(1, 4, 1, 8)  # (b 1, h 4, s 1, d 8)
    rotary_1 = rotary(
        y, w["constant_9"].reshape(1, 4), w["constant_10"].reshape(1, 4)
    )  # (b 1, h 4, s 1, d 8)
    y = rms_norm_1 @ w["weight_2"]  # (1, 1, 16)
    y = y.reshape(1, 2, 1, 8)  # (b 1, h 2, s 1, d 8)
    rotary_2 = rotary(
        y, w["constant_9"].reshape(1, 4), w["constant_10"].reshape(1, 4)
    )  # (b 1, h 2, s 1, d 8)
    y = rms_norm_1 @ w["weight_3"]  # (1, 1, 16)
    reshape_1 = y.reshape(1, 2, 1, 8)  # (b 1, h 2, 1, d 8)
    concat_1 = jnp.concatenate([k, rotary_2], axis=2)  # (b 1, h 2, t 9, d 8)
    concat_2 = jnp.concatenate([v, reshape_1], axis=2)  # (b 1, h 2, t 9, d 8)
    y = attention(
        rotary_1, concat_1, concat_2, scale=0.3535533966440824
    )  # (b 1, h 4, s 1, d 8)
    y = y.reshape(1, 1, 32)  # (1, 1, 32)
    y = y @ w["weight_4"]  # (1, 1, 32)
    add_1 = x + y  # (1, 1, 32)
    rms_norm_2 = rms_norm(add_1, w["weight_5"], axis=2, epsilon=1e-05)  # (1, 1, 32)
    y = rms_norm_2 @ w["weight_6"]  # (1, 1, 48)
    silu_1 = jax.nn.silu(y)  # (1, 1, 48)
    y = rms_norm_2 @ w["weight_7"]  # (1, 1, 48)
    y = silu_1 * y  # (1, 1, 48)
    y = y @ w["weight_8"]  # (1, 1, 32)
    y = add_1 + y  # (1, 1, 32)
    return y, concat_1, concat_2
