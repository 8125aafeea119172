"""Power, energy, carbon."""

from __future__ import annotations

import pytest

from dovetail.costmodel.energy import (
    carbon_g,
    energy_above_idle_j,
    energy_usd_per_hour,
    power_w,
    usd_per_joule,
)
from dovetail.costmodel.hardware import Device, find_device


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
