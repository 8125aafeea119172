"""Packed integers: the layout by hand, every width there and back, and against Python's own big integers."""

from __future__ import annotations

import numpy as np
import pytest

from dovetail.ir.packing import pack, packed_bytes, unpack


def test_the_layout_by_hand() -> None:
    assert pack(np.array([1, 2, 15]), 4).tolist() == [0x21, 0x0F], "the earlier number lies in the low half"
    assert pack(np.array([1, 0, 1, 1]), 1).tolist() == [0b1101]
    # 3 bits: 5 = 101, 3 = 011, 6 = 110, stream from the least bit 101 110 011 -> 0b10_011_101, 0b1
    assert pack(np.array([5, 3, 6]), 3).tolist() == [0b10011101, 0b1]
    assert pack(np.array([-1]), 5).tolist() == [0b11111]


@pytest.mark.parametrize("bits", range(1, 9))
@pytest.mark.parametrize("signed", [True, False])
def test_every_width_there_and_back(bits: int, signed: bool) -> None:
    rng = np.random.default_rng(bits)
    least, beyond = (-(1 << bits - 1), 1 << bits - 1) if signed else (0, 1 << bits)
    for shape in [(0,), (1,), (7,), (8,), (3, 5), (4, 1, 9), (1000,)]:
        values = rng.integers(least, beyond, shape)
        packed = pack(values, bits)
        assert packed.dtype == np.uint8
        assert len(packed) == packed_bytes(values.size, bits) == (values.size * bits + 7) // 8
        stream = sum((int(v) % (1 << bits)) << (i * bits) for i, v in enumerate(values.ravel()))
        assert packed.tobytes() == stream.to_bytes(len(packed), "little")
        assert np.array_equal(unpack(packed, bits, shape, signed), values)


@pytest.mark.parametrize("values", [[16], [-9], [0, 300]])
def test_values_that_do_not_fit_are_refused(values: list[int]) -> None:
    with pytest.raises(ValueError, match="do not fit in 4 bits"):
        pack(np.array(values), 4)


def test_other_widths_and_lengths_are_refused() -> None:
    for bits in (0, 9):
        with pytest.raises(ValueError, match="1 to 8 are"):
            pack(np.array([0]), bits)
        with pytest.raises(ValueError, match="1 to 8 are"):
            unpack(np.zeros(1, np.uint8), bits, (1,))
    with pytest.raises(ValueError, match="3 numbers of 3 bits take 2 bytes, not 1"):
        unpack(np.zeros(1, np.uint8), 3, (3,))
