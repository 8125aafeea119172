"""Quantities with units, as users write them: "80 GB", "300 ms", "0.40 USD/kWh". One small parser.

Results are in base units: bytes, seconds, bytes/s, FLOP/s, 1/s, USD, watts, fractions.
"""

from __future__ import annotations

import difflib
import math
import re
from dataclasses import dataclass
from decimal import Decimal

HOUR_S = 3600.0
HOURS_PER_YEAR = 8760.0
"""as in the cost formulas of docs/math/tco.md"""
YEAR_S = HOURS_PER_YEAR * HOUR_S
JOULES_PER_KWH = 1000 * HOUR_S

_SI = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}
_BYTES = {f"{p}B": f for p, f in _SI.items()} | {"KB": 1e3}
_BYTES |= {f"{p}iB": 1024.0**n for n, p in enumerate("KMGTP", start=1)}
_TIMES = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": HOUR_S}
_TIMES |= {"d": 24 * HOUR_S, "day": 24 * HOUR_S, "days": 24 * HOUR_S, "year": YEAR_S, "years": YEAR_S}
_TIMES |= {"second": 1.0, "seconds": 1.0, "minutes": 60.0, "hour": HOUR_S, "hours": HOUR_S}
_BITS = {f"{p}bit/s": f / 8 for p, f in _SI.items()}


@dataclass(frozen=True)
class Dimension:
    """What a quantity measures: its name in messages, an example, and its units in base units."""

    name: str
    example: str
    units: dict[str, float]


DIMENSIONS: dict[str, Dimension] = {
    "bytes": Dimension("an amount of memory or data", "80 GB", _BYTES),
    "time": Dimension("a time", "300 ms", _TIMES),
    "bandwidth": Dimension("a bandwidth", "400 Gbit/s", {f"{u}/s": f for u, f in _BYTES.items()} | _BITS),
    "flops": Dimension(
        "a rate of arithmetic",
        "197 TFLOP/s",
        {f"{p}FLOP/s": f for p, f in _SI.items()} | {f"{p}OP/s": f for p, f in _SI.items() if p},
    ),
    "rate": Dimension("a rate of requests", "2 req/s", {"req/s": 1.0, "req/min": 1 / 60, "req/h": 1 / HOUR_S}),
    "money": Dimension("an amount of money", "25000 USD", {"USD": 1.0, "kUSD": 1e3}),
    "rent": Dimension("a price per hour", "2.50 USD/h", {"USD/h": 1.0, "USD/year": 1 / HOURS_PER_YEAR}),
    "electricity": Dimension("a price of electricity", "0.40 USD/kWh", {"USD/kWh": 1.0, "USD/MWh": 1e-3}),
    "tokens": Dimension("a price per token", "0.6 USD/Mtok", {"USD/Mtok": 1e-6, "USD/ktok": 1e-3, "USD/tok": 1.0}),
    "power": Dimension("a power", "700 W", {"mW": 1e-3, "W": 1.0, "kW": 1e3, "MW": 1e6}),
    "fraction": Dimension("a share", "8 %", {"%": 0.01}),
    "clock": Dimension("a clock rate", "1.83 GHz", {"Hz": 1.0, "kHz": 1e3, "MHz": 1e6, "GHz": 1e9}),
    "energy": Dimension("an amount of energy", "800 J", {"J": 1.0, "kJ": 1e3, "Wh": HOUR_S, "kWh": JOULES_PER_KWH}),
    "emission": Dimension("an amount of carbon", "0.2 gCO2", {"gCO2": 1.0, "mgCO2": 1e-3, "kgCO2": 1e3}),
    "carbon": Dimension("an amount of carbon per energy", "400 gCO2/kWh", {"gCO2/kWh": 1.0, "kgCO2/kWh": 1e3}),
    "frequency": Dimension(
        "a frequency", "0.05 per hour", {"per hour": 1.0, "/h": 1.0, "per day": 1 / 24, "per year": 1 / HOURS_PER_YEAR}
    ),
}
"""Dimension id -> units. Base units: bytes, s, bytes/s, FLOP/s, req/s, USD, USD/h, USD/kWh, USD/token, W, J, 1,
gCO2, gCO2/kWh, events per hour."""

LARGEST, SMALLEST = 1e30, 1e-30
"""No figure in base units comes near these; within them products and quotients of several stay finite."""

_QUANTITY = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(.*?)\s*", re.ASCII | re.DOTALL)
_THOUSANDS = re.compile(r"\d{1,3}([,_' ]\d{3})+(\.\d+)?", re.ASCII)


class UnitError(ValueError):
    """The text is no quantity of the dimension asked for; `help` says what to write, where that is known."""

    def __init__(self, message: str, help: str | None = None) -> None:
        super().__init__(message)
        self.help = help


def parse(value: object, dimension: str) -> float:
    """`value` in the base unit of `dimension` (a key of DIMENSIONS); UnitError where it is none.

    A fraction may be a bare number; everywhere else a bare number is an error, since it has no unit.
    """
    wanted = DIMENSIONS[dimension]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _bare(value, wanted, dimension)
    if not isinstance(value, str):
        raise UnitError(f"expected {wanted.name}, such as `{wanted.example}`")
    match = _QUANTITY.fullmatch(value)
    if match is None:
        raise UnitError(f"`{shorten(value)}` is not {wanted.name}", f"write a number and a unit: `{wanted.example}`")
    unit = match[2]
    if unit.startswith("."):
        raise UnitError(f"`{shorten(value)}` is a range, and here one value is wanted", "ranges: docs/guide.md, Ranges")
    if _THOUSANDS.match(value.strip()):
        raise UnitError(f"`{shorten(value)}` is not {wanted.name}", "write the number without separators: `1000`")
    if not unit:
        return _bare(float(match[1]), wanted, dimension)
    if unit not in wanted.units:
        raise _wrong_unit(value, unit, wanted)
    try:
        # In decimal, so that `10 us` is the float next to 1e-5, as if it had been written in seconds.
        result = float(Decimal(match[1]) * Decimal(repr(wanted.units[unit])))
    except ArithmeticError:
        result = math.inf
    if abs(result) > LARGEST or 0 < abs(result) < SMALLEST:
        raise UnitError(f"`{shorten(value)}` is too {'large' if abs(result) > 1 else 'small'} for {wanted.name}")
    return result


def _bare(number: float, wanted: Dimension, dimension: str) -> float:
    if not math.isfinite(number):
        raise UnitError(f"`{number}` is not {wanted.name}", f"write a finite number and a unit: `{wanted.example}`")
    if dimension != "fraction":
        raise UnitError(f"`{number:g}` has no unit", f"write {wanted.name}, such as `{wanted.example}`")
    return float(number)


def _wrong_unit(value: str, unit: str, wanted: Dimension) -> UnitError:
    example = f"write {wanted.name}, such as `{wanted.example}`"
    other = next((d for d in DIMENSIONS.values() if unit in d.units), None)
    if other:
        return UnitError(f"`{shorten(value)}` is {other.name}, not {wanted.name}", example)
    same = [u for u in wanted.units if u.lower() == unit.lower()]
    near = same or difflib.get_close_matches(unit, wanted.units, n=1, cutoff=0.5)
    help = f"did you mean `{near[0]}`?" if near else example
    return UnitError(f"`{shorten(unit)}` is no unit of {wanted.name}", help)


def shorten(text: str, limit: int = 40) -> str:
    """`text` on one line of at most `limit` characters, for a message."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 3] + "..."
