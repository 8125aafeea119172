"""Attention and mixtures of experts of emitted JAX code: each is copied into the sources that call it."""

import jax
import jax.numpy as jnp
from jax import Array, lax


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


def paged_attention(
    q: Array,
    k_pages: Array,
    v_pages: Array,
    table: Array,
    lengths: Array,
    *,
    scale: float,
    window: int = 0,
    softcap: float = 0.0,
) -> Array:
    """Attend with the last m of each sequence's tokens to those in its pages."""
    (b, heads, m, d), (_, block, kv_heads, _) = q.shape, k_pages.shape
    n = table.shape[1] * block
    used = jnp.arange(table.shape[1]) * block < lengths[:, None]
    there = (table >= 0) & (table < len(k_pages))
    pages = jnp.where(used & there, table, 0)
    k = k_pages[pages].reshape(b, n, kv_heads, -1)
    v = v_pages[pages].reshape(b, n, kv_heads, -1)
    q = q.reshape(b, kv_heads, -1, m, d)
    axes = "bhgmd,bnhd->bhgmn"
    scores = scale * jnp.einsum(axes, q, k, preferred_element_type=jnp.float32)
    if softcap:
        scores = softcap * jnp.tanh(scores / softcap)
    lost = jnp.repeat(~there, block, axis=1)[:, None, None, None, :]
    scores = jnp.where(lost, jnp.nan, scores)
    place = (jnp.arange(m) + lengths[:, None] - m)[:, None, None, :, None]
    seen = jnp.arange(n) <= place
    if window:
        seen &= jnp.arange(n) > place - window
    scores = jnp.where(seen, scores, -jnp.inf)
    powers = jnp.exp(scores - jnp.maximum(scores.max(axis=-1, keepdims=True), -1e30))
    total = powers.sum(axis=-1, keepdims=True)
    weights = (powers / jnp.where(total > 0, total, 1.0)).astype(v.dtype)
    return jnp.einsum("bhgmn,bnhd->bhgmd", weights, v).reshape(b, heads, m, -1)


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


def route(
    logits: Array,
    bias: Array | None = None,
    *,
    k: int,
    score: str = "softmax",
    normalise: bool = True,
    scale: float = 1.0,
    groups: int = 1,
    top_groups: int = 1,
    group_best: int = 1,
) -> tuple[Array, Array]:
    """Pick k experts for each token, by scores in float32: their weights, and which."""
    wide = logits.astype(jnp.float32)
    scores = jax.nn.softmax(wide) if score == "softmax" else jax.nn.sigmoid(wide)
    liked = scores if bias is None else scores + bias
    if top_groups < groups:
        grouped = liked.reshape(len(liked), groups, -1)
        best = lax.top_k(grouped, group_best)[0].sum(axis=-1)
        rows, chosen = jnp.arange(len(liked))[:, None], lax.top_k(best, top_groups)[1]
        taken = jnp.zeros(best.shape, bool).at[rows, chosen].set(True)
        liked = jnp.where(taken[..., None], grouped, -jnp.inf).reshape(liked.shape)
    experts = lax.top_k(liked, k)[1]
    weights = jnp.take_along_axis(scores, experts, axis=1)
    if normalise:
        weights = weights / weights.sum(axis=1, keepdims=True)
    return (weights * scale).astype(logits.dtype), experts


def dispatch(x: Array, experts: Array, count: int) -> tuple[Array, Array, Array]:
    """Copy each token for each expert it picked, sorted by expert; the order; how many for each."""
    order = jnp.argsort(experts.ravel(), stable=True)
    sizes = jnp.bincount(experts.ravel(), length=count)
    return x[order // experts.shape[1]], order, sizes


def combine(y: Array, weights: Array, order: Array) -> Array:
    """Add up each token's rows, weighted."""
    of_pick = jnp.zeros_like(y).at[order].set(y).reshape(*weights.shape, -1)
    return (of_pick * weights[..., None]).sum(axis=1)


def quantise(
    x: Array,
    scale: Array,
    zero: Array | None = None,
    *,
    least: int,
    largest: int,
    dtype: type,
) -> Array:
    """Round x / scale to the nearest integer and shift it; cut off what is out of range."""
    x = x / scale
    if zero is None:
        x = jnp.round(x)
    elif jnp.issubdtype(zero.dtype, jnp.floating):
        x = jnp.round(x + zero)
    else:
        x = jnp.round(x) + zero.astype(x.dtype)
    return jnp.clip(x, least, largest).astype(dtype)
