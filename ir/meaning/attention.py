"""Attention, over a cache in one piece or in pages, and rotary position embedding."""

from __future__ import annotations

import numpy as np

from .. import nn
from .meaning import Array, Meanings


def _attention(op: nn.AttentionOp, q: Array, k: Array, v: Array, mask: Array | None = None) -> Array:
    group = q.shape[1] // k.shape[1]
    scores = q @ k.repeat(group, axis=1).swapaxes(2, 3) * nn.number(op.scale)
    scores = _capped(scores, nn.number(op.softcap)) + (0.0 if mask is None else mask)
    queries, keys = q.shape[2], k.shape[2]
    place = np.arange(queries)[:, None] + keys - queries
    last = place if nn.integer(op.causal) else np.full_like(place, keys)
    return _weighted(scores, _seen(np.arange(keys), place, last, nn.integer(op.window)), v.repeat(group, axis=1))


def _paged_attention(op: nn.PagedAttentionOp, q: Array, k: Array, v: Array, table: Array, lengths: Array) -> Array:
    """Each sequence's keys and values gathered from its pages, then attention as above."""
    queries, block, group = q.shape[2], k.shape[1], q.shape[1] // k.shape[2]
    used = np.arange(table.shape[1]) * block < lengths[:, None]
    there = (table >= 0) & (table < len(k))
    pages = np.where(used & there, table, 0).astype(np.int64)
    of_sequence = (k[pages], v[pages])  # (b, blocks, block, hkv, d)
    rows = pages.shape[1] * block
    keys, values = (
        each.reshape(len(q), rows, *each.shape[3:]).swapaxes(1, 2).repeat(group, axis=1) for each in of_sequence
    )
    scores = _capped(q @ keys.swapaxes(2, 3) * nn.number(op.scale), nn.number(op.softcap))
    scores = np.where(np.repeat(there, block, axis=1)[:, None, None, :], scores, np.nan)
    place = (np.arange(queries) + lengths[:, None] - queries)[:, None, :, None]
    return _weighted(scores, _seen(np.arange(rows), place, place, nn.integer(op.window)), values)


def _capped(scores: Array, cap: float) -> Array:
    return cap * np.tanh(scores / cap) if cap else scores


def _seen(keys: Array, place: Array, last: Array, window: int) -> Array:
    """Which keys a query at `place` sees: up to `last`, and no further back than the window."""
    return (keys <= last) & ((keys > place - window) if window else True)


def _weighted(scores: Array, seen: Array, values: Array) -> Array:
    """Softmax of the scores that are seen, times values; where none is, 0."""
    scores = np.where(seen, scores, -np.inf)
    most = scores.max(axis=-1, keepdims=True)
    powers = np.exp(scores - np.where(np.isfinite(most), most, 0.0))
    total = powers.sum(axis=-1, keepdims=True)
    return powers @ values / np.where(total > 0, total, 1.0)


def _rotary(op: nn.RotaryOp, x: Array, cos: Array, sin: Array) -> Array:
    half = cos.shape[-1]
    cos, sin = (table if table.ndim == 2 else table[:, None] for table in (cos, sin))
    pairs = (slice(0, 2 * half, 2), slice(1, 2 * half, 2))
    first, second = pairs if nn.integer(op.interleaved) else (slice(0, half), slice(half, 2 * half))
    turned = x.copy()
    turned[..., first] = x[..., first] * cos - x[..., second] * sin
    turned[..., second] = x[..., second] * cos + x[..., first] * sin
    return turned


MEANING: Meanings = {nn.AttentionOp: _attention, nn.PagedAttentionOp: _paged_attention, nn.RotaryOp: _rotary}
