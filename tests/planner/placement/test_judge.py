"""Which of two options is slower whatever happens: what cuts of broken bounds rest on."""

from __future__ import annotations

import numpy as np

from dovetail.ir.distribution import Distribution
from dovetail.planner.placement.problem import Option, VisitTime
from dovetail.planner.placement.times.judge import _slower

AT = np.linspace(0.0, 1.25, 1025)


def option(*values: float) -> Option:
    law = Distribution("samples", values)
    return Option("a.run", "g", (VisitTime(law, law),), load=law.mean)


def test_laws_that_cross_between_two_points_of_a_grid_are_not_in_order() -> None:
    mine = option(0.05, 0.10035, 0.2)
    assert _slower(option(0.05, 0.10035, 0.9), mine, AT)
    assert not _slower(option(0.05, 0.1003, 0.9), mine, AT)
