"""Cases that are attention: over whole sequences, and of one new token over a cache in pages."""

from __future__ import annotations

from typing import Any

import numpy as np

from dovetail.backends.triton.attention_tiles import attention_tiles, decode_tiles
from dovetail.backends.triton.interpreter import library

from .case import Case, Rival, Spec, size_bytes
from .machines import Machine

PAGE = 16
"""tokens"""


def attended(xp: Any, q: Any, k: Any, v: Any, seen: Any = None) -> Any:
    """softmax(q k^T / sqrt(d)) v in float64, one head at a time: (batch, heads, queries, d), keys of fewer heads."""
    batch, heads, queries, d = q.shape
    share, found = heads // k.shape[1], []
    for b, h in np.ndindex(batch, heads):
        scores = q[b, h] @ k[b, h // share].T / d**0.5
        scores = scores if seen is None else xp.where(seen, scores, -xp.inf)
        weights = xp.exp(scores - xp.amax(scores, -1)[:, None])
        found.append(weights @ v[b, h // share] / weights.sum(-1)[:, None])
    return xp.stack(found).reshape(batch, heads, queries, d)


def attention(
    on: Machine, batch: int, heads: int, kv_heads: int, tokens: int, d: int, dtype: str = "float16", causal: bool = True
) -> Case:
    """A whole prompt; half of its scores count if `causal`."""
    shape, kv_shape = (batch, heads, tokens, d), (batch, kv_heads, tokens, d)
    q, k, v = (on.normal(*each, dtype=dtype) for each in (shape, kv_shape, kv_shape))
    seen = on.given(np.tri(tokens, dtype=bool)) if causal else None

    def sdpa(torch: Any, q: Any, k: Any, v: Any) -> Any:
        attend = torch.nn.functional.scaled_dot_product_attention
        return attend(q, k, v, is_causal=causal, enable_gqa=heads != kv_heads)

    tiles = attention_tiles(on.device, batch * heads, tokens, tokens, d, d, dtype).options
    flops = 4.0 * batch * heads * tokens * tokens * d / (2 if causal else 1)
    return Case(
        library("attention"), {"q": q, "k": k, "v": v, "out": on.empty(*shape, dtype=dtype)},
        {"scale": d**-0.5, "causal": causal, **tiles}, lambda xp, t: attended(xp, t.q, t.k, t.v, t.seen),
        (Rival("scaled_dot_product_attention", ("q", "k", "v"), sdpa),),
        dtype, flops, size_bytes(dtype, shape, shape, kv_shape, kv_shape), {"seen": seen},
    )  # fmt: skip


def decode(on: Machine, batch: int, heads: int, kv_heads: int, context: int, d: int, dtype: str = "float16") -> Case:
    """One new token of each sequence over scattered pages, against torch's attention over a cache without pages."""
    blocks, kv_shape = context // PAGE, (batch, context, kv_heads, d)
    table = on.given(np.random.default_rng(0).permutation(batch * blocks).reshape(batch, blocks))
    pages = []
    for each in (cache := [on.normal(*kv_shape, dtype=dtype) for _ in "kv"]):
        pages.append(on.empty(batch * blocks, PAGE, kv_heads, d, dtype=dtype))
        pages[-1][table] = each.reshape(batch, blocks, PAGE, kv_heads, d)
    also = {name: each.swapaxes(1, 2) for name, each in zip("kv", cache, strict=True)}
    tiles = decode_tiles(on.device, batch, kv_heads, context, d, d, dtype)
    shape, rows = (batch, heads, 1, d), (batch, kv_heads, tiles.splits, heads // kv_heads)
    tensors = {
        "q": on.normal(*shape, dtype=dtype), "k_pages": pages[0], "v_pages": pages[1], "table": table,
        "lengths": on.given(np.full((batch,), context)), "out": on.empty(*shape, dtype=dtype),
        "partial": on.empty(*rows, d, dtype="float32"), "state": on.empty(*rows, 2, dtype="float32"),
    }  # fmt: skip

    def sdpa(torch: Any, q: Any, k: Any, v: Any) -> Any:
        return torch.nn.functional.scaled_dot_product_attention(q, k, v, enable_gqa=heads != kv_heads)

    return Case(
        library("paged_attention"), tensors, {"scale": d**-0.5, **tiles.options},
        lambda xp, t: attended(xp, t.q, t.k, t.v), (Rival("scaled_dot_product_attention", ("q", "k", "v"), sdpa),),
        dtype, 4.0 * batch * heads * context * d, size_bytes(dtype, shape, shape, kv_shape, kv_shape), also,
    )  # fmt: skip


def _attention(batch: int, heads: int, kv_heads: int, tokens: int, d: int, **options: Any) -> Spec:
    causal = "causal, " if options.get("causal", True) else ""
    group = f" on {kv_heads}" if kv_heads != heads else ""
    name = (
        f"attention, {causal}{batch} x {heads} heads{group} of {d}, {tokens} tokens {options.get('dtype', 'float16')}"
    )
    full = {"batch": batch, "heads": heads, "kv_heads": kv_heads, "tokens": tokens, "d": d, **options}
    small = {**full, "batch": 2, "heads": max(1, heads // kv_heads) * 2, "kv_heads": 2, "tokens": 70}
    return Spec(name, "attention", attention, full, small)


def _decode(batch: int, heads: int, kv_heads: int, context: int, d: int) -> Spec:
    group = f" on {kv_heads}" if kv_heads != heads else ""
    name = f"paged_attention, {batch} x {heads} heads{group} of {d}, 1 token after {context} float16"
    full = {"batch": batch, "heads": heads, "kv_heads": kv_heads, "context": context, "d": d}
    return Spec(name, "attention", decode, full, {**full, "batch": 2, "heads": 4, "kv_heads": 2, "context": 640})


SPECS = (
    _attention(4, 32, 32, 4096, 64),
    _attention(4, 32, 32, 4096, 128),
    _attention(4, 32, 32, 4096, 128, causal=False),
    _attention(4, 32, 8, 4096, 128, dtype="bfloat16"),
    _decode(16, 32, 8, 8192, 128),
    _decode(1, 32, 8, 32768, 128),
)
