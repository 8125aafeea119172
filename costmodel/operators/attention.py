"""Latency of one attention call, of a prompt (prefill) and of one new token a sequence (decode).

Equations are numbered as in `docs/math/operators.md`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..hardware import Device
from .chip import Chip, chip_of
from .coefficients import Values, coefficients
from .gemm import STORED_BYTES
from .memory import Array, either_s, move_s, resident

_QUERIES = 128
"""queries that one block takes"""
_KEYS = 64
"""keys that one step of a block's loop takes"""


@dataclass(frozen=True)
class Call:
    """The shape of an attention call; arrays that broadcast."""

    batch: Array
    new: Array
    """tokens of each sequence that ask"""
    seen: Array
    """cached tokens before them"""
    heads: Array
    kv_heads: Array
    head_dim: Array
    window: Array
    """tokens that one asks at most, with itself; 0: all"""

    @classmethod
    def of(cls, *values: ArrayLike) -> Call:
        """The call of those numbers, in the order of the fields."""
        return cls(*(np.asarray(value, float) for value in values))

    def within(self, tokens: Array) -> Array:
        """How many of `tokens` the window leaves."""
        return np.where(self.window > 0, np.minimum(tokens, self.window), tokens)


def decode_attention_s(
    device: Device,
    dtype: str,
    kv_dtype: str,
    batch: ArrayLike,
    context: ArrayLike,
    heads: ArrayLike,
    kv_heads: ArrayLike,
    head_dim: ArrayLike,
    window: ArrayLike = 0,
    warm: bool = False,
) -> Array:
    """[s] of one new token in each of `batch` sequences that see `context` tokens with themselves; arrays broadcast.

    `window` > 0 bounds what is seen. Queries and results are 16-bit whatever `dtype`. `warm`: the same cache is read
    again and again, as a benchmark does, and may lie in L2.
    """
    chip = chip_of(device)
    call = Call.of(batch, 1, np.asarray(context, float) - 1, heads, kv_heads, head_dim, window)
    return decode_s(chip, coefficients(_kernel("decode", kv_dtype), chip), STORED_BYTES[kv_dtype], call, warm)


def prefill_attention_s(
    device: Device,
    dtype: str,
    kv_dtype: str,
    batch: ArrayLike,
    new: ArrayLike,
    seen: ArrayLike,
    heads: ArrayLike,
    kv_heads: ArrayLike,
    head_dim: ArrayLike,
    window: ArrayLike = 0,
    warm: bool = False,
) -> Array:
    """[s] of `new` tokens in each of `batch` sequences, causal, after `seen` cached ones; arrays broadcast.

    One new token takes the decode kernel. The rest as for `decode_attention_s`.
    """
    chip = chip_of(device)
    stored = STORED_BYTES[kv_dtype]
    call = Call.of(batch, new, seen, heads, kv_heads, head_dim, window)
    long = prefill_s(chip, coefficients(_kernel("prefill", kv_dtype), chip), stored, call, warm)
    one = decode_s(chip, coefficients(_kernel("decode", kv_dtype), chip), stored, call, warm)
    return np.where(call.new <= 1, one, long)


def decode_s(chip: Chip, c: Values, stored: float, call: Call, warm: bool) -> Array:
    """[s] of decode: a block for each sequence and KV head, split along the context on free cores. Equation (11).

    launch + (move^p + work^p)^(1/p) + combine, where the parts that `move` draws with are at most `most_parts`
    """
    cores, seen, rows = chip.multiprocessors, call.within(call.seen + call.new), call.batch * call.kv_heads
    read = 2 * rows * seen * call.head_dim * stored
    hit = resident(chip, c, read) if warm else np.zeros_like(read)
    parts = np.minimum(seen / c["chunk"], c["most_parts"])
    rearranged = np.zeros_like(rows)
    if not c["splits_plain_heads"]:
        parts = np.where(call.heads == call.kv_heads, 1, parts)
        rearranged = 1.0 * ((call.heads > call.kv_heads) & (call.kv_heads > 1) & (call.batch > 1))
    parts = np.maximum(1, np.minimum(parts, cores / rows))
    queries = 4 * call.batch * call.heads * call.head_dim / chip.bandwidth_bytes_per_s
    move = move_s(chip, c, read, hit, rows * parts) + queries
    work = np.maximum(rows * parts / cores, 1) * c["block"]
    combine = c["combine"] * (np.minimum(1, parts - 1) + rearranged) + c["step"] * np.minimum(1, seen / 256)
    return c["launch_clocks"] / chip.clock_hz + either_s(move, work, c["overlap"]) + combine


def prefill_s(chip: Chip, c: Values, stored: float, call: Call, warm: bool) -> Array:
    """[s] of prefill: blocks of 128 queries multiply with the keys they see, beside traffic. Equation (10)."""
    cores, group = chip.multiprocessors, (call.heads / call.kv_heads if c["packs_groups"] else 1.0)
    blocks = call.batch * call.heads / group * np.ceil(call.new * group / _QUERIES)
    tile = np.minimum(call.new, _QUERIES / group)
    mean_keys = call.within(call.seen + (call.new + tile) / 2)
    most_keys = call.within(call.seen + call.new)
    key_s = 4 * _QUERIES * call.head_dim * cores / (chip.matrix_flops_per_s * c["compute_share"])
    multiply = np.maximum(blocks / cores * np.ceil(mean_keys / _KEYS) * _KEYS, most_keys * c["alone"]) * key_s
    fresh = call.heads + c["written"] * call.kv_heads
    touched = call.batch * call.head_dim * (4 * call.new * fresh + 2 * stored * call.within(call.seen) * call.kv_heads)
    hit = resident(chip, c, touched) if warm else np.zeros_like(touched)
    move = move_s(chip, c, touched * c["traffic"], hit, np.maximum(blocks, cores))
    return (
        c["launch_clocks"] / chip.clock_hz
        + either_s(multiply, move, c["overlap"])
        + np.maximum(blocks / cores, 1) * c["block"]
    )


def _kernel(name: str, kv_dtype: str) -> str:
    return f"{name}_{'16_bit' if STORED_BYTES[kv_dtype] >= 2 else '8_bit'}"
