"""Layers of a transformer: tensor parallelism as Megatron-LM has it comes out, though nothing here knows of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from dovetail.costmodel.hardware import Device, find_device
from dovetail.costmodel.spmd import total_s
from dovetail.ir import nn
from dovetail.ir.interpret import interpret
from dovetail.passes.shard.apply import SpmdNetwork, apply_decision
from dovetail.passes.shard.signatures import Mesh
from dovetail.passes.shard.states import WHOLE, split
from dovetail.planner.partition.check import taken
from dovetail.planner.partition.solve import least_memory, solve
from dovetail.planner.partition.to_problem import Posed, pose

COLUMNS, ROWS = ("q", "k", "v", "gate", "up"), ("o", "down")


@pytest.fixture(scope="module")
def h100() -> Device:
    found = find_device("h100-sxm")
    assert found is not None
    return found


def short_of_memory(posed: Posed, share: float) -> Posed:
    """With so much of the memory that the whole network takes."""
    p = posed.problem
    whole = taken(p, [0] * len(p.steps)).peak_bytes
    return replace(posed, problem=replace(p, memory_bytes=whole * share))


def planned(network: nn.NnModule, posed: Posed) -> SpmdNetwork:
    return apply_decision(network, posed.decision(solve(posed.problem).ways))


def collectives(program: SpmdNetwork) -> Counter[str]:
    """How many of each are sent over the link."""
    ops = nn.body_of(program.module)
    return Counter(op.name for op in ops if isinstance(op, nn.CollectiveOp) and not isinstance(op, nn.ShardOp))


@pytest.mark.parametrize("ranks", [2, 4, 8])
def test_a_layer_that_does_not_fit_is_split_by_columns_and_then_by_rows(make_decoder, h100: Device, ranks: int) -> None:
    network = make_decoder(layers=1, width=4096, heads=32, ffn=14336, seq=512)
    program = planned(network, short_of_memory(pose(network, Mesh("tp", ranks), h100), 1.15 / ranks + 0.02))
    lie = {name.split(".")[1]: state for name, state in program.weights.items()}
    assert {name: lie[name] for name in COLUMNS} == dict.fromkeys(COLUMNS, split(1))
    assert {name: lie[name] for name in ROWS} == dict.fromkeys(ROWS, split(0))
    assert lie["norm1"] == lie["norm2"] == WHOLE
    found = collectives(program)
    # two sums over the ranks, each whole or as its halves with the norm between them on parts
    assert found["nn.all_reduce"] + found["nn.reduce_scatter"] == 2
    assert found["nn.reduce_scatter"] == found["nn.all_gather"]
    assert set(found) <= {"nn.all_reduce", "nn.reduce_scatter", "nn.all_gather"}


def test_one_token_at_a_time_takes_two_all_reduces(make_decoder, h100: Device) -> None:
    network = make_decoder(layers=1, width=4096, heads=32, ffn=14336, seq=1)
    program = planned(network, short_of_memory(pose(network, Mesh("tp", 4), h100), 0.3))
    assert collectives(program) == {"nn.all_reduce": 2}


def test_layers_that_are_alike_are_decided_once_and_alike(make_decoder, h100: Device) -> None:
    one, many = (make_decoder(layers=n, width=1024, heads=16, ffn=4096, seq=64) for n in (2, 48))
    small, large = (pose(network, Mesh("tp", 4), h100) for network in (one, many))
    assert len(large.problem.steps) == len(small.problem.steps)
    plan = short_of_memory(large, 0.3)
    decision = plan.decision(solve(plan.problem).ways)
    per_layer = len(decision.ways) // 48
    assert len(decision.ways) == 48 * per_layer
    assert len({decision.ways[i * per_layer : (i + 1) * per_layer] for i in range(1, 47)}) == 1


def test_what_is_folded_takes_as_long_as_its_program(make_decoder, h100: Device) -> None:
    network = make_decoder(layers=6, width=512, heads=8, ffn=2048, seq=64)
    plan = short_of_memory(pose(network, Mesh("tp", 4), h100), 0.4)
    found = solve(plan.problem)
    program = apply_decision(network, plan.decision(found.ways))
    assert total_s(nn.body_of(program.module), h100) == pytest.approx(found.seconds, rel=1e-9)
    apart = short_of_memory(pose(network, Mesh("tp", 4), h100, fold=False), 0.4)
    whole = [taken(posed.problem, [0] * len(posed.problem.steps)) for posed in (plan, apart)]
    assert whole[0].seconds == pytest.approx(whole[1].seconds)
    assert whole[0].peak_bytes == pytest.approx(whole[1].peak_bytes)


@pytest.mark.parametrize("share", [1.0, 0.6, 0.35])
def test_programs_of_layers_mean_the_same(make_decoder, h100: Device, share: float) -> None:
    network = make_decoder(layers=2, width=32, heads=4, ffn=64, seq=8, values=True)
    slow = replace(h100, flops_per_s={k: v / 1e7 for k, v in h100.flops_per_s.items()})
    program = planned(network, short_of_memory(pose(network, Mesh("tp", 4), slow), share))
    assert collectives(program)
    x = np.random.default_rng(2).normal(size=(1, 8, 32))
    (expected,) = interpret(network.module, [x], network.weights)
    np.testing.assert_allclose(program.run([x])[0], expected, rtol=1e-9, atol=1e-9)


def test_two_axes_one_after_the_other(make_decoder, h100: Device) -> None:
    """Outer, then inner: the program of the first is a network for the second, with its collectives."""
    from dovetail.ir.spmd import interpret_spmd
    from dovetail.passes.shard.apply import part

    network = make_decoder(layers=1, width=32, heads=4, ffn=64, seq=8, values=True)
    slow = replace(h100, flops_per_s={k: v / 1e7 for k, v in h100.flops_per_s.items()})
    outer = planned(network, short_of_memory(pose(network, Mesh("a", 2), slow), 0.7))
    local = nn.NnModule(outer.module, {}, network.input_names, network.output_names)
    inner = planned(local, short_of_memory(pose(local, Mesh("b", 2), slow), 0.7))
    x = np.random.default_rng(2).normal(size=(1, 8, 32))
    weights = [
        {name: part(held[name], state, b, inner.mesh) for name, state in inner.weights.items()}
        for held in (outer.weights_of(0), outer.weights_of(1))
        for b in range(2)
    ]
    got = interpret_spmd(inner.module, {"a": 2, "b": 2}, [[x]] * 4, weights)
    (expected,) = interpret(network.module, [x], network.weights)
    for (y,) in got:
        np.testing.assert_allclose(y, expected, rtol=1e-9, atol=1e-9)


def test_the_least_memory_is_just_enough(make_decoder, h100: Device) -> None:
    network = make_decoder(layers=1, width=512, heads=8, ffn=2048, seq=64)
    p = pose(network, Mesh("tp", 4), h100).problem
    least = least_memory(p)
    assert solve(replace(p, memory_bytes=least)).status == "optimal"
    assert solve(replace(p, memory_bytes=least * 0.99)).status == "infeasible"


def test_without_time_the_least_memory_is_what_everything_whole_takes(make_decoder, h100: Device) -> None:
    p = pose(make_decoder(layers=1, width=512, heads=8, ffn=2048, seq=64), Mesh("tp", 4), h100).problem
    assert least_memory(p, 0) == taken(p, [0] * len(p.steps)).peak_bytes
