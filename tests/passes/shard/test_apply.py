"""Decisions as data, and what is refused of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from xdsl.dialects.builtin import TensorType, f32
from xdsl.ir import Block

from dovetail.ir import nn
from dovetail.passes.shard.apply import apply_decision
from dovetail.passes.shard.decision import Decision, Way, read_decision
from dovetail.passes.shard.signatures import Mesh
from dovetail.passes.shard.states import WHOLE, State, partial, split


def two_layers() -> nn.NnModule:
    """relu(x @ up) @ down, and x @ up again by another op of the same weight."""
    block = Block(arg_types=[TensorType(f32, [2, 4])])
    up, again = (nn.WeightOp.make(type=TensorType(f32, [4, 8]), weight="up") for _ in range(2))
    down = nn.WeightOp.make(type=TensorType(f32, [8, 4]), weight="down")
    first = nn.MatmulOp.make(block.args[0], up.result)
    relu = nn.ReluOp.make(first.result)
    second = nn.MatmulOp.make(relu.result, down.result)
    third = nn.MatmulOp.make(block.args[0], again.result)
    block.add_ops([up, down, again, first, relu, second, third])
    rng = np.random.default_rng(1)
    weights = {"up": rng.normal(size=(4, 8)), "down": rng.normal(size=(8, 4))}
    return nn.NnModule(nn.build_main(block, [second.result, third.result]), weights, ("x",), ("y", "z"))


DECISION = Decision(
    Mesh("tp", 2),
    (WHOLE,),
    tuple(
        map(Way.read, ["->S(1)", "->S(0)", "->S(1)", "B,S(1)->S(1)", "S(1)->S(1)", "S(1),S(0)->P(sum)", "B,S(1)->S(1)"])
    ),
    (WHOLE, split(1)),
)


def test_columns_then_rows() -> None:
    network = two_layers()
    program = apply_decision(network, DECISION)
    program.module.verify()
    names = [op.name for op in nn.body_of(program.module)]
    assert names == [
        "nn.weight", "nn.weight", "nn.matmul", "nn.relu", "nn.matmul", "nn.matmul", "nn.all_reduce",
    ]  # fmt: skip
    assert program.weights == {"up": split(1), "down": split(0)}
    x, up, down = np.ones((2, 4)), network.weights["up"], network.weights["down"]
    y, z = program.run([x])
    np.testing.assert_allclose(y, np.maximum(x @ up, 0) @ down)
    np.testing.assert_allclose(z, x @ up)


def test_a_decision_is_read_back_from_its_record() -> None:
    assert read_decision(DECISION.record()) == DECISION


@pytest.mark.parametrize(
    ("index", "way", "message"),
    [
        (3, "B,S(0)->S(1)", r"nn.matmul cannot be shared among 2 ranks as B,S\(0\)->S\(1\)"),
        (2, "->S(0)", r"weight `up` cannot be S\(0\)"),
        (1, "->S(7)", r"weight `down` cannot be S\(7\)"),
        (4, "P(sum)->P(sum)", "nn.relu cannot be shared"),
    ],
)
def test_what_does_not_fit_the_network_is_refused(index: int, way: str, message: str) -> None:
    ways = (*DECISION.ways[:index], Way.read(way), *DECISION.ways[index + 1 :])
    decision = replace(DECISION, ways=ways)
    with pytest.raises(ValueError, match=message):
        apply_decision(two_layers(), decision)


def test_too_few_ways_are_refused() -> None:
    with pytest.raises(ValueError, match="6 ways for 7 ops"):
        apply_decision(two_layers(), replace(DECISION, ways=DECISION.ways[1:]))


@pytest.mark.parametrize("state", [WHOLE, split(3), partial("sum"), partial("max")])
def test_states_are_read_back_from_text(state: State) -> None:
    assert State.read(str(state)) == state


@pytest.mark.parametrize("text", ["", "S", "S(-1)", "P(mean)", "BB"])
def test_other_text_is_no_state(text: str) -> None:
    with pytest.raises(ValueError, match="no state of a tensor"):
        State.read(text)
