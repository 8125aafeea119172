"""The study of arXiv 2507.19635, section 5: its prices by hand, and what its README says of the ranking."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from examples.hetero_tco import study
from examples.hetero_tco.study import B200_ALONE, B200_GAUDI, H100_GAUDI, OURS, TOKENS_ALONE, Assumptions, Pair

README = Path(study.__file__).with_name("README.md")


def mean_of(assumed: Assumptions) -> dict[Pair, float]:
    return study.overall(study.ratios(assumed))


@pytest.mark.parametrize(
    ("name", "printed"), [("a40", 0.15), ("a100-sxm", 0.25), ("gaudi3", 0.49), ("mi300x", 0.52), ("b200-sxm", 0.83)]
)
def test_devices_cost_what_table_5_prints(name: str, printed: float) -> None:
    assert 3600 * study.usd_per_s(name, OURS) == pytest.approx(printed, abs=0.011)


def test_the_h100_costs_what_is_printed_at_another_price() -> None:
    assert 3600 * study.usd_per_s("h100-sxm", replace(OURS, h100_usd=30000.0)) == pytest.approx(0.60, abs=0.01)


@pytest.mark.parametrize(("name", "fp16", "fp8"), [("gaudi3", 1678e12, 1678e12), ("b200-sxm", 2250e12, 4500e12)])
def test_printed_rates_keep_what_8_bits_gain(name: str, fp16: float, fp8: float) -> None:
    rates = study.device_of(name, printed_flops=True).flops_per_s
    assert (rates["fp16"], rates["fp8"]) == pytest.approx((fp16, fp8))


def test_there_are_sixteen_cases_and_a_pair_is_one_against_itself() -> None:
    found = study.ratios(OURS)
    assert {len(each) for each in found.values()} == {16}
    assert found["h100-sxm", "h100-sxm"] == pytest.approx([1.0] * 16)


def test_the_readme_shows_what_the_study_prints(capsys: pytest.CaptureFixture[str]) -> None:
    study.main()
    shown = [line[4:] for line in README.read_text().splitlines() if line.startswith("    ")]
    assert shown == [line for line in capsys.readouterr().out.splitlines() if line]


def test_no_assumption_makes_the_published_pair_best_of_all() -> None:
    for assumed in study.VARIANTS:
        mean = mean_of(assumed)
        assert study.ranking(mean)[0] != B200_GAUDI, assumed.label


def test_the_published_pair_is_best_where_three_assumptions_hold_together() -> None:
    mean = mean_of(TOKENS_ALONE)
    assert study.ranking(mean, without="mi300x")[0] == B200_GAUDI
    assert study.ranking(mean)[0] != B200_GAUDI
    for fewer in (replace(TOKENS_ALONE, accounting="interest"), replace(TOKENS_ALONE, goals=OURS.goals)):
        assert study.ranking(mean_of(fewer), without="mi300x")[0] == B200_ALONE


def test_the_accounting_alone_brings_the_mixed_pair_level() -> None:
    level = {
        assumed.label
        for assumed in study.VARIANTS
        if sum(getattr(assumed, field) != getattr(OURS, field) for field in FIELDS) <= 1
        and (mean := mean_of(assumed))[H100_GAUDI] / mean[B200_ALONE] == pytest.approx(1, abs=0.1)
    }
    assert level == {"with the principal"}


FIELDS = ("speeds", "accounting", "h100_usd", "goals")
