"""Attention and rotary position embedding: only pairs of query and key that a mask of the op leaves are work.

Equations are numbered as in `docs/math/work.md`.
"""

from __future__ import annotations

import numpy as np

from ...ir import nn
from ..cost import Cost
from .kernel import Rules, kernel, tensor_bytes

SOFTMAX = 5
"""flops of a pair: scale, maximum, subtract, exp, sum"""


def attention(op: nn.AttentionOp) -> Cost:
    """
    flops = b hq (p (2 d + 2 dv + 5 + 3 [softcap] + [mask]) + m (dv - 2)) for p pairs seen of one head; nothing between
    is stored, and of keys and values only what some query sees is read. Equation (8).

    Of a pair: q times k, the softmax, its part of the weighted sum; divide, tanh and multiply for a softcap, an
    addition for a mask. Of a query: its result is divided by the sum, and the first of a maximum or a sum is free.
    """
    (batch, heads, queries, width), (_, _, keys, out) = nn.shape_of(op.q), nn.shape_of(op.v)
    window = nn.integer(op.window)
    pairs = visible_pairs(queries, keys, bool(nn.integer(op.causal)), window)
    each = 2 * width + 2 * out + SOFTMAX + 3 * bool(nn.number(op.softcap)) + (op.mask is not None)
    seen = min(keys, queries + window - 1) if window else keys
    of_cache = (tensor_bytes(op.k) + tensor_bytes(op.v)) * seen / keys
    read = tensor_bytes(op.q) + of_cache + (tensor_bytes(op.mask) if op.mask is not None else 0)
    return Cost(batch * heads * (pairs * each + queries * (out - 2)), read, tensor_bytes(op.result), 1)


def paged_attention(op: nn.PagedAttentionOp) -> Cost:
    """As `attention`, causal, every sequence taken to fill its blocks of the table; pages outside it are not read."""
    (batch, heads, queries, width), (_, block, _, out) = nn.shape_of(op.q), nn.shape_of(op.v_pages)
    keys, window = nn.shape_of(op.table)[1] * block, nn.integer(op.window)
    pairs = visible_pairs(queries, keys, True, window)
    each = 2 * width + 2 * out + SOFTMAX + 3 * bool(nn.number(op.softcap))
    seen = min(keys, queries + window - 1) if window else keys
    of_page = sum(tensor_bytes(p) / nn.shape_of(p)[0] for p in (op.k_pages, op.v_pages))
    read = tensor_bytes(op.q) + batch * seen / block * of_page + tensor_bytes(op.table) + tensor_bytes(op.lengths)
    return Cost(batch * heads * (pairs * each + queries * (out - 2)), read, tensor_bytes(op.result), 1)


def visible_pairs(queries: int, keys: int, causal: bool, window: int) -> int:
    """How many (query, key) pairs of one head are seen, queries being the last of `keys` positions. Equation (9)."""
    place = np.arange(keys - queries, keys)
    last = place if causal else np.full_like(place, keys - 1)
    first = np.maximum(place - window + 1, 0) if window else np.zeros_like(place)
    return int((last - first + 1).sum())


def rotary(op: nn.RotaryOp) -> Cost:
    """flops = 3 for each element turned: two products and a sum. Equation (10)."""
    batch, heads, tokens, _ = nn.shape_of(op.x)
    return kernel(op, 3 * batch * heads * tokens * 2 * nn.shape_of(op.cos)[-1])


RULES: Rules = {nn.AttentionOp: attention, nn.PagedAttentionOp: paged_attention, nn.RotaryOp: rotary}
