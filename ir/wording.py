"""Figures as people read them: in the unit that suits them, with as many digits as they need."""

from __future__ import annotations

import math
from collections.abc import Sequence


def counted(number: int, noun: str) -> str:
    """So many of what the noun says, `s` being its plural: 1 input; 2 inputs."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def named(names: Sequence[str], most: int) -> str:
    """Names in a sentence, the first `most` of them where there are more: a, b and 7 more."""
    rest = len(names) - most
    return ", ".join(names) if rest <= 0 else f"{', '.join(names[:most])} and {rest:,} more"


def dollars(usd: float) -> str:
    """`usd` to the cent, large sums without cents and small ones to four digits: 107,748; 12.30; 0.00171."""
    if usd == 0:
        return "0"
    if abs(usd) >= 1000:
        return f"{usd:,.0f}"
    if abs(usd) >= 1:
        return f"{usd:.2f}"
    text = _plain(usd, 4)
    return text + "0" * (2 - len(text.partition(".")[2]))


def dollar_column(sums_usd: Sequence[float]) -> list[str]:
    """Sums that stand under each other, all with as many decimals as their total needs."""
    total = sum(sums_usd)
    decimals = 2 if total >= 1 or total == 0 else 3 - math.floor(math.log10(total))
    least = 10.0**-decimals
    return [f"<{least:.{decimals}f}" if 0 < usd < least / 2 else f"{usd:,.{decimals}f}" for usd in sums_usd]


def number(value: float) -> str:
    """`value` to three digits, never with an exponent: 812; 0.09; 1,230."""
    return f"{value:,.0f}" if abs(value) >= 1000 else _plain(value, 3)


def time(seconds: float) -> str:
    """A time in the unit that suits it: 18 ms; 1.5 s; 12 min."""
    for unit_s, unit, below_s in ((1e-6, "us", 1e-3), (1e-3, "ms", 1.0), (1.0, "s", 300.0), (60.0, "min", 7200.0)):
        if abs(seconds) < below_s * 0.9995:
            return f"{number(seconds / unit_s)} {unit}"
    return f"{number(seconds / 3600)} h"


def data(size_bytes: float) -> str:
    """An amount of data: 328 MB."""
    for unit, above in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size_bytes >= above:
            return f"{number(size_bytes / above)} {unit}"
    return f"{number(size_bytes)} B"


def memory(size_bytes: int) -> str:
    """An amount of memory, exact where it is a whole number of KiB: 512 B; 1,568 KiB."""
    if size_bytes < 10_000:
        return f"{size_bytes:,} B"
    return f"{size_bytes / 1024:,.2f}".rstrip("0").rstrip(".") + " KiB"


def share(fraction: float) -> str:
    """A fraction in per cent: 92 %; 0.3 %; `>99 %` for what is nearly all."""
    percent = 100 * fraction
    if percent >= 99.5 and fraction < 1:
        return ">99 %"
    if 0 < percent < 0.1:
        return "<0.1 %"
    return f"{percent:.0f} %" if percent >= 1 or percent == 0 else f"{_plain(percent, 1)} %"


def _plain(value: float, digits: int) -> str:
    """`value` to that many significant digits, without exponent and without zeros at the end."""
    if value == 0:
        return "0"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
