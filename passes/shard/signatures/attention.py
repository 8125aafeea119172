"""Attention: batches, heads with the keys they read, queries where each sees all keys, and values."""

from __future__ import annotations

from ....ir import nn
from .signature import AxisMap, Labels, Rules, sets


def attention(op: nn.AttentionOp, ranks: int) -> AxisMap:
    """Query heads are split with their key heads; where there is one key head, all ranks have it."""
    free = not nn.integer(op.causal) and not nn.integer(op.window)
    shape = nn.shape_of(op.result)[:3]
    names: Labels = ("b", "h", "m" if free else None)
    heads = _key_heads(nn.shape_of(op.k)[1])
    operands: list[Labels] = [(*names, None), ("b", heads, None, None), ("b", heads, None, "e")]
    if op.mask is not None:
        size = nn.shape_of(op.mask)
        first = 4 - len(size)
        operands.append(
            tuple(names[at] if at < 3 and n == shape[at] else None for at, n in enumerate(size, start=first))
        )
    return AxisMap(tuple(operands), ((*names, "e"),), linear=sets(2))


def paged_attention(op: nn.PagedAttentionOp, ranks: int) -> AxisMap:
    """Sequences, with all pages on every rank, and heads with their part of every page."""
    heads = _key_heads(nn.shape_of(op.k_pages)[2])
    pages: Labels = (None, None, heads)
    q: Labels = ("b", "h", None)
    return AxisMap(((*q, None), (*pages, None), (*pages, "e"), ("b", None), ("b",)), ((*q, "e"),), linear=sets(2))


def rotary(op: nn.RotaryOp, ranks: int) -> AxisMap:
    """Batches, heads and positions; it turns sums as it turns their terms."""
    table: Labels = ("b", "s", None) if len(nn.shape_of(op.cos)) == 3 else ("s", None)
    x: Labels = ("b", "h", "s", None)
    return AxisMap((x, table, table), (x,), linear=sets(0))


def _key_heads(heads: int) -> str | None:
    return None if heads == 1 else "h"


SIGNATURES: Rules = {nn.AttentionOp: attention, nn.PagedAttentionOp: paged_attention, nn.RotaryOp: rotary}
