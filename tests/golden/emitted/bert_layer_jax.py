"""The network bert_layer in JAX; its weights are in bert_layer.safetensors."""

from pathlib import Path

import jax
import jax.numpy as jnp
from jax import Array, lax

INPUTS = {
    "tokens": ((1, 8), "int32"),
}
OUTPUTS = (
    "y0",
    "y1",
)


def load_weights(path: Path | None = None) -> dict[str, Array]:
    """The weights, by name, from the file at `path`, or the one called as this one."""
    from weights_file import read_safetensors

    arrays = read_safetensors(path or Path(__file__).with_suffix(".safetensors"))
    return {name: jnp.asarray(array) for name, array in arrays.items()}


def layer_norm(
    x: Array,
    scale: Array | None = None,
    bias: Array | None = None,
    *,
    axis: int,
    epsilon: float,
) -> Array:
    """Normalise by mean and variance over the axes from `axis` on, in float32."""
    axes = tuple(range(axis, x.ndim))
    y = x.astype(jnp.float32)
    y = y - y.mean(axes, keepdims=True)
    y = y * lax.rsqrt(jnp.square(y).mean(axes, keepdims=True) + epsilon)
    y = y if scale is None else y * scale
    return (y if bias is None else y + bias).astype(x.dtype)


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


@jax.jit
def bert_layer(w: dict[str, Array], tokens: Array) -> tuple[Array, ...]:
    """Apply the network to tokens (1, s 8)."""
    x = jnp.maximum(tokens, -50)  # (1, s 8)
    x = jnp.minimum(x, 49)  # (1, s 8)
    x = jnp.take(w["weight_0"], x, axis=0)  # (1, s 8, 32)
    x = x + w["reshape"]  # (1, s 8, 32)
    x = x + w["reshape_2"]  # (1, s 8, 32)
    layer_norm_1 = layer_norm(
        x, w["weight_3"], w["weight_4"], axis=2, epsilon=1e-12
    )  # (1, s 8, 32)
    x = layer_norm_1 @ w["weight_5"]  # (1, s 8, 32)
    x = x + w["weight_6"].reshape(1, 1, 32)  # (1, s 8, 32)
    x = x.reshape(1, 8, 4, 8)  # (b 1, s 8, h 4, d 8)
    transpose_1 = x.transpose(0, 2, 1, 3)  # (b 1, h 4, s 8, d 8)
    x = layer_norm_1 @ w["weight_7"]  # (1, s 8, 32)
    x = x + w["weight_8"].reshape(1, 1, 32)  # (1, s 8, 32)
    reshape_1 = x.reshape(1, 8, 4, 8)  # (b 1, s 8, h 4, d 8)
    x = layer_norm_1 @ w["weight_9"]  # (1, s 8, 32)
    x = x + w["weight_10"].reshape(1, 1, 32)  # (1, s 8, 32)
    x = x.reshape(1, 8, 4, 8)  # (b 1, s 8, h 4, d 8)
    transpose_2 = x.transpose(0, 2, 1, 3)  # (b 1, h 4, s 8, d 8)
    x = reshape_1.transpose(0, 2, 1, 3)  # (b 1, h 4, s 8, d 8)
    x = attention(
        transpose_1, x, transpose_2, scale=0.3535533966440824
    )  # (b 1, h 4, s 8, d 8)
    x = x.transpose(0, 2, 1, 3)  # (b 1, s 8, h 4, d 8)
    x = x.reshape(1, 8, 32)  # (1, s 8, 32)
    x = x @ w["weight_11"]  # (1, s 8, 32)
    x = x + w["weight_12"].reshape(1, 1, 32)  # (1, s 8, 32)
    x = layer_norm_1 + x  # (1, s 8, 32)
    layer_norm_2 = layer_norm(
        x, w["weight_13"], w["weight_14"], axis=2, epsilon=1e-12
    )  # (1, s 8, 32)
    x = layer_norm_2 @ w["weight_15"]  # (1, s 8, 128)
    x = x + w["weight_16"].reshape(1, 1, 128)  # (1, s 8, 128)
    x = jax.nn.gelu(x, approximate=False)  # (1, s 8, 128)
    x = x @ w["weight_17"]  # (1, s 8, 32)
    x = x + w["weight_18"].reshape(1, 1, 32)  # (1, s 8, 32)
    x = layer_norm_2 + x  # (1, s 8, 32)
    layer_norm_3 = layer_norm(
        x, w["weight_19"], w["weight_20"], axis=2, epsilon=1e-12
    )  # (1, s 8, 32)
    x = layer_norm_3[:, :1]  # (1, 1, 32)
    x = x.reshape(1, 32)  # (1, 32)
    x = x @ w["weight_21"]  # (1, 32)
    x = x + w["weight_22"].reshape(1, 32)  # (1, 32)
    x = jnp.tanh(x)  # (1, 32)
    return layer_norm_3, x
