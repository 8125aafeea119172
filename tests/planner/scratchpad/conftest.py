"""Small random problems, and a machine that executes plans on real bytes."""

from __future__ import annotations

import hashlib
import random
import sys
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest

from dovetail.planner.scratchpad.plan import Buffer, ScratchpadPlan
from dovetail.planner.scratchpad.problem import Operator, ScratchpadProblem, Tensor

sys.path.insert(0, str(Path(__file__).parent))
from exhaustive import exhaustive

RandomProblem = Callable[[int], ScratchpadProblem]


@pytest.fixture(scope="session")
def random_problem() -> RandomProblem:
    """`random_problem(seed)`: 4 to 7 operators on the smallest scratchpad that runs them, or a little more."""
    return _random_problem


def _random_problem(seed: int) -> ScratchpadProblem:
    draw = random.Random(seed)
    kinds = ("input", "input", "parameter")
    tensors = [Tensor(f"x{i}", draw.randint(1, 4), draw.choice(kinds)) for i in range(draw.randint(1, 2))]
    operators: list[Operator] = []
    known = list(range(len(tensors)))
    for number in range(draw.choice((4, 5, 5, 6, 6, 7))):
        inputs = tuple(draw.sample(known, min(len(known), draw.choice((1, 1, 2)))))
        made = tuple(range(len(tensors), len(tensors) + (2 if draw.random() < 0.1 else 1)))
        tensors += [Tensor(f"t{index}", draw.choice((1, 1, 2, 3, 4)) if draw.random() < 0.98 else 0) for index in made]
        operators.append(Operator(f"op{number}", inputs, made))
        known += made
    read = {tensor for op in operators for tensor in op.inputs}
    for index, tensor in enumerate(tensors):
        wanted = index not in read or draw.random() < 0.1
        if tensor.kind == "intermediate" and wanted:
            tensors[index] = Tensor(tensor.name, tensor.bytes, "output")
    problem = ScratchpadProblem(f"random{seed}", tuple(tensors), tuple(operators), 0, draw.choice((1, 1, 1, 2)))
    return problem.with_size(problem.least_size_bytes + draw.choice((0, 0, 0, 1)))


@pytest.fixture(scope="session")
def drawn_problem() -> RandomProblem:
    """`drawn_problem(index)`: a random problem, for even indices one that cannot do without spills or reloads."""

    def drawn(index: int) -> ScratchpadProblem:
        for seed in count(1000 * index):
            problem = _random_problem(seed)
            residency = exhaustive(problem)
            assert residency is not None
            if index % 2 or residency.noncompulsory_bytes:
                return problem
        raise AssertionError

    return drawn


@pytest.fixture(scope="session")
def run_plan() -> Callable[[ScratchpadProblem, ScratchpadPlan], int]:
    """`run_plan(problem, plan)` executes the plan and returns the bytes moved beyond the compulsory; it fails the test
    where what arrives outside is not what the operators compute."""
    return lambda problem, plan: Machine(problem, plan).run()


