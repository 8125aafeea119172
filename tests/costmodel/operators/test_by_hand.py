"""The formulas of docs/math/operators.md, worked by hand on a chip of round numbers."""

from __future__ import annotations

import numpy as np
import pytest

from dovetail.costmodel.operators.attention import Call, decode_s
from dovetail.costmodel.operators.chip import Chip
from dovetail.costmodel.operators.coefficients import blend, shares
from dovetail.costmodel.operators.collectives import one_kernel_s, protocols_s
from dovetail.costmodel.operators.gemm import quantise_s
from dovetail.costmodel.operators.memory import either_s, move_s, powered, resident

CHIP = Chip("round", {"bf16": 200e12}, 1e12, 100, 40e6, 1e9, 400, 100e9)


def test_a_set_as_large_as_the_cache_hits_half() -> None:
    c = {"cache_share": 0.5, "cache_steepness": 8.0}
    assert resident(CHIP, c, 20e6) == pytest.approx(0.5)
    assert resident(CHIP, c, 40e6) == pytest.approx(1 / 257)


def test_bytes_from_memory_and_from_the_cache() -> None:
    c = {"draw": 20e9, "bandwidth_share": 0.8, "cache_bytes_per_clock": 50.0}
    assert move_s(CHIP, c, 8e6, 0.0, 100) == pytest.approx(10e-6)  # 8 MB at 0.8 TB/s
    assert move_s(CHIP, c, 8e6, 0.0, 10) == pytest.approx(40e-6)  # ten blocks draw 0.2 TB/s
    assert move_s(CHIP, c, 8e6, 1.0, 100) == pytest.approx(1.6e-6)  # 100 cores x 50 bytes x 1 GHz


def test_overlap_goes_from_the_sum_to_the_greater() -> None:
    a, b = np.array(3.0), np.array(4.0)
    assert [float(either_s(a, b, p)) for p in (1, 2)] == pytest.approx([7, 5])
    assert float(either_s(a, b, 60)) == pytest.approx(4, rel=1e-3)


def test_power() -> None:
    # 400 W x 0.5 TFLOP/s a watt = 200 TFLOP/s, the peak, at 2000 FLOP a clock and core
    x = (2000 / 2048) ** (2 / 3)
    assert powered(CHIP, {"flops_per_watt": 0.5e12}, CHIP.matrix_flops_per_s) == pytest.approx(x / (1 + x**4) ** 0.25)


def test_watts_without_end_leave_all_of_the_peak() -> None:
    assert powered(CHIP, {"flops_per_watt": 0.5e12}, 1e-280) == pytest.approx(1)


def test_quantising_rows() -> None:
    c = {"second_launch_clocks": 2000.0, "row": 1e-6, "traffic": 3.0}
    time_s = quantise_s(CHIP, c, np.array(400.0), np.array(1000.0))
    assert time_s == pytest.approx(2e-6 + 4e-6 + 1.2e-6)


def test_decode_of_many_sequences() -> None:
    c = {
        "launch_clocks": 5000.0, "overlap": 1.0, "block": 4e-6, "combine": 7e-6, "step": 0.0, "chunk": 128.0,
        "most_parts": 32.0, "splits_plain_heads": 1.0, "draw": 50e9, "bandwidth_share": 1.0,
        "cache_bytes_per_clock": 50.0, "cache_share": 1.0, "cache_steepness": 8.0,
    }  # fmt: skip
    call = Call.of(25, 1, 999, 32, 8, 100, 0)
    read = 2 * 25 * 8 * 1000 * 100 * 2 / 1e12
    queries = 4 * 25 * 32 * 100 / 1e12
    assert decode_s(CHIP, c, 2.0, call, warm=False) == pytest.approx(5e-6 + read + queries + 2 * 4e-6)


def test_a_device_like_two_others_is_between_them() -> None:
    weights = shares(CHIP, {"a": (2 * np.log(2e12) - 1, np.log(1e10)), "b": (2 * np.log(2e12) + 1, np.log(1e10))})
    assert weights == pytest.approx({"a": 0.5, "b": 0.5})
    devices = {"a": {"launch": 1.0, "packs_groups": 0.0}, "b": {"launch": 4.0, "packs_groups": 1.0}}
    assert blend({"a": 0.5, "b": 0.5}, devices)["launch"] == pytest.approx(2.0)
    assert blend({"a": 0.4, "b": 0.6}, devices)["packs_groups"] == 1.0


def test_collectives() -> None:
    c = {"launch_clocks": 5000.0, "hop": 1e-6, "contention": 0.0, "low_share": 0.25, "bulk_start": 1e-5, "share": 1.0}
    size, four = np.array([400.0, 400e6]), np.array(4.0)
    small, large = protocols_s(CHIP, c, "all_gather", size, four)
    assert small == pytest.approx(5e-6 + 3e-6 + 300 / 25e9)
    assert large == pytest.approx(5e-6 + 3e-6 + 1e-5 + 300e6 / 100e9)
    kernel = {"launch_clocks": 5000.0, "hop": 0.0, "contention": 0.0, "share": 1.0, "barrier": 2e-6}
    once, twice, never = one_kernel_s(CHIP, kernel, np.array([1e3, 4e6, 1e8]), four)
    assert once == pytest.approx(5e-6 + 3e3 / 100e9)
    assert twice == pytest.approx(5e-6 + 2e-6 + 6e6 / 100e9)
    assert np.isinf(never)
