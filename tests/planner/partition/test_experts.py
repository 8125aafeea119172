"""Expert parallelism: experts over the ranks, tokens sent to them and back; it comes out where nothing else fits."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from xdsl.dialects.builtin import TensorType, f32
from xdsl.ir import Block, SSAValue

from dovetail.costmodel.hardware import find_device
from dovetail.ir import nn
from dovetail.ir.interpret import interpret
from dovetail.passes.shard.apply import apply_decision
from dovetail.passes.shard.signatures import Mesh
from dovetail.passes.shard.states import split
from dovetail.planner.partition.check import Broken, taken
from dovetail.planner.partition.solve import solve
from dovetail.planner.partition.to_problem import pose


def mixture(tokens: int, width: int, ffn: int, experts: int, gated: bool = True) -> nn.NnModule:
    """A mixture of experts; without `gated` each row goes to its expert and back as it is."""
    block = Block(arg_types=[TensorType(f32, [tokens, width])])
    rng = np.random.default_rng(4)
    weights: dict[str, np.ndarray] = {}

    def weight(name: str, *shape: int) -> SSAValue:
        weights[name] = rng.normal(size=shape)
        op = nn.WeightOp.make(type=TensorType(f32, shape), weight=name)
        block.add_op(op)
        return op.result

    def add(kind: type[nn.TensorOp], *operands: SSAValue, **given):
        op = kind.make(*operands, **given)
        block.add_op(op)
        return op.results

    x = block.args[0]
    shares, picks = add(nn.RouteOp, add(nn.MatmulOp, x, weight("router", width, experts))[0], k=2)
    y, order, sizes = add(nn.DispatchOp, x, picks, count=experts)
    if gated:
        (gate,) = add(nn.GroupedMatmulOp, y, weight("gate", experts, width, ffn), sizes)
        (up,) = add(nn.GroupedMatmulOp, y, weight("up", experts, ffn, width), sizes, transpose_b=1)
        (inner,) = add(nn.MulOp, add(nn.SiluOp, gate)[0], up)
        (y,) = add(nn.GroupedMatmulOp, inner, weight("down", experts, ffn, width), sizes)
    (z,) = add(nn.CombineOp, y, shares, order)
    return nn.NnModule(nn.build_main(block, [z]), weights, ("x",), ("z",))


def exchanged(posed) -> list[int]:
    """The ways with which rows are exchanged wherever a step has one, tokens and experts being split."""
    ways = []
    for step in posed.problem.steps:
        states = [(*way.operands, *way.results) for way in step.ways]
        best = [w for w, s in enumerate(states) if "X" in s] or [
            w for w, s in enumerate(states) if s and set(s) <= {"S(0)", "B"} and "S(0)" in s[-1:]
        ]
        names = step.name.split()
        whole = names[0] in ("input", "output") or step.name == "weight router"
        ways.append(0 if whole or not best else best[0])
    return ways


@pytest.mark.parametrize("ranks", [2, 4])
@pytest.mark.parametrize("gated", [True, False])
def test_rows_go_to_their_experts_and_back(ranks: int, gated: bool) -> None:
    device = find_device("h100-sxm")
    assert device is not None
    network = mixture(tokens=8, width=5, ffn=7, experts=4, gated=gated)
    posed = pose(network, Mesh("ep", ranks), device)
    program = apply_decision(network, posed.decision(exchanged(posed)))
    program.module.verify()
    x = np.random.default_rng(6).normal(size=(8, 5))
    (expected,) = interpret(network.module, [x], network.weights)
    np.testing.assert_allclose(program.run([x])[0], expected, rtol=1e-9, atol=1e-9)
    sent = Counter(op.name for op in nn.body_of(program.module) if isinstance(op, nn.CollectiveOp))
    assert sent["nn.all_to_all"] == 3  # rows there, how many for each expert, rows back


def test_experts_are_split_where_nothing_else_fits() -> None:
    """Widths of 5 and 7 cannot be split, so short of memory there is one way."""
    device = find_device("h100-sxm")
    assert device is not None
    network = mixture(tokens=4, width=35, ffn=77, experts=8)
    posed = pose(network, Mesh("ep", 4), device)
    whole = taken(posed.problem, [0] * len(posed.problem.steps)).peak_bytes
    short = replace(posed, problem=replace(posed.problem, memory_bytes=whole * 0.35))
    program = apply_decision(network, short.decision(solve(short.problem).ways))
    assert {program.weights[name] for name in ("gate", "up", "down")} == {split(0)}
    assert any(isinstance(op, nn.AllToAllOp) for op in nn.body_of(program.module))
    x = np.random.default_rng(6).normal(size=(4, 35))
    (expected,) = interpret(network.module, [x], network.weights)
    np.testing.assert_allclose(program.run([x])[0], expected, rtol=1e-9, atol=1e-9)


def test_rows_that_are_exchanged_cannot_be_had_otherwise() -> None:
    device = find_device("h100-sxm")
    assert device is not None
    posed = pose(mixture(tokens=8, width=5, ffn=7, experts=4), Mesh("ep", 2), device)
    ways = exchanged(posed)
    silu = next(i for i, step in enumerate(posed.problem.steps) if step.name.endswith("silu"))
    ways[silu] = 0
    with pytest.raises(Broken, match="made as X and cannot be had as B"):
        taken(posed.problem, ways)
