"""Collectives by hand, and their limits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.costmodel.collectives import (
    all_gather_s,
    all_reduce_s,
    all_to_all_s,
    point_to_point_s,
    reduce_scatter_s,
)

LINK = (450e9, 4e-6)


def test_a_large_all_reduce_is_a_ring() -> None:
    # 2 x 7 messages, and 2 x 7/8 of 1 GB over 450 GB/s
    assert all_reduce_s(1e9, 8, *LINK) == pytest.approx(14 * 4e-6 + 1.75 * 1e9 / 450e9)


def test_a_small_all_reduce_goes_in_one_shot() -> None:
    assert all_reduce_s(1e3, 8, *LINK) == pytest.approx(4e-6 + 7 * 1e3 / 450e9)


def test_one_message() -> None:
    assert point_to_point_s(450e9, *LINK) == pytest.approx(1 + 4e-6)


def test_halves_of_a_ring() -> None:
    # 7 messages of an eighth of 1 GB each
    for half in (all_gather_s, reduce_scatter_s, all_to_all_s):
        assert half(1e9, 8, *LINK) == pytest.approx(7 * (4e-6 + 0.125e9 / 450e9))
        assert half(1e9, 1, *LINK) == 0
    assert all_gather_s(1e9, 8, *LINK) + reduce_scatter_s(1e9, 8, *LINK) == pytest.approx(all_reduce_s(1e9, 8, *LINK))


def test_one_device_has_nobody_to_talk_to() -> None:
    assert all_reduce_s(1e9, 1, *LINK) == 0


@given(st.floats(1, 1e10), st.integers(2, 64))
def test_never_faster_than_the_wire(size: float, devices: int) -> None:
    assert all_reduce_s(size, devices, *LINK) >= size / LINK[0] * (1 - 1e-12)
    assert all_reduce_s(size, devices, *LINK) <= all_reduce_s(size, devices + 1, *LINK)
