"""
How weights of 1 to 8 bits lie in memory.

Packing (`pack_weights`): a width is the sum of powers of two, its planes: 3 = 2 + 1, 6 = 4 + 2, 7 = 4 + 2 + 1. A plane
of w bits holds 32 / w neighbours along k in a word of 32 bits, the first in the lowest bits, so that every width takes
its own number of bits and no code lies across two words. (For widths in general see Ding et al. 2025, Tilus,
arXiv:2504.12984, which keeps bits contiguous and reinterprets registers instead.)
"""

import numpy as np

from .tensors import require

WORD = 32
"""Codes along k are padded to a multiple of it, so that every plane ends with a whole word."""


def planes(bits: int) -> tuple[int, ...]:
    """The powers of two that add up to `bits`, the widest first: the lowest bits of a code are in the first plane."""
    return tuple(width for width in (8, 4, 2, 1) if bits & width)


def pack_weights(codes: np.ndarray, bits: int) -> np.ndarray:
    """
    The (k, n) codes, integers of 0 to 2^bits - 1, as int32 words (bits ceil(k / 32), n): plane after plane.

    ValueError for codes that need more bits.
    """
    require(1 <= bits <= 8, f"weights of {bits} bits cannot be packed, only of 1 to 8")
    require(codes.size == 0 or (codes.min() >= 0 and codes.max() < 1 << bits), f"codes do not fit into {bits} bits")
    padded = np.pad(codes.astype(np.uint32), ((0, -len(codes) % WORD), (0, 0)))
    words, low = [], 0
    for width in planes(bits):
        plane = (padded >> np.uint32(low)) & np.uint32((1 << width) - 1)
        parts = plane.reshape(-1, WORD // width, codes.shape[1])
        shifts = np.arange(0, WORD, width, dtype=np.uint32)[:, None]
        words.append(np.bitwise_or.reduce(parts << shifts, axis=1))
        low += width
    return np.concatenate(words).view(np.int32)