@dataclass
class Machine:
    """A scratchpad of real bytes and a memory outside; what lies where is known from the plan's addresses alone.

    Every operator writes to each of its outputs a digest of all the bytes that it reads, so a byte that was overwritten
    too early, or reloaded from nothing, changes everything behind it.
    """

    problem: ScratchpadProblem
    plan: ScratchpadPlan
    outside: dict[str, bytes] = field(default_factory=dict)
    moved: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.scratchpad = bytearray(self.plan.size_bytes)
        self.at: dict[tuple[str, int], Buffer] = {}
        self.operators = {op.name: op for op in self.problem.operators}
        self.starting: dict[int, list[Buffer]] = defaultdict(list)
        for buffer in self.plan.buffers:
            self.starting[buffer.start].append(buffer)
            self.at.update({(buffer.tensor, step): buffer for step in range(buffer.start, buffer.end + 1)})
        self.spills: dict[int, list[str]] = defaultdict(list)
        for move in self.plan.moves:
            if move.kind == "spill":
                self.spills[move.step].append(move.tensor)
        for tensor in self.problem.tensors:
            if tensor.is_loaded:
                self.outside[tensor.name] = _digest(tensor.name.encode(), tensor.bytes)

    def run(self) -> int:
        for step, name in enumerate(self.plan.order):
            self.load(step)
            self.execute(self.operators[name], step)
            for tensor in self.spills[step]:
                self.write_back(tensor, step)
        for index, content in self.expected().items():
            tensor = self.problem.tensors[index]
            if tensor.kind == "output":
                assert self.outside[tensor.name] == content, tensor.name
        used = [t for t, ops in zip(self.problem.tensors, self.problem.touches, strict=True) if ops]
        assert sum(self.moved.values()) == self.plan.noncompulsory_bytes + self.plan.compulsory_bytes
        return sum(self.moved.values()) - sum(t.bytes for t in used if t.kind != "intermediate")

    def load(self, step: int) -> None:
        """Buffers that begin here are filled from outside, unless their tensor is made at this step."""
        made = {self.problem.tensors[t].name for t in self.operators[self.plan.order[step]].outputs}
        for buffer in self.starting[step]:
            if buffer.tensor not in made:
                content = self.outside[buffer.tensor]
                self.scratchpad[buffer.offset : buffer.offset + buffer.bytes] = content
                self.moved[buffer.tensor] += buffer.bytes

    def execute(self, op: Operator, step: int) -> None:
        read = [self.read(self.problem.tensors[t].name, step) for t in op.inputs]
        for tensor in (self.problem.tensors[t] for t in op.outputs):
            place = self.at[tensor.name, step].offset
            self.scratchpad[place : place + tensor.bytes] = _result(op, tensor, read)
        for tensor in (self.problem.tensors[t] for t in op.outputs):
            assert self.read(tensor.name, step) == _result(op, tensor, read), f"{op.name} overwrites its own output"
            if tensor.kind == "output":
                self.write_back(tensor.name, step)

    def read(self, tensor: str, step: int) -> bytes:
        buffer = self.at[tensor, step]
        return bytes(self.scratchpad[buffer.offset : buffer.offset + buffer.bytes])

    def write_back(self, tensor: str, step: int) -> None:
        self.outside[tensor] = self.read(tensor, step)
        self.moved[tensor] += len(self.outside[tensor])

    def expected(self) -> dict[int, bytes]:
        """What a machine without limits computes, by tensor."""
        content = {t: _digest(x.name.encode(), x.bytes) for t, x in enumerate(self.problem.tensors) if x.is_loaded}
        for op in self.problem.operators:
            read = [content[t] for t in op.inputs]
            content.update({t: _result(op, self.problem.tensors[t], read) for t in op.outputs})
        return content


def _result(op: Operator, tensor: Tensor, read: list[bytes]) -> bytes:
    return _digest(b"|".join([op.name.encode(), tensor.name.encode(), *read]), tensor.bytes)


def _digest(text: bytes, size: int) -> bytes:
    return hashlib.shake_128(text).digest(size)


@pytest.fixture(scope="session")
def wide_problem() -> RandomProblem:
    """`wide_problem(count)`: so many operators, each of one or two of the last eight tensors."""

    def wide(count: int) -> ScratchpadProblem:
        draw = random.Random(count)
        tensors, operators = [Tensor("x", 8 * draw.randint(1, 4), "input")], []
        for number in range(count):
            known = range(max(0, len(tensors) - 8), len(tensors))
            inputs = tuple(sorted(draw.sample(known, min(len(known), draw.choice((1, 2, 2))))))
            operators.append(Operator(f"op{number}", inputs, (len(tensors),)))
            tensors.append(Tensor(f"t{number}", 8 * draw.randint(1, 4)))
        read = {tensor for op in operators for tensor in op.inputs}
        kinds = ("output" if i and i not in read else t.kind for i, t in enumerate(tensors))
        listed = tuple(Tensor(t.name, t.bytes, kind) for t, kind in zip(tensors, kinds, strict=True))
        problem = ScratchpadProblem("wide", listed, tuple(operators), 0)
        return problem.with_size(problem.least_size_bytes)

    return wide
