"""Constraint names in words."""

from __future__ import annotations

import pytest

from dovetail.backends import wording
from dovetail.costmodel.figures import QUALITIES
from dovetail.planner.placement.result import COST_PARTS


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("slo.tbt[think]", "the bound on time between tokens of think (slo.tbt[think])"),
        ("slo.end_to_end", "the bound on end to end (slo.end_to_end)"),
        ("count[h100]", "how many h100 there are (count[h100])"),
        ("limits.usd_per_hour", "the limit on USD per hour (limits.usd_per_hour)"),
        ("of another kind", "of another kind"),
        ("survive.replicas", "the replicas that may fail (survive.replicas)"),
        ("survive.zone", "the zones that may be lost (survive.zone)"),
        ("other[x]", "other[x]"),
    ],
)
def test_constraints(name: str, text: str) -> None:
    assert wording.constraint(name) == text


def test_every_part_and_quality_of_a_plan_has_words() -> None:
    assert tuple(wording.COST_PARTS) == tuple(COST_PARTS)
    assert set(wording.QUALITIES) == set(QUALITIES)
