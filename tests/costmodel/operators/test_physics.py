"""What any latency must obey: never faster than the data sheet, never faster for more work, a launch at least."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dovetail.costmodel.hardware import Device, find_device, load_devices
from dovetail.costmodel.operators import (
    collective_s,
    decode_attention_s,
    gemm_s,
    prefill_attention_s,
    quality_of_fit,
)
from dovetail.costmodel.roofline import can_compute, compute_dtype

MEASURED = ("a100-sxm", "h100-sxm", "l40s")
INHERITING = ("h200-sxm", "b200-sxm", "gb200", "l4", "a30", "rtx-pro-6000-server", "b60", "mi300x")
DEVICES = (*MEASURED, *INHERITING)
M = 2.0 ** np.arange(0, 16)


def device(id: str):
    found = find_device(id)
    assert found is not None
    return found


@pytest.mark.parametrize("id", DEVICES)
@pytest.mark.parametrize("dtype", ["bf16", "fp8", "int4"])
def test_no_product_beats_the_data_sheet(id: str, dtype: str) -> None:
    d = device(id)
    n, k = np.array([[512.0], [4096], [28672]]), 4096.0
    stored = {"bf16": 2, "fp8": 1, "int4": 0.5}[dtype]
    floor = np.maximum(2 * M * n * k / d.flops_per_s[compute_dtype(d, dtype)], stored * n * k / d.bandwidth_bytes_per_s)
    assert np.all(gemm_s(d, dtype, M, n, k) > floor)


@pytest.mark.parametrize("id", DEVICES)
def test_more_work_takes_no_less_time(id: str) -> None:
    """Powers of two, so that tiles fit; an estimate may dip by a few per cent where another tile takes over."""
    d, sizes = device(id), 2.0 ** np.arange(6, 15)
    for times in (
        gemm_s(d, "bf16", M, 4096, 4096),
        gemm_s(d, "bf16", 64, sizes, 4096),
        gemm_s(d, "bf16", 64, 4096, sizes),
        decode_attention_s(d, "bf16", "bf16", M[:10], 1024, 32, 8, 128),
        decode_attention_s(d, "bf16", "bf16", 32, sizes, 32, 8, 128),
        prefill_attention_s(d, "bf16", "bf16", 1, sizes, 0, 32, 8, 128),
        prefill_attention_s(d, "bf16", "bf16", 1, 128, sizes, 32, 8, 128),
    ):
        assert np.all(times[1:] > 0.97 * times[:-1])


@pytest.mark.parametrize("id", DEVICES)
def test_no_decode_beats_the_bandwidth(id: str) -> None:
    d, context = device(id), 2.0 ** np.arange(7, 18)
    floor = 2 * 32 * 8 * 128 * 2 * context / d.bandwidth_bytes_per_s
    assert np.all(decode_attention_s(d, "bf16", "bf16", 32, context, 32, 8, 128) > floor)


@pytest.mark.parametrize("id", DEVICES)
def test_no_prefill_beats_the_peak(id: str) -> None:
    d, new = device(id), 2.0 ** np.arange(7, 16)
    floor = 4 * 32 * 128 * new * new / 2 / d.flops_per_s["bf16"]
    assert np.all(prefill_attention_s(d, "bf16", "bf16", 1, new, 0, 32, 8, 128) > floor)


@pytest.mark.parametrize("id", DEVICES)
def test_the_least_is_a_launch(id: str) -> None:
    d = device(id)
    assert 1e-6 < gemm_s(d, "bf16", 1, 1, 1) < 6e-6
    assert 3e-6 < decode_attention_s(d, "bf16", "bf16", 1, 1, 1, 1, 64) < 20e-6


def test_a_window_bounds_what_is_read() -> None:
    d = device("h100-sxm")
    assert decode_attention_s(d, "bf16", "bf16", 32, 65536, 32, 8, 128, window=1024) == pytest.approx(
        float(decode_attention_s(d, "bf16", "bf16", 32, 1024, 32, 8, 128))
    )


def test_one_new_token_is_decode() -> None:
    d = device("l40s")
    assert prefill_attention_s(d, "bf16", "fp8", 8, 1, 2047, 32, 8, 128) == pytest.approx(
        float(decode_attention_s(d, "bf16", "fp8", 8, 2048, 32, 8, 128))
    )


def test_weights_in_the_cache_are_faster() -> None:
    d = device("l40s")
    warm, cold = (float(gemm_s(d, "bf16", 8, 2048, 2048, warm=warm)) for warm in (True, False))
    assert warm < 0.8 * cold
    assert float(gemm_s(d, "bf16", 8, 16384, 16384, warm=True)) == pytest.approx(
        float(gemm_s(d, "bf16", 8, 16384, 16384)), rel=0.02
    )


def test_large_products_reach_a_share_of_the_peak_that_the_watts_allow() -> None:
    """Measured on large 16-bit products: H100 75 to 90 %, A100 80 to 95 %, L40S 55 to 75 % of the data sheet."""
    for id, low, high in (("h100-sxm", 0.7, 0.93), ("a100-sxm", 0.75, 0.97), ("l40s", 0.5, 0.75), ("l4", 0.25, 0.65)):
        d = device(id)
        share = 2 * 8192**3 / d.flops_per_s["bf16"] / float(gemm_s(d, "bf16", 8192, 8192, 8192))
        assert low < share < high, id


def test_collectives_at_their_limits() -> None:
    d = device("h100-sxm")
    assert collective_s(d, "all_reduce", 1e9, 1) == 0
    for op, rounds in (("all_reduce", 2), ("all_gather", 1), ("reduce_scatter", 1), ("all_to_all", 1)):
        wire = rounds * 7 / 8 * 1e9 / d.link_bandwidth_bytes_per_s
        assert wire < collective_s(d, op, 1e9, 8) < 2 * wire
        times = collective_s(d, op, 2.0 ** np.arange(0, 30), 8)
        assert np.all(np.diff(times) >= 0)


def test_only_measured_devices_are_fitted() -> None:
    assert {id for id, d in load_devices().items() if quality_of_fit(d) == "fitted"} == set(MEASURED)


def test_every_device_that_can_multiply_has_an_estimate() -> None:
    for id, d in load_devices().items():
        if can_compute(d, "bf16"):
            assert np.isfinite(gemm_s(d, "bf16", 64, 4096, 4096)), id


def faster(d: Device, name: str) -> Device:
    if name == "bandwidth":
        return replace(d, bandwidth_bytes_per_s=1.2 * d.bandwidth_bytes_per_s)
    if name == "link":
        return replace(d, link_bandwidth_bytes_per_s=1.2 * d.link_bandwidth_bytes_per_s)
    return replace(d, flops_per_s={**d.flops_per_s, name: 1.2 * d.flops_per_s[name]})


@pytest.mark.parametrize("id", [id for id, d in load_devices().items() if d.kind == "gpu"])
def test_no_higher_rate_makes_a_device_slower(id: str) -> None:
    """That includes the 16-bit rate, which says how wide a core is, beside products of other formats.

    Models run on NPUs and CPUs at the roofline; asked for a kernel, their cores are guessed from the rate itself.
    """
    before = device(id)
    for name in (*before.flops_per_s, "bandwidth", "link"):
        after = faster(before, name)
        for dtype in [dtype for dtype in ("bf16", "fp8", "int4") if can_compute(before, dtype)]:
            products = [gemm_s(d, dtype, M, 4096, 8192) for d in (before, after)]
            assert np.all(products[1] <= products[0]), (name, dtype)
        contexts = 2.0 ** np.arange(4, 17, 2)
        for call in ((8, contexts, 32, 8, 128), (8, contexts, 16, 16, 64)):
            decode = [decode_attention_s(d, "bf16", "fp8", *call) for d in (before, after)]
            prefill = [prefill_attention_s(d, "bf16", "fp8", 1, contexts, 0, *call[2:]) for d in (before, after)]
            assert np.all(decode[1] <= decode[0]), name
            assert np.all(prefill[1] <= prefill[0]), name
        if before.link_bandwidth_bytes_per_s:
            sizes = 4.0 ** np.arange(3, 14)
            assert np.all(collective_s(after, "all_reduce", sizes, 8) <= collective_s(before, "all_reduce", sizes, 8))
