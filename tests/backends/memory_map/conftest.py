"""Scratchpad plans to look at: a tiny one by hand, planned ones, large ones without a planner."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from dovetail.planner.scratchpad.problem import Operator, ScratchpadProblem, Tensor
from dovetail.planner.scratchpad.solve import plan_scratchpad

Json = dict[str, Any]
MakePlan = Callable[..., Json]


@pytest.fixture
def tiny() -> Json:
    """`a` leaves for `d` and comes back; `x` has a copy outside and leaves for free."""
    buffers = [("a", 0, 1, 0, 4096), ("a", 3, 4, 0, 4096), ("b", 1, 2, 4096, 4096), ("c", 2, 3, 8192, 2048)]
    buffers += [("x", 0, 0, 4096, 2048), ("x", 4, 4, 4096, 2048), ("y", 4, 4, 6144, 1024)]
    buffers += [("d", 2, 2, 0, 2048), ("z", 2, 3, 0, 0)]
    moves = [(1, "a", "spill", 4096), (3, "a", "reload", 4096), (4, "x", "reload", 2048)]
    return {
        "status": "optimal",
        "size_bytes": 10240,
        "compulsory_bytes": 3072,
        "noncompulsory_bytes": 10240,
        "lower_bound_bytes": 10240,
        "order": ["make_a", "make_b", "make_c", "use", "last"],
        "buffers": [dict(zip(("tensor", "start", "end", "offset", "bytes"), b, strict=True)) for b in buffers],
        "moves": [dict(zip(("step", "tensor", "kind", "bytes"), m, strict=True)) for m in moves],
        "seconds": 0.1,
    }


@pytest.fixture(scope="session")
def planned() -> MakePlan:
    """`planned(seed, in_place=False)`: the plan of a random graph of 12 operators on the least scratchpad."""

    def plan(seed: int, in_place: bool = False) -> Json:
        draw = random.Random(seed)
        tensors = [Tensor("x", draw.randint(1, 900), "input")]
        operators = []
        for number in range(12):
            inputs = tuple(draw.sample(range(len(tensors)), min(len(tensors), draw.choice((1, 2, 2)))))
            operators.append(Operator(f"op{number}", inputs, (len(tensors),)))
            tensors.append(Tensor(f"t{number}", draw.randint(1, 900)))
        tensors[-1] = Tensor("y", 100, "output")
        problem = ScratchpadProblem("random", tuple(tensors), tuple(operators), 0)
        least = problem.with_size(problem.least_size_bytes)
        return plan_scratchpad(least, in_place=in_place, time_limit_s=5).to_json()

    return plan


@pytest.fixture(scope="session")
def large() -> MakePlan:
    """`large(count)`: that many buffers in rows; every fourth is of a tensor that was there before."""

    def plan(count: int) -> Json:
        draw = random.Random(count)
        rows, size, high = 24, 24 * 65536, 65536
        free, buffers, moves, waiting = [0] * rows, [], [], []
        for number in range(count):
            row = min(range(rows), key=free.__getitem__)
            start, end = free[row], free[row] + draw.randint(1, 30)
            free[row] = end + 1 + draw.randint(0, 2)
            name = f"features.block{number // 8}.layer{number}.out"
            back = waiting.pop(0) if number % 4 == 0 and waiting and waiting[0]["end"] < start else None
            if back is not None:
                name = back["tensor"]
                moves.append({"step": back["end"], "tensor": name, "kind": "spill", "bytes": high})
                moves.append({"step": start, "tensor": name, "kind": "reload", "bytes": high})
            else:
                waiting.append({"tensor": name, "end": end})
            buffers.append({"tensor": name, "start": start, "end": end, "offset": row * high, "bytes": high})
        steps = max(b["end"] for b in buffers) + 1
        moved = sum(move["bytes"] for move in moves)
        return {
            "status": "feasible",
            "size_bytes": size,
            "compulsory_bytes": 0,
            "noncompulsory_bytes": moved,
            "lower_bound_bytes": 0,
            "order": [f"features.block{step // 8}.conv{step}" for step in range(steps)],
            "buffers": buffers,
            "moves": sorted(moves, key=lambda m: (m["step"], m["kind"] == "reload", m["tensor"])),
            "seconds": 0.0,
        }

    return plan
