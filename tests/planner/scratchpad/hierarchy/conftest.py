"""Plans of small problems over random levels, and a machine with real bytes in each level."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable

import pytest

from dovetail.planner.scratchpad.hierarchy import HierarchyPlan, Level
from dovetail.planner.scratchpad.problem import ScratchpadProblem

Replay = Callable[[ScratchpadProblem, tuple[Level, ...], HierarchyPlan], float]


@pytest.fixture(scope="session")
def random_levels() -> Callable[[int], tuple[Level, ...]]:
    """`random_levels(seed)`: mostly two levels beyond the scratchpad, else one."""

    def levels(seed: int) -> tuple[Level, ...]:
        draw = random.Random(seed)
        middle = Level("sram", draw.randint(0, 6), 4.0, draw.choice((0.0, 0.1)), draw.choice((1, 2)))
        outer = Level("dram", None, 1.0, draw.choice((0.0, 0.5)), draw.choice((1, 1, 3)))
        return (outer,) if draw.random() < 0.2 else (middle, outer)

    return levels


@pytest.fixture(scope="session")
def replay() -> Replay:
    """`replay(problem, levels, plan)` runs a plan's events in time on real bytes, and returns when the last one ends.

    What is being written is unreadable until it has arrived; an operator writes a digest of what it reads; at the end
    each output outside must be what a machine without limits computes."""
    return _replay


def _replay(problem: ScratchpadProblem, levels: tuple[Level, ...], plan: HierarchyPlan) -> float:
    memory = {"scratchpad": bytearray(problem.size_bytes)}
    memory |= {level.name: bytearray(level.size_bytes or 0) for level in levels[:-1]}
    tensors = {t.name: t for t in problem.tensors}
    outside = {t.name: _digest(t.name.encode(), t.bytes) for t in problem.tensors if t.is_loaded}
    truth = _expected(problem)

    def where(level: str, tensor: str, moment: float) -> slice:
        at = [h for h in plan.holds if (h.level, h.tensor) == (level, tensor)]
        (hold,) = {h.offset: h for h in at if h.from_s - 1e-9 <= moment <= h.to_s + 1e-9}.values()
        return slice(hold.offset, hold.offset + hold.bytes)

    def middle_of(start_s: float, end_s: float) -> float:
        return (start_s + end_s) / 2

    events: list[tuple[float, int, Callable[[], None]]] = []
    for x in plan.transfers:
        moment = middle_of(x.start_s, x.end_s)
        near = [level for level in x.targets if level in memory]

        def begin(x=x, near=near, moment=moment) -> None:
            for level in near:
                at = where(level, x.tensor, moment)
                memory[level][at] = bytes([0xEE]) * (at.stop - at.start)

        def end(x=x, near=near, moment=moment) -> None:
            content = bytes(memory[x.source][where(x.source, x.tensor, moment)]) if x.source in memory else None
            content = outside[x.tensor] if content is None else content
            for level in near:
                memory[level][where(level, x.tensor, moment)] = content
            if len(near) < len(x.targets):
                outside[x.tensor] = content

        events += [(x.start_s, 1, begin), (x.end_s, 0, end)]
    operators = {op.name: op for op in problem.operators}
    for run in plan.operators:
        op, moment = operators[run.operator], middle_of(run.start_s, run.end_s)

        def execute(op=op, moment=moment) -> None:
            read = [
                bytes(memory["scratchpad"][where("scratchpad", problem.tensors[t].name, moment)]) for t in op.inputs
            ]
            for t in op.outputs:
                tensor = problem.tensors[t]
                memory["scratchpad"][where("scratchpad", tensor.name, moment)] = _result(
                    op.name, tensor.name, read, tensor
                )

        events.append((run.end_s, 0, execute))
    for moment, _, happen in sorted(events, key=lambda event: (round(event[0], 6), event[1], event[0])):
        assert moment >= 0
        happen()
    for name, content in truth.items():
        if tensors[name].kind == "output":
            assert outside[name] == content, name
    return max((moment for moment, _, _ in events), default=0.0)


def _expected(problem: ScratchpadProblem) -> dict[str, bytes]:
    content = {t.name: _digest(t.name.encode(), t.bytes) for t in problem.tensors if t.is_loaded}
    made = {}
    for op in problem.operators:
        read = [(content | made)[problem.tensors[t].name] for t in op.inputs]
        for tensor in (problem.tensors[t] for t in op.outputs):
            made[tensor.name] = _result(op.name, tensor.name, read, tensor)
    return made


def _result(operator: str, name: str, read: list[bytes], tensor) -> bytes:
    return _digest(b"|".join([operator.encode(), name.encode(), *read]), tensor.bytes)


def _digest(text: bytes, size: int) -> bytes:
    return hashlib.shake_128(text).digest(size)
