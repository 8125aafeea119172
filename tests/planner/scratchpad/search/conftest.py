"""Random small problems."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from dovetail.planner.scratchpad.problem import Operator, ScratchpadProblem, Tensor
from dovetail.planner.scratchpad.search import schedule


def draw(r: random.Random, coarse: bool) -> ScratchpadProblem:
    """4-7 operators: unequal sizes, inputs used several times, parameters, outputs used inside, two outputs at times;
    the scratchpad is at or a little above the least that works."""
    tensors: list[Tensor] = []

    def add(kind: str) -> int:
        size = r.choice([2, 2, 2, 4]) if coarse else r.randint(1, 9)
        tensors.append(Tensor(f"t{len(tensors)}", size, kind))
        return len(tensors) - 1

    loaded = [add(r.choice(["input", "input", "parameter"])) for _ in range(r.randint(2, 4))]
    made: list[int] = []
    operators = []
    for i in range(r.choice([4, 5, 6, 7, 7, 7])):
        pool = loaded + made + made
        inputs = tuple(r.choice(pool) for _ in range(r.randint(1, 3)))
        outputs = tuple(add(r.choice(["intermediate"] * 4 + ["output"])) for _ in range(r.choice([1, 1, 1, 2])))
        made += outputs
        operators.append(Operator(f"op{i}", inputs, outputs))
    problem = ScratchpadProblem("random", tuple(tensors), tuple(operators), 0)
    return problem.with_size(problem.least_size_bytes + r.choice([0, 0, 0, 1]))


def make(seed: int) -> ScratchpadProblem:
    """A random problem; of four, three are drawn until something has to move."""
    r = random.Random(seed)
    while True:
        problem = draw(r, seed % 2 == 1)
        if seed % 4 == 0 or schedule(problem)[1] > 0:
            return problem


@pytest.fixture
def random_problem() -> Callable[[int], ScratchpadProblem]:
    """A random problem by its seed."""
    return make
