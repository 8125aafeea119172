"""Overlap inside a device: by hand, between its bounds, and NanoFlow's optimum."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from xdsl.dialects.builtin import TensorType, bf16
from xdsl.ir import Block

from dovetail.costmodel.hardware import find_device
from dovetail.costmodel.overlap import (
    Demand,
    alone_s,
    best_nano_batches,
    busiest_s,
    contended_s,
    optimal_tokens_per_s,
    overlapped_s,
    sequential_s,
)
from dovetail.costmodel.spmd import demand, seconds, total_s
from dovetail.ir import nn

# [ms]: a product, attention of a decode, an all-reduce; the product reads 2 of weights
LAYER = (
    Demand(compute_s=10.0, memory_s=4.0, weights_s=2.0),
    Demand(compute_s=1.0, memory_s=6.0),
    Demand(network_s=3.0, launch_s=0.5),
)
TIMES = st.floats(0, 100)
DEMANDS = st.lists(st.builds(Demand, TIMES, TIMES, TIMES, st.just(0.0), TIMES), min_size=1, max_size=6)


def test_by_hand() -> None:
    assert [alone_s(each) for each in LAYER] == [10.0, 6.0, 3.5]
    assert sequential_s(LAYER) == 19.5
    assert busiest_s(LAYER) == 11.0  # compute
    # of one of two: max(5, 2 + 1) + max(0.5, 3) + 1.5 + 0.5 = 10; 2 x memory (2 + 1 + 3) = 12, compute is 11
    assert overlapped_s(LAYER) == 12.0
    # of one of four: 2.5 + 1.5 + 0.75 + 0.5 = 5.25; 4 x max(2.75, 2 + 0.5 + 1.5) = 16: memory, for the weights
    assert overlapped_s(LAYER, 4) == 16.0
    assert best_nano_batches(LAYER) == 2


def test_kernels_beside_each_other_by_hand() -> None:
    # of two: products 2 x max(5, 3), attention 2 x max(0.5, 3), collective 2 x (1.5 + 0.5): 10 + 6/2 + 4/3
    assert contended_s(LAYER) == pytest.approx(10 + 3 + 4 / 3)
    only_memory = (Demand(memory_s=6.0), Demand(compute_s=1.0))
    assert contended_s(only_memory) == pytest.approx(6.0)  # memory stays busy throughout
    grid = (Demand(compute_s=np.array([10.0, 1.0]), memory_s=np.array([4.0, 6.0])), Demand(network_s=3.0))
    assert contended_s(grid) == pytest.approx([11.0, 6.0])


@given(DEMANDS, st.integers(1, 6))
def test_contention_costs_something_but_beats_no_bound(demands: list[Demand], count: int) -> None:
    assert contended_s(demands, count) >= overlapped_s(demands, count)


def test_decode_of_few_sequences_gains_nothing() -> None:
    """Products bound by their weights: each nano-batch would read them again."""
    few = (Demand(compute_s=1.0, memory_s=10.0, weights_s=9.9), Demand(memory_s=1.0))
    assert best_nano_batches(few) == 1


@given(DEMANDS, st.integers(1, 6))
def test_overlap_lies_between_the_busiest_resource_and_one_after_another(demands: list[Demand], count: int) -> None:
    without_launch = [replace(each, launch_s=0.0) for each in demands]
    got = overlapped_s(without_launch, count)
    assert got <= sequential_s(without_launch) * (1 + 1e-9)
    assert got >= busiest_s(without_launch) * (1 - 1e-9)
    assert overlapped_s(demands, 1) == sequential_s(demands)


def test_grids_are_worked_out_at_once() -> None:
    batch = np.array([1.0, 2.0, 4.0])
    grid = [Demand(compute_s=3 * batch, memory_s=2 + batch, weights_s=2.0), Demand(network_s=2 * batch)]
    one_by_one = [
        overlapped_s([Demand(3 * b, 2 + b, weights_s=2.0), Demand(network_s=2 * b)], 2) for b in batch.tolist()
    ]
    assert overlapped_s(grid, 2).tolist() == one_by_one


def test_no_nano_batch_is_an_error() -> None:
    with pytest.raises(ValueError, match="0 nano-batches are no batch"):
        overlapped_s(LAYER, 0)


def test_the_optimum_of_a_70b_model_on_an_a100() -> None:
    # 260 TFLOP/s over 2 x 70e9 flops a token
    assert optimal_tokens_per_s(260e12, 70e9) == pytest.approx(1857, abs=0.5)


def test_programs_of_ranks_in_either_mode() -> None:
    found = find_device("h100-sxm")
    assert found is not None
    h100 = replace(found, link_bandwidth_bytes_per_s=400e9, link_latency_s=2e-6)
    x = Block(arg_types=[TensorType(bf16, (4096, 8192))]).args[0]
    weight = nn.WeightOp.make(type=nn.tensor(bf16, (8192, 8192)), weight="w")
    product = nn.MatmulOp.make(x, weight.result)
    ops = [product, nn.AllReduceOp.make(product.result, mesh="tp", ranks=4)]
    assert total_s(ops, h100) == pytest.approx(float(sequential_s([demand(op, h100) for op in ops])))
    # the product takes longer than the link: of two halves the second's product hides the first's collective
    halves = total_s(ops, h100, nano_batches=2)
    assert halves == pytest.approx(max(seconds(product, h100) - 3.4e-6, total_s(ops, h100) / 2 + 3.4e-6))
    assert demand(product, h100).weights_s == pytest.approx(8192 * 8192 * 2 / (0.85 * 3350e9))
