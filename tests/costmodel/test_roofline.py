"""The roofline by hand, and which dtype stands in for which."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.costmodel.cost import Cost
from dovetail.costmodel.hardware import Device, load_devices
from dovetail.costmodel.roofline import compute_dtype, efficiency, time_s

H100, A100 = load_devices()["h100-sxm"], load_devices()["a100-sxm"]
assert H100 is not None
assert A100 is not None
AMOUNTS = st.floats(0, 1e15)


def test_bound_by_compute() -> None:
    # 1e15 flops at 63 % of 989.4 TFLOP/s
    assert time_s(Cost(flops=1e15, read_bytes=1e9), H100, "bf16") == pytest.approx(1e15 / (0.63 * 989.4e12))


def test_bound_by_memory_reads_and_writes_add_up() -> None:
    # 3 GB at 85 % of 3350 GB/s
    assert time_s(Cost(flops=1e9, read_bytes=2e9, write_bytes=1e9), H100, "bf16") == pytest.approx(
        3e9 / (0.85 * 3350e9)
    )


def test_launches_come_on_top() -> None:
    assert time_s(Cost(launches=400), H100, "bf16") == pytest.approx(400 * 3.4e-6)


def test_a_device_without_fp8_computes_in_bf16() -> None:
    assert compute_dtype(A100, "fp8") == "bf16"
    assert compute_dtype(H100, "fp8") == "fp8"
    assert compute_dtype(A100, "int4") == "bf16"


def test_a_device_without_a_rate_for_it_is_an_error() -> None:
    bare = Device("x", "npu", "", 1e9, 1e9, {"int8": 1e12}, 0, 0)
    with pytest.raises(ValueError, match="`x` has no FLOP/s for `fp32`"):
        compute_dtype(bare, "fp32")


@given(AMOUNTS, AMOUNTS, AMOUNTS, AMOUNTS)
def test_more_work_is_never_faster(flops: float, more_flops: float, moved: float, more_moved: float) -> None:
    less, more = Cost(flops, moved), Cost(flops, moved) + Cost(more_flops, more_moved, 0.0, 1)
    assert time_s(less, H100, "bf16") < time_s(more, H100, "bf16")


def test_efficiencies_say_how_far_to_trust_them() -> None:
    assert efficiency(H100).quality == "fitted"
    assert efficiency(A100).quality == "guess"
    assert efficiency(A100).source == "as fitted on H100 and H200"
