"""Shares of trust."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dovetail.costmodel.figures import Figure
from dovetail.costmodel.hardware import Device, find_device, load_devices
from dovetail.costmodel.quality import quality_of
from dovetail.ir.fleet import PriceSpec


def device(name: str) -> Device:
    found = find_device(name)
    assert found is not None
    return found


def test_a_listed_price_a_data_sheet_and_a_fit_have_a_third_each() -> None:
    assert quality_of(device("h100")) == (("fitted", pytest.approx(1 / 3)), ("data_sheet", pytest.approx(2 / 3)))


def test_a_device_without_measurements_has_a_guess_for_its_efficiency() -> None:
    assert quality_of(device("a100-sxm")) == (("data_sheet", pytest.approx(2 / 3)), ("guess", pytest.approx(1 / 3)))


def test_no_price_is_a_guess_and_the_fleets_is_not() -> None:
    assert dict(quality_of(device("gh200")))["guess"] == pytest.approx(2 / 3)
    assert dict(quality_of(device("gh200"), PriceSpec(capex_usd=2000.0)))["guess"] == pytest.approx(1 / 3)


def test_the_worse_of_compute_and_bandwidth_counts() -> None:
    h100 = device("h100")
    figures = {**h100.figures, "bandwidth": Figure(3e12, "own test", "2026", "measured")}
    assert quality_of(replace(h100, figures=figures)) == quality_of(h100)
    measured = {name: replace(figure, quality="measured") for name, figure in h100.figures.items()}
    assert dict(quality_of(replace(h100, figures=measured)))["measured"] == pytest.approx(2 / 3)


@pytest.mark.parametrize("id", load_devices())
def test_shares_add_up(id: str) -> None:
    assert sum(share for _, share in quality_of(load_devices()[id])) == pytest.approx(1)
