"""Phases at once on parts of a GPU: what moves, how bandwidth is shared, and that nothing is faster than alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.costmodel import serving
from dovetail.costmodel.hardware import find_device
from dovetail.costmodel.models import LLM, find_model
from dovetail.costmodel.serving.split import beside_s, drawn_bytes_per_s, moved_bytes

POSITIVE = st.floats(1e-3, 1e3)


def replica(model: str = "llama-3.1-8b", device: str = "h100-sxm", tp: int = 1) -> serving.Replica:
    llm, found = find_model(model), find_device(device)
    assert isinstance(llm, LLM)
    assert found is not None
    return serving.Replica(llm, found, serving.Parallel(tp), llm.precision)


def test_a_decode_step_reads_weights_and_caches() -> None:
    """8.03e9 parameters less one table of 0.53e9 in 2 bytes, and 131,072 bytes a token of 4 x 1001 tokens."""
    moved = moved_bytes(replica(), serving.Batch(4.0, 1.0, 1000.0, decoding=True))
    assert moved == pytest.approx(2 * (8.03e9 - 0.525e9) + 4 * 1001 * 131_072, rel=2e-3)


def test_experts_count_as_far_as_tokens_touch_them() -> None:
    mixture = replica("mixtral-8x7b")
    one, many = (moved_bytes(mixture, serving.Batch(float(b), 1.0, 0.0, decoding=True)) for b in (1, 64))
    assert one < 0.35 * many
    assert many == pytest.approx(2 * 46.7e9, rel=0.03)


def test_a_quarter_of_an_h100_draws_all_of_its_bandwidth_and_a_tenth_does_not() -> None:
    """132 multiprocessors, 64 bytes a clock of 1.755 GHz or so: 33 draw 3.7 TB/s, of 3.35."""
    device = replica().device
    assert serving.part_of(device, 0.25).bandwidth_bytes_per_s == device.bandwidth_bytes_per_s
    tenth = serving.part_of(device, 0.1)
    assert tenth.bandwidth_bytes_per_s == pytest.approx(drawn_bytes_per_s(device, 13))
    assert tenth.bandwidth_bytes_per_s < 0.5 * device.bandwidth_bytes_per_s


@pytest.mark.parametrize("share", [0.0, 1.0, -0.5])
def test_a_phase_needs_a_part(share: float) -> None:
    with pytest.raises(ValueError, match="more than none"):
        serving.part_of(replica().device, share)


@given(POSITIVE, POSITIVE, POSITIVE, POSITIVE, POSITIVE)
def test_two_phases_never_draw_more_than_there_is(a_s: float, a: float, b_s: float, b: float, bandwidth: float) -> None:
    first, second = beside_s((a_s, a), (b_s, b), bandwidth)
    assert first >= a_s
    assert second >= b_s
    assert a / first + b / second <= bandwidth * (1 + 1e-9)
    # Only who wants more than half is slowed, and nobody gets less than what the other leaves.
    assert first == a_s or a / a_s > bandwidth / 2 or a / first == pytest.approx(bandwidth - b / b_s)


@pytest.mark.parametrize("model", ["llama-3.1-8b", "mixtral-8x7b", "deepseek-v2-lite"])
def test_more_of_the_device_is_never_slower(model: str) -> None:
    """And on the whole device, one phase alone is faster than on any part of it."""
    server = replica(model, tp=2)
    found = [serving.split_times(server, share, 2000.0, 500.0, 16.0, 2100.0) for share in (0.2, 0.4, 0.6, 0.8)]
    prefills, steps = [float(f.prefill) for f in found], [float(f.step) for f in found]
    assert prefills == sorted(prefills, reverse=True)
    assert prefills[-1] > serving.prefill_s(server, 2000.0, 500.0)
    assert steps[0] > serving.decode_step_s(server, 16.0, 2100.0)
    assert max(steps) == steps[-1]
