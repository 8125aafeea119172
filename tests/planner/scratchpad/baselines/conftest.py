"""Random problems, small enough to try every order."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from dovetail.planner.scratchpad.problem import Operator, ScratchpadProblem, Tensor


def _problem(seed: int, operators: int) -> ScratchpadProblem:
    pick = random.Random(seed)
    tensors = [Tensor("x", pick.randint(1, 9), "input"), Tensor("w", pick.randint(1, 9), "parameter")]
    ops: list[Operator] = []
    for number in range(operators):
        inputs = pick.sample(range(len(tensors)), min(len(tensors), pick.randint(1, 3)))
        outputs = []
        for _ in range(pick.choice((1, 1, 1, 2))):
            outputs.append(len(tensors))
            kind = "output" if pick.random() < 0.15 else "intermediate"
            tensors.append(Tensor(f"t{len(tensors)}", pick.randint(0, 9), kind))
        ops.append(Operator(f"op{number}", tuple(inputs), tuple(outputs)))
    found = ScratchpadProblem("random", tuple(tensors), tuple(ops), 0)
    return found.with_size(found.least_size_bytes + pick.randint(0, 6))


@pytest.fixture
def random_problem() -> Callable[[int, int], ScratchpadProblem]:
    """A problem by seed and number of operators."""
    return _problem
