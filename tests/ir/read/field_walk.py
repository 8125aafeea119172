"""Every field of the tables that drive reading, with the way to it in a document that has it."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from dovetail.ir.read.distributions import Dist
from dovetail.ir.read.fields import Either, ListOf, MapOf, Number, Quantity, Record, Tagged, Unless
from dovetail.ir.read.ranged import Ranged
from dovetail.ir.units import DIMENSIONS

Path = tuple[str | int, ...]
Json = dict[str, Any]
NUMBERS: tuple[Any, ...] = (0, -1, math.nan, math.inf, -math.inf, 1e308, 1e-308, 5e-324, 10**30, 0.5, 1, True)
OTHERS: tuple[Any, ...] = (None, "", " ", "x", [], [1], {}, {"a": 1}, "1..2", "5..2", "..", "1e400", "\u0661", "0x10")
NUMERALS = ("0", "-1", "nan", "inf", "1e308", "1e-308", "1e400", "9" * 400, "1,000", "1 2", "")
NAMES = {"nodes": "n", "devices": "d", "sites": "eu", "racks": "r1", "profile": "d"}
"""Names of the entries of maps, by the key that holds the map."""


def fields(rule: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """(path, type) of every value under `rule`, records and maps gone into."""
    rule = rule.inner if isinstance(rule, Unless | Ranged) else rule
    if isinstance(rule, Record):
        for key, each in rule.keys.items():
            yield from fields(each.type, (*path, key))
    elif isinstance(rule, Tagged):
        for tag, record in rule.records.items():
            for at, found in fields(record, path):
                yield (*at[: len(path)], f"={tag}", *at[len(path) :]), found
    elif isinstance(rule, MapOf):
        yield from fields(rule.item, (*path, NAMES.get(str(path[-1]), "d") if path else "d"))
    elif isinstance(rule, ListOf):
        yield path, rule
        yield from fields(rule.item, (*path, 0))
    elif isinstance(rule, Either):
        yield from fields(rule.first, path)
        yield from fields(rule.second, path)
    elif hasattr(rule, "record"):  # an edge
        yield from fields(rule.record, path)
    else:
        yield path, rule


def is_numeric(rule: Any) -> bool:
    return isinstance(rule, Number | Quantity | Dist) or type(rule).__name__ == "CountRange"


def values(rule: Any) -> Iterator[Any]:
    """What no field should fall over: limits, other types, other units."""
    yield from NUMBERS
    yield from OTHERS
    dimension = getattr(rule, "dimension", None)
    units = list(DIMENSIONS[dimension].units) if dimension else ["s"]
    for numeral in NUMERALS:
        yield f"{numeral} {units[0]}"
    yield from (f"1 {unit}" for unit in ("parsec", *(next(iter(each.units)) for each in DIMENSIONS.values())))
    if isinstance(rule, Dist):
        one = f"1 {units[0]}" if dimension else 1
        yield from ({"mean": one, "p95": each} for each in (0, one, "1e308 s", None))
        yield from ({"samples": each} for each in ([], [math.nan], [1, -1], "none.csv", 5))
        yield from ({"quantiles": each} for each in ({}, {"p50": one, "p10": one}, {"p101": one}, 3))


def with_value(document: Mapping[str, Any], path: Path, value: Any) -> Json:
    """A copy of `document` with `value` at `path`, what leads there made where it is not."""
    new: Any = copy.deepcopy(dict(document))
    at = new
    for here, after in pairwise(path):
        if isinstance(at, list):
            if not at:
                at.append({})
            at = at[0]
            continue
        if not isinstance(at.get(here), dict | list):
            at[here] = [] if isinstance(after, int) else {}
        at = at[here]
    if isinstance(at, list):
        at[:1] = [value]
    else:
        at[path[-1]] = value
    return new
