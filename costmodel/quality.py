"""How far the cost on a device is to be trusted, as shares of it by quality mark."""

from __future__ import annotations

from ..ir.fleet import PriceSpec
from .figures import QUALITIES, worst
from .hardware import Device
from .roofline import efficiency

GIVEN = "data_sheet"
"""the mark of what the user's fleet states, prices as well as figures"""


def quality_of(device: Device, price: PriceSpec | None = None) -> tuple[tuple[str, float], ...]:
    """(mark, share) of what a device's time and money rest on, most trusted first; shares add up to 1.

    cost = price x work / (data-sheet rate x share of it that is reached): a relative error in any of the three
    factors moves the cost alike, so each has a third. The rate's mark is the worse of FLOP/s and bandwidth; the
    price's is that of the figure that `tco.money` takes (the fleet's own `price` counts as stated), and where there
    is none, a guess.
    """
    marks = [_rate_mark(device), efficiency(device).quality, _price_mark(device, price)]
    return tuple((mark, marks.count(mark) / len(marks)) for mark in QUALITIES if mark in marks)


def as_guess(shares: tuple[tuple[str, float], ...]) -> tuple[tuple[str, float], ...]:
    """The same where how the device is used is a guess, however well its times are fitted else."""
    known = dict(shares)
    known["guess"] = known.pop("fitted", 0.0) + known.pop("guess", 0.0)
    return tuple((mark, share) for mark, share in known.items() if share)


def _rate_mark(device: Device) -> str:
    figures = (f for name, f in device.figures.items() if name == "bandwidth" or name.startswith("flops."))
    return worst(*(figure.quality for figure in figures))


def _price_mark(device: Device, price: PriceSpec | None) -> str:
    if price is not None and (price.rent_usd_per_hour is not None or price.capex_usd is not None):
        return GIVEN
    if price is not None and price.is_spot:
        figure = device.figures.get("spot")
    else:
        figure = device.figures.get("list_price") or device.figures.get("rent")
    return figure.quality if figure else "guess"
