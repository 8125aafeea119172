"""Quantities with units: base units, refusals, and what the help proposes."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.ir.units import DIMENSIONS, UnitError, parse, shorten


@pytest.mark.parametrize(
    ("text", "dimension", "expected"),
    [
        ("80 GB", "bytes", 80e9),
        ("80 GiB", "bytes", 80 * 2**30),
        ("1568KiB", "bytes", 1568 * 1024),
        ("400 Gbit/s", "bandwidth", 50e9),
        ("819 GB/s", "bandwidth", 819e9),
        ("197 TFLOP/s", "flops", 197e12),
        ("1.5 POP/s", "flops", 1.5e15),
        ("300 ms", "time", 0.3),
        ("10 us", "time", 1e-5),
        ("10 µs", "time", 1e-5),
        ("2 min", "time", 120.0),
        ("4 years", "time", 4 * 8760 * 3600.0),
        ("2 req/s", "rate", 2.0),
        ("120 req/min", "rate", 2.0),
        ("0.40 USD/kWh", "electricity", 0.4),
        ("8760 USD/year", "rent", 1.0),
        ("0.6 USD/Mtok", "tokens", 6e-7),
        ("40 kW", "power", 40e3),
        ("8 %", "fraction", 0.08),
        (0.08, "fraction", 0.08),
        ("0.08", "fraction", 0.08),
        ("400 gCO2/kWh", "carbon", 400.0),
        ("0.05 per hour", "frequency", 0.05),
        ("1e3 ms", "time", 1.0),
        (" .5s ", "time", 0.5),
        ("-3 ms", "time", -0.003),
    ],
)
def test_base_units(text: object, dimension: str, expected: float) -> None:
    assert parse(text, dimension) == pytest.approx(expected, rel=1e-15)


def test_products_are_rounded_once() -> None:
    """`10 us` is the float that 1e-5 is, not 10 times the float that 1e-6 is."""
    assert parse("10 us", "time") == 1e-5
    assert parse("8 %", "fraction") == 0.08


@pytest.mark.parametrize(
    ("value", "dimension", "message", "help"),
    [
        (80, "bytes", "`80` has no unit", "write an amount of memory or data, such as `80 GB`"),
        ("80", "bytes", "`80` has no unit", "write an amount of memory or data, such as `80 GB`"),
        ("80 gb", "bytes", "`gb` is no unit of an amount of memory or data", "did you mean `GB`?"),
        ("80 Gb/s", "bandwidth", "`Gb/s` is no unit of a bandwidth", "did you mean `GB/s`?"),
        ("80 GB", "time", "`80 GB` is an amount of memory or data, not a time", "write a time, such as `300 ms`"),
        ("1,000 ms", "time", "`1,000 ms` is not a time", "write the number without separators: `1000`"),
        ("soon", "time", "`soon` is not a time", "write a number and a unit: `300 ms`"),
        ("", "time", "`` is not a time", "write a number and a unit: `300 ms`"),
        ("1e400 s", "time", "`1e400 s` is too large for a time", None),
        ("1e999999999 s", "time", "`1e999999999 s` is too large for a time", None),
        (float("nan"), "time", "`nan` is not a time", "write a finite number and a unit: `300 ms`"),
        (float("inf"), "fraction", "`inf` is not a share", "write a finite number and a unit: `8 %`"),
        (True, "time", "expected a time, such as `300 ms`", None),
        (None, "time", "expected a time, such as `300 ms`", None),
        ([1], "bytes", "expected an amount of memory or data, such as `80 GB`", None),
    ],
)
def test_refusals(value: object, dimension: str, message: str, help: str | None) -> None:
    with pytest.raises(UnitError) as caught:
        parse(value, dimension)
    assert str(caught.value) == message
    assert caught.value.help == help


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_the_example_of_a_dimension_is_one(dimension: str) -> None:
    assert parse(DIMENSIONS[dimension].example, dimension) > 0


@given(st.floats(min_value=1e-6, max_value=1e12), st.sampled_from(sorted(DIMENSIONS)), st.data())
def test_every_unit_scales_by_its_factor(number: float, dimension: str, data: st.DataObject) -> None:
    unit = data.draw(st.sampled_from(sorted(DIMENSIONS[dimension].units)))
    found = parse(f"{number!r} {unit}", dimension)
    assert found == pytest.approx(number * DIMENSIONS[dimension].units[unit], rel=1e-12)


@given(st.text(max_size=30), st.sampled_from(sorted(DIMENSIONS)))
def test_any_text_is_a_finite_number_or_refused(text: str, dimension: str) -> None:
    try:
        found = parse(text, dimension)
    except UnitError:
        return
    assert math.isfinite(found)


def test_messages_show_one_short_line() -> None:
    assert shorten("a\n b") == "a b"
    assert shorten("x" * 50) == "x" * 37 + "..."
