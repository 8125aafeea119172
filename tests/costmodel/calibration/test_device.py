"""Kernels fitted to few rows: what the rows tell is found, what they do not stays, one spike bends nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dovetail.costmodel.calibration.device import (
    Free,
    calibrate_kernels,
    fit_kernels,
    start_of,
    with_kernels,
)
from dovetail.costmodel.calibration.operator_rows import OperatorRows
from dovetail.costmodel.hardware import Device, find_device

PLAIN = ("gemm_plain",)


def device(id: str) -> Device:
    found = find_device(id)
    assert found is not None
    return found


UNKNOWN = device("h200-sxm")
"""a device without measurements of its kernels"""


def products(count: int, seed: int = 0) -> OperatorRows:
    """GEMMs of random shapes, whose times are to be set."""
    m, n, k = 2.0 ** np.random.default_rng(seed).uniform(0, 13, (3, count))
    shape = tuple(np.ceil(size / 32) * 32 for size in (m, n, k))
    return OperatorRows("gemm", np.array(["bf16"] * count), shape, np.ones(count))


def differing(base: Device, **factors: float) -> Device:
    """`base` with coefficients of plain products multiplied by these."""
    start = start_of(base, PLAIN)["gemm_plain"]
    return with_kernels(base, {"gemm_plain": {n: v * factors.get(n, 1.0) for n, v in start.items()}})


def measured_on(rows: OperatorRows, truth: Device) -> OperatorRows:
    """The rows with the times that `truth` takes, each off by some 3 %."""
    off = np.exp(0.03 * np.random.default_rng(1).standard_normal(len(rows)))
    return replace(rows, measured_s=rows.predict_s(truth) * off)


def error(rows: OperatorRows, of: Device) -> float:
    return float(np.median(np.abs(rows.predict_s(of) / rows.measured_s - 1)))


def fitted(rows: OperatorRows, base: Device) -> Device:
    return with_kernels(base, fit_kernels(rows, base, start_of(base, rows.kernels(base))))


SLOW = {"launch_clocks": 2.0, "compute_share": 0.6, "bandwidth_share": 0.6}


@pytest.mark.parametrize("seed", range(5))
def test_ten_rows_bring_a_slower_device_near_on_rows_not_seen(seed: int) -> None:
    truth = differing(UNKNOWN, **SLOW)
    found = fitted(measured_on(products(10, seed), truth), UNKNOWN)
    rest = measured_on(products(200, 99), truth)
    assert error(rest, UNKNOWN) > 0.25
    assert error(rest, found) < 0.1


def test_rows_as_predicted_move_nothing() -> None:
    rows = products(10)
    rows = replace(rows, measured_s=rows.predict_s(UNKNOWN))
    start = start_of(UNKNOWN, PLAIN)
    found = fit_kernels(rows, UNKNOWN, start)
    assert found["gemm_plain"] == pytest.approx(start["gemm_plain"], rel=1e-3)


def test_a_spike_among_ten_rows_counts_for_little() -> None:
    truth = differing(UNKNOWN, **SLOW)
    rows, rest = measured_on(products(10), truth), measured_on(products(200, 99), truth)
    spiked = replace(rows, measured_s=np.where(np.arange(10) == 3, 20 * rows.measured_s, rows.measured_s))
    assert error(rest, fitted(spiked, UNKNOWN)) < 0.12


def test_a_choice_of_the_kernel_is_found() -> None:
    """Grouped queries packed into one block, or not: prefill of 64 heads on few KV heads tells."""
    base = device("a100-sxm")
    start = start_of(base, ("prefill_16_bit",))["prefill_16_bit"]
    assert start["packs_groups"] == 0
    truth = with_kernels(base, {"prefill_16_bit": {**start, "packs_groups": 1}})
    columns = tuple(
        np.array(c, float) for c in zip(*[(8, 32 * i, 0, 64, 2, 128, 0) for i in range(1, 13)], strict=True)
    )
    rows = OperatorRows("attention", np.array(["bf16"] * 12), columns, np.ones(12))
    rows = replace(rows, measured_s=rows.predict_s(truth))
    assert error(rows, base) > 0.2
    found = fit_kernels(rows, base, start_of(base, rows.kernels(base)))
    assert found["prefill_16_bit"]["packs_groups"] == 1


def test_shares_stay_shares_and_powers_stay_above_one() -> None:
    free = Free.of(start_of(UNKNOWN, PLAIN))
    for moves in (np.full(len(free.names), 5.0), np.full(len(free.names), -5.0)):
        values = free.moved(moves, {"gemm_plain": {}})["gemm_plain"]
        assert 0 < values["compute_share"] <= 1
        assert values["overlap"] > 1


def test_the_prior_is_a_covariance_under_which_times_rise_together() -> None:
    free = Free.of(start_of(UNKNOWN, ("gemm_plain", "gemm_quantised")))
    covariance = free.covariance()
    assert np.linalg.eigvalsh(covariance).min() > 0
    at = {name: index for index, name in enumerate(free.names)}
    launch, other = at["gemm_plain", "launch_clocks"], at["gemm_quantised", "launch_clocks"]
    assert covariance[launch, other] > covariance[launch, at["gemm_plain", "block"]] > 0
    assert covariance[launch, at["gemm_plain", "compute_share"]] < 0


def test_rows_left_out_are_predicted_without_themselves() -> None:
    """A spike is far off where it was left out, though the fit to all rows would come nearer to it."""
    rows = measured_on(products(10), UNKNOWN)
    spiked = replace(rows, measured_s=np.where(np.arange(10) == 3, 1.3 * rows.measured_s, rows.measured_s))
    values, apart = calibrate_kernels(spiked, UNKNOWN)
    inside = spiked.predict_s(with_kernels(UNKNOWN, values))
    assert apart[3] < inside[3] < spiked.measured_s[3]
