"""Power, energy, carbon."""

from __future__ import annotations

import pytest

from dovetail.costmodel.cost import Cost
from dovetail.costmodel.energy import (
    carbon_g,
    energy_above_idle_j,
    energy_usd_per_hour,
    metered_j,
    power_w,
    server_power_w,
    usd_per_joule,
    working_power_w,
)
from dovetail.costmodel.hardware import Device, find_device
from dovetail.costmodel.roofline import time_s


@pytest.fixture
def h100() -> Device:
    """700 W at most, 70 W idle."""
    device = find_device("h100")
    assert device is not None
    return device


def test_power_goes_from_idle_to_tdp(h100: Device) -> None:
    assert [power_w(h100, u) for u in (0, 0.5, 1)] == pytest.approx([70, 385, 700])


def test_an_hour_of_electricity_by_hand(h100: Device) -> None:
    # 0.385 kW x 1.1 x 0.40 USD/kWh
    assert energy_usd_per_hour(h100, 0.5, 0.40, 1.1) == pytest.approx(0.1694)
    assert usd_per_joule(0.36) == pytest.approx(1e-7)


def test_work_takes_the_power_above_idle(h100: Device) -> None:
    assert energy_above_idle_j(h100, 2.0, devices=4) == pytest.approx(630 * 2 * 4)


def test_carbon_by_hand() -> None:
    assert carbon_g(3.6e6, 400, 1.1) == pytest.approx(440)


def test_power_by_what_the_work_is_bound_by(h100: Device) -> None:
    half_s = time_s(Cost(1e15), h100, "bf16")
    arithmetic = working_power_w(h100, Cost(1e15), "bf16", 2 * half_s)
    assert arithmetic == pytest.approx(70 + 630 / 2)  # half the time in products
    # 3 TB in a second at 147 pJ a byte
    assert working_power_w(h100, Cost(0, 2e12, 1e12), "bf16", 1.0) == pytest.approx(70 + 441)
    assert working_power_w(h100, Cost(1e18, 1e13), "bf16", 1.0) == 700  # the card keeps to its limit
    assert working_power_w(h100, Cost(), "bf16", 1.0) == 70


def test_a_site_pays_for_cooling_and_a_server_for_its_host() -> None:
    assert metered_j(300, 10, devices=4, pue=1.5) == pytest.approx(18_000)
    assert server_power_w(400, 8, 3300) == 6500
