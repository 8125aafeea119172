"""Plans with operators in tiles: executed step by step on arrays, bytes counted, and held against every choice."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest

from dovetail.ir.diagnostics import Infeasible
from dovetail.planner.scratchpad.plan import ScratchpadPlan
from dovetail.planner.scratchpad.problem import Operator, ScratchpadProblem, Tensor
from dovetail.planner.scratchpad.search import schedule
from dovetail.planner.scratchpad.tiling import (
    Nest,
    TiledOperator,
    TiledPlan,
    least_traffic_bytes,
    minimum_bytes,
    plan_below,
)
from dovetail.planner.scratchpad.tiling.choose import options
from dovetail.planner.scratchpad.tiling.rewrite import rewrite
from dovetail.planner.scratchpad.tiling.shapes import Slide, attention, convolution, elementwise, matmul, pool, rows

Graph = dict[str, Nest]
SAME, HALF = Slide(8, 3, 1, 1, 1), Slide(8, 2, 2)

GRAPHS: dict[str, Graph] = {
    "one matmul": {"m": matmul("a", "b", "out", 12, 10, 8)},
    "block": {
        "c1": convolution("x", "w1", "h", 1, 4, 4, SAME, SAME),
        "r1": elementwise(["h"], ["g"], 256),
        "c2": convolution("g", "w2", "f", 1, 4, 4, SAME, SAME),
        "add": elementwise(["x", "f"], ["s"], 256),
        "down": pool("s", "out", 1, 4, HALF, HALF),
    },
    "attention": {
        "q": matmul("x", "wq", "qs", 16, 8, 8),
        "k": matmul("x", "wk", "ks", 16, 8, 8),
        "v": matmul("x", "wv", "vs", 16, 8, 8),
        "mix": attention("qs", "ks", "vs", "o", 2, 16, 16, 4),
        "p": matmul("o", "wp", "y", 16, 8, 8),
        "add": elementwise(["x", "y"], ["out"], 128),
    },
    "two ends": {
        "a": matmul("x", "wa", "h", 16, 12, 4),
        "b": matmul("h", "wb", "out", 16, 2, 12),
        "c": elementwise(["h"], ["other"], 192),
        "d": rows(["other"], ["end"], 16, 12),
    },
}


def problem_of(graph: Graph, size_bytes: int) -> ScratchpadProblem:
    """Tensors that nothing makes are inputs, those that nothing reads, and `other`, outputs."""
    sizes = {o.tensor: nest.whole_bytes(o) for nest in graph.values() for o in nest.tensors}
    made = {o.tensor for nest in graph.values() for o in nest.tensors if o.role == "output"}
    read = {o.tensor for nest in graph.values() for o in nest.tensors if o.role == "input"}
    number = {name: i for i, name in enumerate(sizes)}

    def kind(name: str) -> str:
        if name not in made:
            return "parameter" if name.startswith("w") else "input"
        return "intermediate" if name in read and name != "other" else "output"

    operators = (
        Operator(
            name,
            tuple(number[o.tensor] for o in nest.tensors if o.role == "input"),
            tuple(number[o.tensor] for o in nest.tensors if o.role == "output"),
        )
        for name, nest in graph.items()
    )
    return ScratchpadProblem(
        "test", tuple(Tensor(n, s, kind(n)) for n, s in sizes.items()), tuple(operators), size_bytes
    )


class Run:
    """Executes a plan: `outside` and `inside` are flat arrays by tensor, and every byte that crosses is counted."""

    def __init__(self, graph: Graph, problem: ScratchpadProblem, plan: ScratchpadPlan, machine: Any) -> None:
        self.graph, self.plan, self.machine = graph, plan, machine
        self.tensors = {t.name: t for t in problem.tensors}
        random = np.random.default_rng(0)
        self.outside = {t.name: random.standard_normal(t.bytes) for t in problem.tensors if t.is_loaded}
        self.inside: dict[str, np.ndarray] = {}
        self.bytes = 0
        self.tiled: dict[str, TiledOperator] = {t.operator: t for t in getattr(plan, "tiles", ())}

    def run(self) -> Run:
        listed = {(m.step, m.tensor, m.kind) for m in self.plan.moves}
        for step, name in enumerate(self.plan.order):
            for buffer in self.plan.buffers:
                if buffer.start == step and buffer.tensor in self.outside and self.makes(name) != buffer.tensor:
                    tensor = self.tensors[buffer.tensor]
                    assert (step, buffer.tensor, "reload") in listed or tensor.is_loaded or tensor.kind == "output"
                    self.inside[buffer.tensor] = self.outside[buffer.tensor].copy()
                    self.bytes += tensor.bytes
            self.execute(name)
            for move in self.plan.moves:
                if move.step == step and move.kind == "spill":
                    self.outside[move.tensor] = self.inside[move.tensor].copy()
                    self.bytes += move.bytes
            made = self.makes(name)
            if self.tensors[made].kind == "output" and made in self.inside:
                self.outside[made] = self.inside[made].copy()
                self.bytes += self.tensors[made].bytes
            for buffer in self.plan.buffers:
                if buffer.end == step:
                    self.inside.pop(buffer.tensor, None)
        return self

    def makes(self, name: str) -> str:
        return next(o.tensor for o in self.graph[name].tensors if o.role == "output")

    def execute(self, name: str) -> None:
        nest, tiled = self.graph[name], self.tiled.get(name)
        streamed = set() if tiled is None else set(tiled.held)
        arrays: dict[str, np.ndarray] = {}
        for o in nest.operands:
            shape = [nest.extent[a] if isinstance(a, str) else a.size for a in o.axes]
            if o.role == "input":
                here = self.outside if o.tensor in streamed else self.inside
                arrays[o.tensor] = here[o.tensor].reshape(shape)
            else:
                arrays[o.tensor] = np.zeros([*shape, 2] if o.role == "state" else shape)
        if tiled is None:
            self.machine(nest, (), nest.extent, arrays).run()
        else:
            done = self.machine(nest, tiled.loops, tiled.tiles, arrays).run()
            self.bytes += sum(done.moved.get(tensor, 0) for tensor in streamed)
            workspace = next(b for b in self.plan.buffers if b.tensor == tiled.workspace)
            alone = self.machine(
                nest.without({o.tensor for o in nest.tensors} - streamed), tiled.loops, tiled.tiles
            ).run()
            assert alone.peak <= workspace.bytes == sum(tiled.held.values())
        made = self.makes(name)
        (self.outside if made in streamed else self.inside)[made] = arrays[made].ravel()


def overlaps(plan: ScratchpadPlan) -> list[tuple[str, str]]:
    """Pairs of buffers that share a byte at a step, and buffers that leave the scratchpad."""
    found = [(b.tensor, "end") for b in plan.buffers if b.offset < 0 or b.offset + b.bytes > plan.size_bytes]
    for i, a in enumerate(plan.buffers):
        for b in plan.buffers[:i]:
            together = a.start <= b.end and b.start <= a.end
            if together and a.offset < b.offset + b.bytes and b.offset < a.offset + a.bytes:
                found.append((a.tensor, b.tensor))
    return found


def cases() -> list[tuple[str, int]]:
    found = []
    for name, graph in GRAPHS.items():
        problem = problem_of(graph, 0)
        least, most = minimum_bytes(problem, graph), problem.least_size_bytes
        found += [(name, least + (most - least) * part // 100) for part in (0, 3, 15, 40, 70, 95)]
    return found


@pytest.mark.parametrize(("name", "size"), cases())
def test_plans_compute_the_same_and_move_what_they_say(name: str, size: int, machine: Any) -> None:
    graph = GRAPHS[name]
    problem = problem_of(graph, size)
    plan = plan_below(problem, graph)
    assert isinstance(plan, TiledPlan)
    assert not overlaps(plan)
    done = Run(graph, problem, plan, machine).run()
    assert done.bytes == plan.compulsory_bytes + plan.noncompulsory_bytes
    assert plan.compulsory_bytes == problem.compulsory_bytes
    whole = problem.with_size(10**6)
    expected = Run(graph, whole, plan_below(whole, graph), machine).run()
    for tensor in problem.tensors:
        if tensor.kind == "output":
            np.testing.assert_allclose(done.outside[tensor.name], expected.outside[tensor.name], rtol=1e-8)
    assert plan.lower_bound_bytes <= plan.tiling_bound_bytes <= plan.noncompulsory_bytes
    assert least_traffic_bytes(problem, graph) <= done.bytes


@pytest.mark.parametrize(("name", "part"), [("one matmul", 50), ("two ends", 60), ("attention", 80), ("block", 85)])
def test_no_choice_of_tilings_moves_less(name: str, part: int) -> None:
    """Every choice among the same tilings, each with its own best schedule."""
    graph = GRAPHS[name]
    problem = problem_of(graph, 0)
    problem = problem.with_size(problem.least_size_bytes * part // 100)
    large = [op for op, need in enumerate(problem.need_bytes) if need > problem.size_bytes]
    given = [options(problem, op, graph[problem.operators[op].name]) for op in large]
    assert 1 < np.prod([len(g) for g in given]) < 3000
    least = None
    for tilings in product(*given):
        one = rewrite(problem, dict(zip(large, tilings, strict=True)))
        residency, _ = schedule(one.problem)
        moved = one.base_bytes + residency.noncompulsory_bytes
        least = moved if least is None else min(least, moved)
    plan = plan_below(problem, graph)
    assert isinstance(plan, TiledPlan)
    assert plan.noncompulsory_bytes == plan.tiling_bound_bytes == least


def test_a_graph_that_fits_is_planned_without_tiles() -> None:
    graph = GRAPHS["block"]
    problem = problem_of(graph, problem_of(graph, 0).least_size_bytes)
    assert not isinstance(plan_below(problem, graph), TiledPlan)


def test_below_the_minimum_the_operator_and_its_need_are_named() -> None:
    graph = GRAPHS["attention"]
    least = minimum_bytes(problem_of(graph, 0), graph)
    assert isinstance(plan_below(problem_of(graph, least), graph), TiledPlan)
    with pytest.raises(Infeasible) as error:
        plan_below(problem_of(graph, least - 1), graph)
    assert f"operator `mix` needs {least} bytes in its smallest tiles" in str(error.value)
    assert error.value.conflict == ("need[mix]",)


def test_an_operator_without_shapes_is_named() -> None:
    graph = GRAPHS["block"]
    problem = problem_of(graph, 500)
    some = {name: nest for name, nest in graph.items() if name != "add"}
    with pytest.raises(Infeasible) as error:
        plan_below(problem, some)
    assert "operator `add` needs 768 bytes, and without its shapes it cannot be cut into tiles" in str(error.value)
    assert "under `attributes`" in str(error.value)


def test_the_json_says_tiles_and_bounds() -> None:
    graph = GRAPHS["one matmul"]
    plan = plan_below(problem_of(graph, 60), graph)
    document = plan.to_json()
    (tiled,) = document["tiles"]
    assert tiled["operator"] == "m"
    assert set(tiled["tiles"]) == {"batch", "m", "n", "k"}
    assert document["minimum_bytes"] == 3
    assert document["noncompulsory_bytes"] == document["tiling_bound_bytes"] > document["lower_bound_bytes"]
    assert tiled["traffic_bytes"] == document["compulsory_bytes"] + document["noncompulsory_bytes"]


def test_what_a_maker_cannot_leave_behind_moves_twice() -> None:
    """Of `h`, twice as large as the scratchpad, half goes out and comes back; of `out`, which is read too, half comes
    back. Nothing is proved by the operators themselves, which read and write what lies there."""
    graph = {name: elementwise([a], [b], 200) for name, a, b in (("p", "x", "h"), ("q", "h", "out"), ("r", "out", "y"))}
    problem = problem_of(graph, 100)
    tensors = tuple(replace(t, kind="output") if t.name == "out" else t for t in problem.tensors)
    problem = replace(problem, tensors=tensors)
    assert least_traffic_bytes(problem, graph) == 3 * 200 + 2 * 100 + 100
    assert plan_below(problem, graph).noncompulsory_bytes >= 300
