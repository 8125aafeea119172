"""What may stand behind an option of a command: from its text to a value, or argparse's own error."""

from __future__ import annotations

import argparse

MOST_BYTES = 2**53
"""up to here every number of bytes is told from the next"""


def positive(text: str) -> float:
    """A number above 0."""
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError("give a number above 0")
    return value


def percentage(text: str) -> float:
    """A number between 0 and 100, both left out."""
    value = float(text)
    if not 0 < value < 100:
        raise argparse.ArgumentTypeError("give a percentage between 0 and 100")
    return value


def size_bytes(text: str) -> int:
    """`text` in bytes: a whole number, or a quantity with a unit that comes to one."""
    from ..ir.units import UnitError, parse

    try:
        value = float(text) if text.isascii() and text.isdigit() else parse(text, "bytes")
        if value > MOST_BYTES:
            raise UnitError(f"`{text[:40]}` is more than {MOST_BYTES:,} bytes")
    except UnitError as error:
        help = f" ({error.help})" if error.help else ""
        raise argparse.ArgumentTypeError(f"{error}{help}") from None
    if value < 0 or value != int(value):
        raise argparse.ArgumentTypeError(f"`{text}` is no whole number of bytes, 0 or more")
    return int(value)


def level(text: str) -> tuple[str, int | None, float]:
    """Name, bytes (None where left out) and bytes per second of `NAME:SIZE:BANDWIDTH`."""
    from ..ir.units import UnitError, parse

    name, *figures = text.split(":")
    if not name or len(figures) != 2:
        raise argparse.ArgumentTypeError(f"`{text}` is not NAME:SIZE:BANDWIDTH, such as sram:4MiB:100GB/s")
    try:
        return name, size_bytes(figures[0]) if figures[0] else None, parse(figures[1], "bandwidth")
    except UnitError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def count(text: str) -> int:
    """A whole number of 1 or more."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError("give a whole number of 1 or more")
    return int(text)


def alignment(text: str) -> int:
    """As `size_bytes`, of 1 or more."""
    value = size_bytes(text)
    if value < 1:
        raise argparse.ArgumentTypeError("give an alignment of 1 byte or more")
    return value


def sizes(text: str) -> dict[str, int]:
    """`batch=1,tokens=512`: what a network leaves open; names are those of the network."""
    found: dict[str, int] = {}
    for pair in text.split(","):
        name, given, number = (part.strip() for part in pair.partition("="))
        if not name or not given:
            raise argparse.ArgumentTypeError(f"`{pair}` is not NAME=N, such as tokens=512")
        if name in found:
            raise argparse.ArgumentTypeError(f"the size `{name}` is given twice")
        if not number.isascii() or not number.isdigit() or not 0 < int(number[:20]) <= MOST_BYTES:
            raise argparse.ArgumentTypeError(f"the size `{name}` must be a whole number of 1 or more, not `{number}`")
        found[name] = int(number)
    return found


def names(text: str) -> tuple[str, ...]:
    """`cuda,tpu`: each name once."""
    return tuple(dict.fromkeys(name.strip() for name in text.split(",")))


def duration(text: str) -> float:
    """[s] `24h`, `90 min`: more than no time."""
    from ..ir.units import UnitError, parse

    try:
        seconds = parse(text, "time")
    except UnitError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if seconds <= 0:
        raise argparse.ArgumentTypeError("give a time above 0")
    return seconds


def devices_lost(text: str) -> tuple[str, int | None]:
    """`h100=2`: two of them; `h100`: all, which is None."""
    name, given, number = text.partition("=")
    return name, count(number) if given else None


def add_replanning(parser: argparse.ArgumentParser) -> None:
    """The options for a plan that replaces one that runs."""
    help = "the plan that runs: count what is brought up in its place"
    parser.add_argument("--from", dest="previous", metavar="PLAN", help=help)
    help = "spread what changes cost over this time (24h unless said)"
    parser.add_argument("--over", type=duration, metavar="TIME", help=help)
    help = "devices of the old plan that failed: NAME=2, or all of them"
    parser.add_argument("--lost", type=devices_lost, action="append", default=[], metavar="NAME[=N]", help=help)


def add_catalogue(parser: argparse.ArgumentParser) -> None:
    """The option for a user's own catalogue."""
    help = "devices and models of your own, which extend or override the catalogue"
    parser.add_argument("--catalogue", metavar="FILE", help=help)
