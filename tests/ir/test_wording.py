"""Figures in words."""

from __future__ import annotations

import pytest

from dovetail.ir import wording


@pytest.mark.parametrize(("number", "text"), [(0, "0 inputs"), (1, "1 input"), (2, "2 inputs")])
def test_counted(number: int, text: str) -> None:
    assert wording.counted(number, "input") == text


@pytest.mark.parametrize(
    ("usd", "text"),
    [(0, "0"), (107748.4, "107,748"), (12.3, "12.30"), (0.8, "0.80"), (0.00171, "0.00171"), (0.0575, "0.0575")],
)
def test_dollars(usd: float, text: str) -> None:
    assert wording.dollars(usd) == text


@pytest.mark.parametrize(
    ("sums", "texts"),
    [
        ([11.3, 0.8, 0.2], ["11.30", "0.80", "0.20"]),
        ([1234.5, 0.001], ["1,234.50", "<0.01"]),
        ([0.0575, 0.005], ["0.05750", "0.00500"]),
        ([0.0], ["0.00"]),
        ([], []),
    ],
)
def test_sums_under_each_other_have_the_same_decimals(sums: list[float], texts: list[str]) -> None:
    assert wording.dollar_column(sums) == texts


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 us"), (2.5e-5, "25 us"), (0.018, "18 ms"), (0.99999, "1 s"), (1.5, "1.5 s"), (119, "119 s"),
        (600, "10 min"), (86400, "24 h"),
    ],
)  # fmt: skip
def test_time(seconds: float, text: str) -> None:
    assert wording.time(seconds) == text


@pytest.mark.parametrize(("size", "text"), [(327680000, "328 MB"), (12, "12 B"), (2e9, "2 GB"), (5e12, "5,000 GB")])
def test_data(size: float, text: str) -> None:
    assert wording.data(size) == text


@pytest.mark.parametrize(
    ("fraction", "text"),
    [(0, "0 %"), (1, "100 %"), (0.9999, ">99 %"), (0.003, "0.3 %"), (0.00003, "<0.1 %"), (0.42, "42 %")],
)
def test_share(fraction: float, text: str) -> None:
    assert wording.share(fraction) == text
