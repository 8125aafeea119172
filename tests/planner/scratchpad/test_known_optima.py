"""Graphs whose optimum over all orders is known: the traffic is that, it is proved, and the plan has addresses."""

from __future__ import annotations

from pathlib import Path

import pytest

from dovetail.planner.scratchpad.check import check_plan
from dovetail.planner.scratchpad.read import read_problem
from dovetail.planner.scratchpad.solve import plan_scratchpad

KIB = 1024
ROWS = [
    ("light_densenet121", 1568, 2548),
    ("light_densenet121", 1813, 1372),
    ("light_shufflenet", 686, 36.75),
    ("transformer12", 480, 4512),
    ("randwire32x1_s1", 147, 637),
    ("NASNetMobile", 777.03125, 2262.03125),
    ("NASNetMobile", 1083, 0),
]
"""Graph, scratchpad [KiB], optimum [KiB]; proved by an exact search of another implementation."""


@pytest.mark.parametrize(("graph", "size_kib", "optimum_kib"), ROWS)
def test_the_optimum_is_found_and_proved(graph: str, size_kib: float, optimum_kib: float, data_folder: Path) -> None:
    problem = read_problem(data_folder / "scratchpad" / "graphs" / f"{graph}.json", int(size_kib * KIB))
    plan = plan_scratchpad(problem, time_limit_s=60)
    assert plan.status == "optimal"
    assert plan.noncompulsory_bytes == plan.lower_bound_bytes == optimum_kib * KIB
    assert check_plan(problem, plan) == []
