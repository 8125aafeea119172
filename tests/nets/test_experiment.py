"""The experiment on the networks that are planned at once: nothing moves at M_P, and no baseline moves less."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from dovetail.planner.scratchpad.baselines import baselines
from dovetail.planner.scratchpad.check import check_plan
from dovetail.planner.scratchpad.peak import least_peak
from dovetail.planner.scratchpad.problem import ScratchpadProblem
from dovetail.planner.scratchpad.read import read_problem
from dovetail.planner.scratchpad.solve import plan_scratchpad
from examples.nets import DESIGNED, SEARCHED
from examples.nets.builder import Net
from examples.nets.transformer import transformer

EASY = [make for make in DESIGNED if make is not transformer]
"""proved at every size in well under a second"""


def _problem(net: Net, folder: Path, parameters: bool) -> ScratchpadProblem:
    path = folder / f"{net.name}.json"
    path.write_text(json.dumps(net.graph()), encoding="utf-8")
    return read_problem(path, 0, parameters)


@pytest.mark.parametrize("parameters", [False, True])
@pytest.mark.parametrize("make", [*DESIGNED, *SEARCHED])
def test_least_peak_is_proved(make: Callable[[], Net], parameters: bool, tmp_path: Path) -> None:
    problem = _problem(make(), tmp_path, parameters)
    found = least_peak(problem)
    assert found.is_least
    assert problem.is_order(found.order)
    assert problem.least_size_bytes <= found.peak_bytes


@pytest.mark.parametrize("parameters", [False, True])
@pytest.mark.parametrize("make", EASY)
def test_plans_are_optimal_and_nothing_moves_at_the_peak(
    make: Callable[[], Net], parameters: bool, tmp_path: Path
) -> None:
    problem = _problem(make(), tmp_path, parameters)
    peak = least_peak(problem)
    for size in {problem.least_size_bytes, peak.peak_bytes}:
        sized = problem.with_size(size)
        plan = plan_scratchpad(sized)
        assert check_plan(sized, plan) == []
        assert plan.status == "optimal"
        assert (plan.noncompulsory_bytes == 0) == (size == peak.peak_bytes)
        assert all(
            moved is not None and moved >= plan.noncompulsory_bytes for moved in baselines(sized, peak.order).values()
        )


def test_parameters_are_counted_as_tensors_only_when_asked(tmp_path: Path) -> None:
    net = transformer()
    without, with_them = _problem(net, tmp_path, False), _problem(net, tmp_path, True)
    assert with_them.compulsory_bytes - without.compulsory_bytes == net.trained
