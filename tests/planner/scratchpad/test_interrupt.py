"""Ctrl-C in the middle of a search gives the best plan so far, valid, with exit code 0, and soon."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dovetail.planner.scratchpad import solve
from dovetail.planner.scratchpad.check import check_plan
from dovetail.planner.scratchpad.in_place import SharedResidency
from dovetail.planner.scratchpad.read import read_problem

PROGRAM = """
import json, sys
from pathlib import Path
from dovetail.planner.scratchpad.check import check_plan
from dovetail.planner.scratchpad.read import read_problem
from dovetail.planner.scratchpad.solve import plan_scratchpad
problem = read_problem(Path(sys.argv[1]), 60)
plan = plan_scratchpad(problem, time_limit_s=300, on_progress=lambda line: print(line, flush=True))
print(json.dumps([plan.status, plan.noncompulsory_bytes, plan.lower_bound_bytes, len(check_plan(problem, plan))]))
"""


def dense_graph(path: Path) -> None:
    """150 operators that read four of all tensors before them: too many for a proof in any short time."""
    r = random.Random(1)
    names = ["x", *(f"t{i}" for i in range(150))]
    ops = [
        {"name": f"o{i}", "type": "Node", "inputs": r.sample(names[: i + 1], min(i + 1, 4)), "outputs": [f"t{i}"]}
        for i in range(150)
    ]
    sizes = {name: r.randint(4, 12) for name in names}
    path.write_text(json.dumps({"name": "g", "ops": ops, "tensor_bytes_int8": sizes, "graph_outputs": ["t149"]}))


def test_an_interrupt_leaves_the_best_plan_so_far(tmp_path: Path) -> None:
    path = tmp_path / "g.json"
    dense_graph(path)
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(path)],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert "proved" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        last = process.stdout.read().splitlines()[-1]
        assert process.wait() == 0
    status, moved, bound, errors = json.loads(last)
    assert (status, errors) == ("feasible", 0)
    assert 0 <= bound < moved


@pytest.mark.parametrize("in_place", [False, True])
def test_addresses_get_little_time_after_an_interrupt(
    in_place: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[float | None] = []

    def no_addresses(shared: SharedResidency, time_limit_s: float | None = None) -> None:
        given.append(time_limit_s)

    told: list[str] = []

    def interrupt(line: str) -> None:
        told.append(line)
        if len(told) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(solve, "place", no_addresses)
    dense_graph(tmp_path / "g.json")
    problem = read_problem(tmp_path / "g.json", 60)
    plan = solve.plan_scratchpad(problem, in_place=in_place, on_progress=interrupt)
    assert check_plan(problem, plan) == []
    assert given != []
    assert all(limit_s is not None and limit_s <= solve.AFTER_INTERRUPT_S for limit_s in given)
