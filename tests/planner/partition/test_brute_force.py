"""The plan found is the best of all plans, counted out one by one, and the program made of it does what it should."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from math import prod

import numpy as np
import pytest

from dovetail.costmodel.hardware import find_device
from dovetail.costmodel.spmd import total_s
from dovetail.ir import nn
from dovetail.ir.interpret import interpret
from dovetail.passes.shard.apply import apply_decision
from dovetail.passes.shard.decision import read_decision
from dovetail.passes.shard.signatures import Mesh
from dovetail.planner.partition.check import Broken, taken
from dovetail.planner.partition.problem import PartitionProblem
from dovetail.planner.partition.solve import solve
from dovetail.planner.partition.to_problem import Ends, free_ends, pose, whole_or_split

MOST = 4000
"""plans counted out for one network"""
INSTANCES = 120


def slow_device():
    """An H100 whose compute is so slow that tiny products are worth sharing."""
    found = find_device("h100-sxm")
    assert found is not None
    flops = {dtype: rate / 1e9 for dtype, rate in found.flops_per_s.items()}
    return replace(found, flops_per_s=flops, bandwidth_bytes_per_s=found.bandwidth_bytes_per_s / 1e6)


def counted_out(p: PartitionProblem) -> float:
    """[s] of the fastest plan that fits the memory; infinite where none does."""
    best = float("inf")
    for ways in product(*(range(len(step.ways)) for step in p.steps)):
        try:
            found = taken(p, ways)
        except Broken:
            continue
        if found.peak_bytes <= p.memory_bytes:
            best = min(best, found.seconds)
    return best


def instances(make_random: Callable[[int, int], nn.NnModule]):
    """Networks of 2 to 5 ops with few enough plans, alternating 2 and 4 ranks, every third short of memory."""
    device, seed, found = slow_device(), 0, 0
    while found < INSTANCES:
        seed += 1
        network = make_random(seed, 2 + seed % 4)
        posed = pose(network, Mesh("tp", 2 + 2 * (seed % 2)), device)
        p = posed.problem
        if prod(len(step.ways) for step in p.steps) > MOST:
            continue
        whole = taken(p, [0] * len(p.steps)).peak_bytes
        share = (1.0, 1.0, 0.4 + 0.1 * (seed % 5))[found % 3]
        found += 1
        yield network, replace(posed, problem=replace(p, memory_bytes=whole * share)), device


def test_plans_are_the_best_of_all_and_programs_mean_the_same(make_random) -> None:
    rng = np.random.default_rng(1)
    short, shared = 0, 0
    for network, posed, device in instances(make_random):
        p = posed.problem
        best, found = counted_out(p), solve(p)
        if best == float("inf"):
            assert found.status == "infeasible"
            short += 1
            continue
        assert found.status == "optimal"
        assert found.seconds == pytest.approx(best, rel=1e-6)
        shared += any(found.ways)
        decision = posed.decision(found.ways)
        program = apply_decision(network, read_decision(decision.record()))
        program.module.verify()
        assert total_s(nn.body_of(program.module), device) == pytest.approx(found.seconds)
        x = rng.normal(size=(4, 8))
        for got, whole in zip(program.run([x]), interpret(network.module, [x], network.weights), strict=True):
            np.testing.assert_allclose(got, whole, rtol=1e-9, atol=1e-9)
    assert short >= 5
    assert shared >= 60


def run_some_plan(network: nn.NnModule, ranks: int, seed: int) -> None:
    """Not the best plan: ways drawn at random, inputs and outputs split where they can be."""
    rng = np.random.default_rng(seed)
    free = free_ends(network, ranks)
    ends = Ends((whole_or_split(nn.main_of(network.module).body.block.args[0], ranks),), free.outputs)
    posed = pose(network, Mesh("tp", ranks), slow_device(), ends=ends, fold=False)
    p = posed.problem
    ways = [0] * len(p.steps)
    for step in rng.permutation(len(ways)):  # one step after another, as long as every tensor can be had
        tried = [*ways]
        tried[step] = int(rng.integers(len(p.steps[step].ways)))
        try:
            taken(p, tried)
        except Broken:
            continue
        ways = tried
    assert any(ways)
    program = apply_decision(network, posed.decision(ways))
    assert total_s(nn.body_of(program.module), slow_device()) == pytest.approx(taken(p, ways).seconds)
    x = rng.normal(size=(4, 8))
    for got, whole in zip(program.run([x]), interpret(network.module, [x], network.weights), strict=True):
        np.testing.assert_allclose(got, whole, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("seed", range(40))
def test_any_plan_makes_a_program_that_means_the_same(make_random, seed: int) -> None:
    run_some_plan(make_random(1000 + seed, 8), 2 + 2 * (seed % 2), seed)


@pytest.mark.fuzz
@pytest.mark.parametrize("seed", range(1000))
def test_any_plan_of_larger_networks(make_random, seed: int) -> None:
    run_some_plan(make_random(5000 + seed, 6 + seed % 20), 2 + 2 * (seed % 2), seed)
