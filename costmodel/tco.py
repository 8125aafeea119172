"""What owning or renting a device costs per hour. Equations are numbered as in `docs/math/tco.md`."""

from __future__ import annotations

from dataclasses import dataclass

from ..ir.fleet import PriceSpec
from ..ir.units import HOURS_PER_YEAR
from .hardware import Device

DEFAULT_LIFE_YEARS = 4.0
"""arXiv 2507.19635, Table 5"""
DEFAULT_INTEREST = 0.08
"""per year; arXiv 2507.19635, Table 5"""


def annuity_factor(interest: float, life_years: float) -> float:
    """a = i (1+i)^L / ((1+i)^L - 1), or 1/L without interest: the yearly payment on 1 USD. Equation (1)."""
    if interest == 0:
        return 1 / life_years
    growth = (1 + interest) ** life_years
    return interest * growth / (growth - 1)


def annuity_usd_per_hour(price_usd: float, interest: float, life_years: float) -> float:
    """[USD/h] that pays price and interest back over the life, in even parts. Equation (2)."""
    return price_usd * annuity_factor(interest, life_years) / HOURS_PER_YEAR


def principal_usd_per_hour(price_usd: float, life_years: float) -> float:
    """[USD/h] of the price alone, straight-line. Equation (3)."""
    return price_usd / (HOURS_PER_YEAR * life_years)


def interest_only_usd_per_hour(price_usd: float, interest: float, life_years: float) -> float:
    """[USD/h] of the interest alone, compounded monthly: P ((1+i/12)^(12L) - 1) / (8760 L). Equation (4).

    What Table 5 of arXiv 2507.19635 adds to the price of energy.
    """
    return price_usd * ((1 + interest / 12) ** (12 * life_years) - 1) / (HOURS_PER_YEAR * life_years)


@dataclass(frozen=True)
class Money:
    """What one device costs [USD/h], energy apart."""

    capex: float = 0.0
    """the price, straight-line"""
    interest: float = 0.0
    rent: float = 0.0

    @property
    def total(self) -> float:
        """[USD/h]"""
        return self.capex + self.interest + self.rent

    @property
    def parts(self) -> tuple[tuple[str, float], ...]:
        """(part, USD/h), as the placement problem has it."""
        return (("capex", self.capex), ("interest", self.interest), ("rent", self.rent))


def is_rented(price: PriceSpec, device: Device | None = None) -> bool:
    """Whether a rent is what the device costs: the fleet's, or the catalogue's where neither knows another price."""
    if price.is_spot or price.rent_usd_per_hour is not None or price.capex_usd is not None:
        return price.is_spot or price.rent_usd_per_hour is not None
    return device is not None and device.list_price_usd is None and device.rent_usd_per_hour is not None


def money(price: PriceSpec, device: Device | None = None) -> Money | None:
    """What one device costs per hour by the fleet's price, or by the catalogue's where the fleet has none.

    The fleet's rent goes first (`spot`: the catalogue's), then its purchase price, then the catalogue's list price,
    then its rent. None where neither has a price.
    """
    if is_rented(price, device):
        rent = price.rent_usd_per_hour
        if rent is None and device is not None:
            rent = device.spot_usd_per_hour if price.is_spot else device.rent_usd_per_hour
        if rent is None and price.is_spot:
            return None
        return Money(rent=rent or 0.0)
    capex_usd = price.capex_usd
    if capex_usd is None and device is not None:
        capex_usd = device.list_price_usd
    if capex_usd is None:
        return None
    life = DEFAULT_LIFE_YEARS if price.life_years is None else price.life_years
    interest = DEFAULT_INTEREST if price.interest is None else price.interest
    if price.accounting == "interest_only":
        return Money(interest=interest_only_usd_per_hour(capex_usd, interest, life))
    principal = principal_usd_per_hour(capex_usd, life)
    return Money(principal, annuity_usd_per_hour(capex_usd, interest, life) - principal)
