"""Shares of a device's memory that engines are told to take."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.costmodel.serving import find_engine, given_share
from dovetail.costmodel.serving.engine_share import needed_share

GB = 1e9
VLLM = find_engine("vllm")


@pytest.mark.parametrize(
    ("held", "share"),
    [
        (95.0, 0.96),  # 95 % and one for room
        (94.2, 0.96),  # rounded up
        (40.0, 0.90),  # what vLLM takes by itself
        (96.0, 0.97),
        (100.0, 0.97),  # no more can be given
        (0.0, 0.90),
    ],
)
def test_shares_by_hand(held: float, share: float) -> None:
    assert given_share(held * GB, 100 * GB, VLLM) == share


@given(st.floats(0, 300e9), st.floats(16e9, 300e9))
def test_an_engine_has_what_it_needs_where_that_can_be_given(held: float, memory: float) -> None:
    share, need = given_share(held, memory, VLLM), needed_share(held, memory)
    assert VLLM.memory_share <= share <= 0.97
    assert share >= need or need > 0.97
    assert held + 0.0099 * memory <= need * memory <= held + 0.0201 * memory
