"""Bit sets as rows of 64-bit words, compiled."""

from __future__ import annotations

import numpy as np

from ..compiled import compiled

ONE = np.uint64(1)
NONE = np.uint64(0)


@compiled(inline="always")
def has(bits, i):
    """Whether bit i is set."""
    return (bits[i >> 6] >> np.uint64(i & 63)) & ONE != NONE


@compiled(inline="always")
def add(bits, i):
    """Set bit i."""
    bits[i >> 6] |= ONE << np.uint64(i & 63)


@compiled(inline="always")
def drop(bits, i):
    """Clear bit i."""
    bits[i >> 6] &= ~(ONE << np.uint64(i & 63))


@compiled(inline="always")
def place(low):
    """The place of the only bit of a word."""
    place = 0
    if low & np.uint64(0xFFFFFFFF00000000) != NONE:
        place += 32
    if low & np.uint64(0xFFFF0000FFFF0000) != NONE:
        place += 16
    if low & np.uint64(0xFF00FF00FF00FF00) != NONE:
        place += 8
    if low & np.uint64(0xF0F0F0F0F0F0F0F0) != NONE:
        place += 4
    if low & np.uint64(0xCCCCCCCCCCCCCCCC) != NONE:
        place += 2
    if low & np.uint64(0xAAAAAAAAAAAAAAAA) != NONE:
        place += 1
    return place
