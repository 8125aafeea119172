"""
Integers of 1 to 8 bits packed into bytes.

Little-endian in bits: element i holds bits N i to N i + N - 1 of the stream, least first, and bit j of the stream is
bit j % 8 (of value 2^(j % 8)) of byte j / 8. So two 4-bit numbers share a byte with the earlier in the low half, and a
number of 3 bits may lie across two bytes. The last byte is filled up with zeros.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

GROUP = 8
"""elements packed at once: N bytes, whatever N"""


def packed_bytes(count: int, bits: int) -> int:
    """[bytes] that `count` numbers of `bits` take."""
    return (count * bits + 7) // 8


def pack(values: NDArray[np.integer], bits: int) -> NDArray[np.uint8]:
    """
    The elements of `values`, row by row, as packed bytes; negative ones in two's complement.

    ValueError for a width outside 1 to 8, and for a value that fits neither as a signed nor as an unsigned number.
    """
    _check(bits)
    flat = np.asarray(values).ravel().astype(np.int64)
    if flat.size and not -(1 << bits - 1) <= flat.min() <= flat.max() < 1 << bits:
        raise ValueError(f"values from {flat.min()} to {flat.max()} do not fit in {bits} bits")
    groups = np.zeros((-(-flat.size // GROUP), GROUP), dtype=np.uint64)
    groups.ravel()[: flat.size] = (flat & ((1 << bits) - 1)).astype(np.uint64)
    words = np.bitwise_or.reduce(groups << _shifts(bits), axis=1)
    stream = words.astype("<u8")[:, None].view(np.uint8)[:, :bits]
    return stream.reshape(-1)[: packed_bytes(flat.size, bits)].copy()


def unpack(packed: NDArray[np.uint8], bits: int, shape: Sequence[int], signed: bool = True) -> NDArray[np.integer]:
    """
    The numbers of `bits` that `pack` put into bytes, in `shape`: int8 of two's complement if `signed`, else uint8.

    ValueError for a width outside 1 to 8, and for another number of bytes than `shape` needs.
    """
    _check(bits)
    count = prod(shape)
    if len(packed) != packed_bytes(count, bits):
        message = f"{count} numbers of {bits} bits take {packed_bytes(count, bits)} bytes, not {len(packed)}"
        raise ValueError(message)
    stream = np.zeros((-(-count // GROUP), bits), dtype=np.uint8)
    stream.ravel()[: len(packed)] = packed
    words = np.zeros((len(stream), 8), dtype=np.uint8)
    words[:, :bits] = stream
    numbers = (words.view("<u8") >> _shifts(bits)) & np.uint64((1 << bits) - 1)
    flat = numbers.astype(np.uint8).ravel()[:count]
    if signed:
        spare = 8 - bits  # the sign bit is moved to the top and back, which fills the bits above it
        flat = (flat << spare).view(np.int8) >> spare
    return flat.reshape(tuple(shape))


def _shifts(bits: int) -> NDArray[np.uint64]:
    return np.arange(GROUP, dtype=np.uint64) * np.uint64(bits)


def _check(bits: int) -> None:
    if not 1 <= bits <= 8:
        raise ValueError(f"numbers of {bits} bits are not packed: 1 to 8 are")
