"""Processes whose solver does not stop when told to end with their own status, not with SIGABRT."""

from __future__ import annotations

import subprocess
import sys

import pytest

HARD = """
import random

import highspy
import pulp
from dovetail.planner.placement.search import engine

engine.PATIENCE_S = -1.0
set_option = highspy.Highs.setOptionValue
highspy.Highs.setOptionValue = lambda h, name, value: set_option(h, name, 3.0 if name == "time_limit" else value)
highspy.Highs.cancelSolve = lambda h: None  # for three seconds it heeds nothing
r, m = random.Random(1), pulp.LpProblem("hard", pulp.LpMinimize)
x = [m.add_variable(f"x{i}", 0, 1, "Binary") for i in range(60)]
weights = [[r.randint(100, 999) for _ in x] for _ in range(3)]
m.setObjective(pulp.lpSum(r.randint(1, 9) * each for each in x))
for number, row in enumerate(weights):
    m.addConstraint(pulp.lpSum(a * each for a, each in zip(row, x)) == sum(row) // 2, f"half{number}")


class Nothing:
    def plan(self, value):
        return {}


assert engine.run(m, Nothing(), "highs", 0.3).status == "stopped"
assert engine.is_solving()
"""
LIBRARY = "raise SystemExit(3)"
COMMAND = """
import os
from dovetail.cli.terminal import ended

print("told", flush=False)
ended(3)
"""


@pytest.mark.parametrize(("end", "said"), [(LIBRARY, ""), (COMMAND, "told\n")], ids=["library", "command"])
def test_a_solver_that_goes_on_does_not_abort_the_process(end: str, said: str) -> None:
    done = subprocess.run([sys.executable, "-c", HARD + end], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (3, said, "")


NEXT = """
engine.PATIENCE_S = 1.0
easy = pulp.LpProblem("easy", pulp.LpMinimize)
y = easy.add_variable("y", 0, 1, "Binary")
easy.setObjective(2 * y)
easy.addConstraint(y >= 1, "one")
assert engine.run(easy, Nothing(), "highs", 0.2).status == "stopped"
assert engine.is_solving()
assert engine.run(easy, Nothing(), "highs", 60.0).status == "optimal"
print("solved")
"""


def test_next_problem_waits_for_a_solver_that_goes_on() -> None:
    done = subprocess.run([sys.executable, "-c", HARD + NEXT], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, "solved\n", "")
