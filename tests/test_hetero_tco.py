"""The study of arXiv 2507.19635, section 5: its prices by hand, and what its README says of the ranking."""

from __future__ import annotations

import pytest

from examples.hetero_tco import study

B200_GAUDI, H100_GAUDI, B200_ALONE = ("b200-sxm", "gaudi3"), ("h100-sxm", "gaudi3"), ("b200-sxm", "b200-sxm")


@pytest.mark.parametrize(
    ("name", "printed"), [("a40", 0.15), ("a100-sxm", 0.25), ("gaudi3", 0.49), ("mi300x", 0.52), ("b200-sxm", 0.83)]
)
def test_devices_cost_what_table_5_prints(name: str, printed: float) -> None:
    assert 3600 * study.usd_per_s(name, study.device_of(name, study.OURS), study.OURS) == pytest.approx(
        printed, abs=0.011
    )


def test_the_h100_costs_what_is_printed_at_another_price() -> None:
    dearer = study.Assumptions("", h100_usd=30000.0)
    assert 3600 * study.usd_per_s("h100-sxm", study.device_of("h100-sxm", dearer), dearer) == pytest.approx(
        0.60, abs=0.01
    )


def test_there_are_sixteen_cases_and_a_pair_is_one_against_itself() -> None:
    found = study.ratios(study.OURS)
    assert {len(each) for each in found.values()} == {16}
    assert found["h100-sxm", "h100-sxm"] == pytest.approx([1.0] * 16)


def test_the_ranking_as_published_needs_the_price_alone() -> None:
    ours, price = (
        study.overall(study.ratios(study.OURS)),
        study.overall(study.ratios(study.Assumptions("", price_alone=True))),
    )
    assert ours[B200_GAUDI] < ours[B200_ALONE]
    assert price[B200_GAUDI] > price[B200_ALONE]
    assert max(price, key=lambda pair: price[pair])[1] == "gaudi3"


def test_with_the_principal_the_mixed_pair_is_about_level() -> None:
    mean = study.overall(study.ratios(study.Assumptions("", annuity=True)))
    assert mean[H100_GAUDI] / mean[B200_ALONE] == pytest.approx(1, abs=0.12)
