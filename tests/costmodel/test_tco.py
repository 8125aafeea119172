"""Money: the paper's table, the annuity by hand, and which price goes before which."""

from __future__ import annotations

import pytest

from dovetail.costmodel.energy import usd_per_joule
from dovetail.costmodel.hardware import find_device
from dovetail.costmodel.tco import (
    annuity_factor,
    annuity_usd_per_hour,
    interest_only_usd_per_hour,
    money,
    principal_usd_per_hour,
)
from dovetail.ir.fleet import PriceSpec

# arXiv 2507.19635, Table 5: price [USD], power [W], printed operating cost [USD/h]; 8 %, 4 years, 0.40 USD/kWh.
TABLE_5 = [
    ("a40", 3000, 300, 0.15),
    ("a100-sxm", 8000, 400, 0.25),
    ("gaudi3", 12500, 900, 0.49),
    ("mi300x", 20000, 750, 0.52),
    ("b200", 40000, 1000, 0.83),
]


def operating_usd_per_hour(price_usd: float, power_w: float) -> float:
    """The paper's figure: interest alone, and the full power without PUE."""
    return interest_only_usd_per_hour(price_usd, 0.08, 4) + power_w * 3600 * usd_per_joule(0.40)


@pytest.mark.parametrize(("id", "price_usd", "power_w", "printed"), TABLE_5)
def test_table_5_is_interest_alone_and_energy(id: str, price_usd: float, power_w: float, printed: float) -> None:
    assert operating_usd_per_hour(price_usd, power_w) == pytest.approx(printed, abs=0.01)


@pytest.mark.parametrize(("id", "price_usd", "power_w", "printed"), TABLE_5)
def test_the_catalogue_has_the_prices_and_powers_of_table_5(
    id: str, price_usd: float, power_w: float, printed: float
) -> None:
    device = find_device(id)
    assert device is not None
    assert (device.list_price_usd, device.tdp_w) == (price_usd, power_w)
    paid = money(PriceSpec(accounting="interest_only"), device)
    assert paid is not None
    assert paid.total + device.tdp_w / 1000 * 0.40 == pytest.approx(printed, abs=0.01)


def test_the_h100_of_table_5_fits_30000_usd_and_not_the_printed_25000() -> None:
    assert operating_usd_per_hour(30000, 700) == pytest.approx(0.60, abs=0.01)
    assert operating_usd_per_hour(25000, 700) == pytest.approx(0.548, abs=0.001)


def test_annuity_by_hand() -> None:
    # 1.08^4 = 1.36048896, and 0.08 x 1.36048896 / 0.36048896 = 0.30192080
    assert annuity_factor(0.08, 4) == pytest.approx(0.3019208, abs=1e-7)
    assert annuity_factor(0.0, 4) == 0.25
    assert annuity_usd_per_hour(25000, 0.08, 4) == pytest.approx(25000 * 0.3019208 / 8760, rel=1e-6)


def test_an_annuity_pays_back_what_was_borrowed() -> None:
    debt, payment = 1000.0, 1000 * annuity_factor(0.05, 7)
    for _ in range(7):
        debt = debt * 1.05 - payment
    assert debt == pytest.approx(0, abs=1e-9)


def test_parts_of_an_annuity_add_up_to_it() -> None:
    paid = money(PriceSpec(capex_usd=25000, life_years=4, interest=0.08))
    assert paid is not None
    assert paid.capex == pytest.approx(principal_usd_per_hour(25000, 4)) == pytest.approx(25000 / 35040)
    assert sum(usd for _, usd in paid.parts) == pytest.approx(annuity_usd_per_hour(25000, 0.08, 4))


def test_interest_alone_leaves_out_the_principal() -> None:
    paid = money(PriceSpec(capex_usd=8000, accounting="interest_only"))
    assert paid is not None
    assert (paid.capex, paid.rent) == (0, 0)
    assert paid.interest == pytest.approx(8000 * ((1 + 0.08 / 12) ** 48 - 1) / 35040)


def test_the_fleets_rent_goes_first_then_its_capex_then_the_catalogue() -> None:
    tpu, h100, a30 = find_device("tpu-v5e"), find_device("h100"), find_device("a30")
    both = money(PriceSpec(rent_usd_per_hour=2.0, capex_usd=1.0), h100)
    bought = money(PriceSpec(capex_usd=35040, interest=0.0), tpu)
    rented, listed = money(PriceSpec(), tpu), money(PriceSpec(interest=0.0), h100)
    assert both is not None
    assert bought is not None
    assert rented is not None
    assert listed is not None
    assert (both.total, bought.total, rented.total) == (2.0, 1.0, 1.2)
    assert listed.total == pytest.approx(25000 / 35040)
    assert money(PriceSpec(), a30) is None
