"""Pieces are convex and run in the order of their numbers; together they are the whole."""

from __future__ import annotations

import random
from itertools import pairwise

import networkx
import numpy as np
import pytest
from xdsl.dialects.builtin import TensorType, f32
from xdsl.dialects.func import CallOp
from xdsl.ir import Block, SSAValue

from dovetail.costmodel.hardware import Device, find_device
from dovetail.ir import nn
from dovetail.ir.interpret import interpret
from dovetail.passes.pieces.choose import join_pieces
from dovetail.passes.pieces.emit import Pieces, cut_into_pieces, emit_pieces, piece_module, working_ops


def random_dag(seed: int) -> tuple[list[float], dict[tuple[int, int], float]]:
    rng = random.Random(seed)
    n = rng.randint(1, 40)
    near = rng.choice((2, 5, 40))
    edges = {
        (u, v): float(rng.randint(1, 9)) for v in range(n) for u in range(max(0, v - near), v) if rng.random() < 0.4
    }
    return [float(rng.randint(1, 9)) for _ in range(n)], edges


@pytest.mark.parametrize("seed", range(150))
def test_pieces_of_random_graphs_are_convex(seed: int) -> None:
    work, edges = random_dag(seed)
    most = 1 + seed % 6
    piece_of = join_pieces(work, edges, most)
    graph = networkx.DiGraph(list(edges))
    graph.add_nodes_from(range(len(work)))
    pieces = set(piece_of)
    assert sorted(pieces) == list(range(len(pieces)))
    assert len(pieces) <= max(most, networkx.number_weakly_connected_components(graph))
    assert all(piece_of[u] <= piece_of[v] for u, v in edges)
    behind = {u: networkx.descendants(graph, u) for u in graph}
    for w in graph:  # no path leaves a piece and comes back
        before = {piece_of[u] for u in graph if w in behind[u]} - {piece_of[w]}
        after = {piece_of[v] for v in behind[w]} - {piece_of[w]}
        assert not before & after


def test_joining_around_a_detour_is_refused() -> None:
    # 0 -> 1 -> 2 and 0 -> 2: joining 0 and 2 first, though they are the smallest, would put 1 in a cycle
    assert join_pieces([1, 9, 1], {(0, 1): 1.0, (1, 2): 1.0, (0, 2): 1.0}, 2) == [0, 0, 1]


def test_a_chain_is_cut_evenly() -> None:
    piece_of = join_pieces([1.0] * 8, dict.fromkeys(pairwise(range(8)), 1.0), 4)
    assert [piece_of.count(p) for p in range(4)] == [2, 2, 2, 2]


def test_work_in_another_order_than_uses_is_refused() -> None:
    with pytest.raises(ValueError, match="op 0 uses op 1, which stands after it"):
        join_pieces([1.0, 1.0], {(1, 0): 1.0}, 1)


def random_network(seed: int) -> nn.NnModule:
    """Sums, products and shared weights on (4, 4), with several outputs."""
    rng = random.Random(seed)
    block = Block(arg_types=[TensorType(f32, [4, 4])] * 2)
    values: list[SSAValue] = list(block.args)
    weights = {}
    for _ in range(rng.randint(2, 14)):
        x, y = rng.choice(values[-4:]), rng.choice(values)
        if rng.random() < 0.3:
            name = f"w{rng.randrange(3)}"
            weights[name] = np.random.default_rng(len(name)).normal(size=(4, 4))
            weight = nn.WeightOp.make(type=TensorType(f32, [4, 4]), weight=name)
            block.add_op(weight)
            y = weight.result
        op = rng.choice((nn.AddOp, nn.MatmulOp, nn.MulOp)).make(x, y)
        block.add_op(op)
        values.append(op.results[0])
    used = {o for op in block.ops for o in op.operands}
    outputs = [v for v in values[2:] if v not in used or rng.random() < 0.2]
    return nn.NnModule(nn.build_main(block, outputs), weights, ("x", "y"), tuple(f"z{i}" for i in range(len(outputs))))


def run_pieces(pieces: Pieces, inputs: list[np.ndarray], weights) -> list[np.ndarray]:
    """`main`, with each call run as a network of its own."""
    block = nn.main_of(pieces.module).body.block
    values: dict[SSAValue, np.ndarray] = dict(zip(block.args, inputs, strict=True))
    for op in block.ops:
        held = [values[o] for o in op.operands]
        match op:
            case CallOp():
                alone = piece_module(pieces, op.callee.string_value())
                alone.verify()
                values.update(zip(op.results, interpret(alone, held, weights), strict=True))
            case nn.TransferOp():
                values[op.result] = held[0]
            case _:
                return held
    raise AssertionError("main does not return")


@pytest.fixture(scope="module")
def h100() -> Device:
    found = find_device("h100-sxm")
    assert found is not None
    return found


@pytest.mark.parametrize("seed", range(60))
def test_pieces_one_after_another_are_the_whole(seed: int, h100: Device) -> None:
    network = random_network(seed)
    pieces = cut_into_pieces(network, 1 + seed % 5, h100)
    pieces.module.verify()
    rng = np.random.default_rng(seed)
    inputs = [rng.normal(size=(4, 4)) for _ in range(2)]
    expected = interpret(network.module, inputs, network.weights)
    for got, whole in zip(run_pieces(pieces, inputs, network.weights), expected, strict=True):
        np.testing.assert_allclose(got, whole, rtol=1e-12)
    made = [op for op in nn.main_of(pieces.module).body.block.ops if isinstance(op, nn.TransferOp)]
    assert [(op.source.data, op.target.data, 64) for op in made] == list(pieces.transfers)


def test_most_random_networks_need_transfers(h100: Device) -> None:
    assert sum(bool(cut_into_pieces(random_network(seed), 3, h100).transfers) for seed in range(60)) > 40


def test_pieces_that_need_each_other_are_refused() -> None:
    network = random_network(3)
    count = len(working_ops(network))
    with pytest.raises(ValueError, match="cannot run in their order"):
        emit_pieces(network, list(range(count, 0, -1)))
    with pytest.raises(ValueError, match="no piece `p9`"):
        piece_module(emit_pieces(network, [0] * count), "p9")
