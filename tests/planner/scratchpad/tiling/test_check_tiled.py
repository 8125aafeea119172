"""The validator of plans with tiles: it counts as the machine does, accepts what is planned, rejects what is not."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from dovetail.planner.scratchpad.plan import ScratchpadPlan
from dovetail.planner.scratchpad.problem import Operator, ScratchpadProblem, Tensor
from dovetail.planner.scratchpad.tiling import Nest, TiledPlan, check_tiled, minimum_bytes, plan_below
from dovetail.planner.scratchpad.tiling.recount import Recount
from dovetail.planner.scratchpad.tiling.shapes import Slide, attention, convolution, elementwise, matmul, pool, rows

SAME = Slide(8, 3, 1, 1, 1)
NESTS = {
    "matmul": matmul("a", "b", "out", 7, 6, 9, partial=4),
    "batched": matmul("a", "b", "out", 5, 4, 3, batch=3),
    "convolution": convolution(
        "a", "b", "out", 2, 4, 6, Slide(9, 3, 2, 1, 1), Slide(8, 3, 1, 2, 2, 2), groups=2, bias="z"
    ),
    "strided": convolution("a", "b", "out", 1, 3, 5, Slide(9, 1, 2), Slide(9, 1, 2)),
    "pool": pool("a", "out", 1, 3, Slide(9, 3, 2, 1, 1), Slide(8, 2, 2)),
    "attention": attention("a", "b", "v", "out", 4, 6, 7, 3, kv_heads=2, value_dim=2, partial=4),
    "softmax": rows(["a"], ["out"], 9, 5),
    "add": elementwise(["a", "b"], ["out"], 23),
}


@pytest.mark.parametrize("name", NESTS)
def test_bytes_are_counted_as_the_machine_counts_them(name: str, machine: Any) -> None:
    nest, draw = NESTS[name], random.Random(name)
    for _ in range(12):
        order = [loop for loop in nest.extent if loop not in nest.whole]
        draw.shuffle(order)
        tiles = {loop: draw.randint(1, n) if loop in order else n for loop, n in nest.extent.items()}
        done, count = machine(nest, order, tiles).run(), Recount(nest, order, tiles)
        moved: dict[str, int] = {}
        for o in nest.operands:
            moved[o.tensor] = moved.get(o.tensor, 0) + count.moved_bytes(o)
        assert {t: n for t, n in moved.items() if n} == {t: n for t, n in done.moved.items() if n}
        assert sum(count.held_bytes(o, 1) for o in nest.operands) >= done.peak


Graph = dict[str, Nest]
BLOCK: Graph = {
    "c1": convolution("x", "w1", "h", 1, 4, 4, SAME, SAME),
    "r1": elementwise(["h"], ["g"], 256),
    "c2": convolution("g", "w2", "f", 1, 4, 4, SAME, SAME),
    "add": elementwise(["x", "f"], ["s"], 256),
    "down": pool("s", "out", 1, 4, Slide(8, 2, 2), Slide(8, 2, 2)),
}
MIX: Graph = {
    "q": matmul("x", "wq", "qs", 16, 8, 8),
    "k": matmul("x", "wk", "ks", 16, 8, 8),
    "v": matmul("x", "wv", "vs", 16, 8, 8),
    "mix": attention("qs", "ks", "vs", "o", 2, 16, 16, 4),
    "p": matmul("o", "wp", "y", 16, 8, 8),
    "add": elementwise(["x", "y"], ["out"], 128),
}


def problem_of(graph: Graph, size_bytes: int) -> ScratchpadProblem:
    sizes = {o.tensor: nest.whole_bytes(o) for nest in graph.values() for o in nest.tensors}
    made = {o.tensor for nest in graph.values() for o in nest.tensors if o.role == "output"}
    number = {name: i for i, name in enumerate(sizes)}
    kinds = {"out": "output"} | {name: "input" for name in sizes if name not in made}

    def listed(nest: Nest, role: str) -> tuple[int, ...]:
        return tuple(number[o.tensor] for o in nest.tensors if o.role == role)

    operators = (Operator(name, listed(nest, "input"), listed(nest, "output")) for name, nest in graph.items())
    tensors = tuple(Tensor(n, s, kinds.get(n, "intermediate")) for n, s in sizes.items())
    return ScratchpadProblem("test", tensors, tuple(operators), size_bytes)


@pytest.mark.parametrize("alignment", [1, 16])
@pytest.mark.parametrize("part", [0, 5, 20, 50, 80, 100])
@pytest.mark.parametrize("graph", [BLOCK, MIX], ids=["block", "mix"])
def test_every_plan_is_accepted(graph: Graph, part: int, alignment: int) -> None:
    problem = problem_of(graph, 0)
    least, most = minimum_bytes(problem, graph), problem.least_size_bytes
    size = least + (most - least) * part // 100 + 20 * (alignment - 1)
    problem = replace(problem.with_size(size), alignment_bytes=alignment)
    assert check_tiled(problem, graph, plan_below(problem, graph)) == []


@pytest.fixture(scope="module")
def subject() -> tuple[ScratchpadProblem, TiledPlan]:
    """Operators in tiles and whole, two tensors that are written for tiles, and one that is spilled."""
    problem = problem_of(MIX, 330)
    plan = plan_below(problem, MIX)
    assert isinstance(plan, TiledPlan)
    assert [move.kind for move in plan.moves] == ["spill", "spill", "reload"]
    return problem, plan


def test_what_tiles_wrote_must_be_loaded_after_that() -> None:
    problem = problem_of(BLOCK, 400)
    plan = plan_below(problem, BLOCK)
    (load,) = plan.moves
    assert load.kind == "reload"
    saved = replace(plan, moves=(), noncompulsory_bytes=plan.noncompulsory_bytes - load.bytes)
    assert any("is not loaded for its first buffer" in fault for fault in check_tiled(problem, BLOCK, saved))
    start = next(b for b in plan.buffers if b.tensor == load.tensor)
    early = replace(plan, buffers=tuple(replace(b, start=0) if b == start else b for b in plan.buffers))
    assert check_tiled(problem, BLOCK, replace(early, moves=(replace(load, step=0),)))


def tile(plan: TiledPlan, **changes: Any) -> TiledPlan:
    return replace(plan, tiles=(replace(plan.tiles[0], **changes), *plan.tiles[1:]))


def moved(plan: TiledPlan, by: int) -> dict[str, int]:
    name, bytes = next(iter(plan.tiles[0].moved.items()))
    return plan.tiles[0].moved | {name: bytes + by}


def resized(plan: TiledPlan, **changes: Any) -> TiledPlan:
    workspace = plan.tiles[0].workspace
    return replace(plan, buffers=tuple(replace(b, **changes) if b.tensor == workspace else b for b in plan.buffers))


TAMPERED: dict[str, Callable[[TiledPlan], ScratchpadPlan]] = {
    "an operator left out": lambda p: replace(p, order=p.order[1:]),
    "another order": lambda p: replace(p, order=p.order[::-1]),
    "tiles move less": lambda p: replace(tile(p, moved=moved(p, -8)), noncompulsory_bytes=p.noncompulsory_bytes - 8),
    "tiles of another size": lambda p: tile(p, tiles=p.tiles[0].tiles | {p.tiles[0].loops[0]: 3}),
    "a loop is not said to be cut": lambda p: tile(p, loops=p.tiles[0].loops[1:]),
    "loops in another order": lambda p: replace(p, tiles=tuple(replace(t, loops=t.loops[::-1]) for t in p.tiles)),
    "an unknown loop": lambda p: tile(p, tiles={**p.tiles[0].tiles, "z": 1}),
    "less held": lambda p: tile(p, held=dict.fromkeys(p.tiles[0].held, 1)),
    "traffic understated": lambda p: tile(p, traffic_bytes=p.tiles[0].traffic_bytes - 1),
    "a bound above the traffic": lambda p: tile(p, bound_bytes=p.tiles[0].traffic_bytes + 1),
    "an unknown operator": lambda p: tile(p, operator="nobody"),
    "twice in tiles": lambda p: replace(p, tiles=(*p.tiles, p.tiles[0])),
    "in tiles no more": lambda p: replace(p, tiles=p.tiles[1:]),
    "a workspace that is a tensor": lambda p: tile(p, workspace="x"),
    "whole what streams": lambda p: tile(p, whole=tuple(p.tiles[0].moved)),
    "no workspace": lambda p: replace(p, buffers=tuple(b for b in p.buffers if b.tensor != p.tiles[0].workspace)),
    "a workspace too small": lambda p: resized(p, bytes=1),
    "a workspace beyond the end": lambda p: resized(p, offset=p.size_bytes - 1),
    "a workspace at another step": lambda p: resized(p, start=0, end=len(p.order) - 1),
    "nothing written for tiles": lambda p: replace(p, moves=tuple(m for m in p.moves if m.kind != "spill")),
    "written too late": lambda p: replace(
        p, moves=tuple(replace(m, step=m.step + 3) if m.kind == "spill" else m for m in p.moves)
    ),
    "written twice": lambda p: replace(p, moves=(p.moves[0], *p.moves)),
    "reloaded elsewhere": lambda p: replace(p, moves=(*p.moves[:2], replace(p.moves[2], step=p.moves[2].step - 1))),
    "fewer bytes moved": lambda p: replace(p, moves=(*p.moves[:2], replace(p.moves[2], bytes=1))),
    "bytes understated": lambda p: replace(p, noncompulsory_bytes=p.noncompulsory_bytes - 1),
    "compulsory understated": lambda p: replace(p, compulsory_bytes=p.compulsory_bytes - 1),
    "a bound too high": lambda p: replace(p, lower_bound_bytes=p.noncompulsory_bytes + 1),
    "proved without a proof": lambda p: replace(p, status="optimal"),
}  # fmt: skip


@pytest.mark.parametrize("case", TAMPERED)
def test_a_tampered_plan_is_rejected(subject: tuple[ScratchpadProblem, TiledPlan], case: str) -> None:
    problem, plan = subject
    assert check_tiled(problem, MIX, plan) == []
    changed = TAMPERED[case](plan)
    assert changed != plan
    assert check_tiled(problem, MIX, changed)
