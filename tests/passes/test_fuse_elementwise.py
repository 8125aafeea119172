"""`fuse-elementwise`: the text before and after, the meaning on random networks, and what it must not do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from xdsl.dialects.builtin import FusedLoc, ModuleOp, NameLoc, NoneAttr, StringAttr, TensorType, UnknownLoc, f32, f64
from xdsl.ir import Attribute, Block, Operation, SSAValue

from dovetail.costmodel.tensor_graph import total
from dovetail.ir import nn
from dovetail.ir.interpret import interpret
from dovetail.opt import main
from dovetail.passes import run_pipeline
from dovetail.passes.fuse_elementwise import can_fuse, fuse, should_fuse
from dovetail.passes.locations import fused_location

CASE = Path(__file__).parents[1] / "cases/nn_fuse.mlir"
FUSE = (("fuse-elementwise", ""),)


def block(*shapes: tuple[int, ...], of: Attribute = f32) -> Block:
    return Block(arg_types=[TensorType(of, shape) for shape in shapes])


def test_text(golden, capsys):
    assert main([str(CASE), "-p", "fuse-elementwise"]) == 0
    golden("passes/nn_fuse.mlir", capsys.readouterr().out)


SHAPES = ((2, 3, 4, 4), (3, 1, 1), (), (1, 3, 1, 4), (4,))


@st.composite
def networks(draw: st.DrawFn) -> ModuleOp:
    """Elementwise ops on earlier values of many shapes, now and then a reduction; the last value and one more leave."""
    body = block(*SHAPES)
    values: list[SSAValue] = list(body.args)
    for _ in range(draw(st.integers(2, 10))):
        recent = st.integers(max(0, len(values) - 4), len(values) - 1).map(values.__getitem__)
        kind = draw(st.sampled_from([*nn.ELEMENTWISE, "reduce"]))
        if kind == "reduce":
            op: nn.TensorOp = nn.ReduceOp.make(draw(recent), kind="max", axes=())
        else:
            function = nn.ELEMENTWISE[kind]
            op = function.make(*(draw(recent) for _ in range(function.ARITY)))
        body.add_op(op)
        values.append(op.results[0])
    return nn.build_main(body, [values[-1], draw(st.sampled_from(values))])


@settings(max_examples=80, deadline=None, derandomize=True)
@given(networks(), st.integers(0, 2**16))
def test_meaning_is_kept_and_no_work_is_added(module, seed):
    fused = module.clone()
    run_pipeline(fused, FUSE)
    rng = np.random.default_rng(seed)
    inputs = [rng.normal(size=shape) for shape in SHAPES]
    with np.errstate(all="ignore"):
        pairs = zip(interpret(module, inputs, {}), interpret(fused, inputs, {}), strict=True)
        for before, after in pairs:
            np.testing.assert_allclose(after, before, rtol=1e-12, equal_nan=True)
    old, new = (total(nn.NnModule(m, {}, (), ())) for m in (module, fused))
    assert new.flops <= old.flops
    assert new.moved_bytes <= old.moved_bytes
    assert not [pair for pair in neighbours(fused) if can_fuse(*pair) and should_fuse(*pair)]


def neighbours(module: ModuleOp) -> list[tuple]:
    """Every pair of elementwise ops of which the second uses the first."""
    ops = [op for op in nn.body_of(module) if isinstance(op, nn.ElementwiseOp | nn.FusedElementwiseOp)]
    return [(p, c) for c in ops for p in ops if p.results[0] in c.operands]


def pair(x: SSAValue, consumer: type[nn.TensorOp] = nn.ReluOp, *others: SSAValue) -> tuple:
    producer = nn.ExpOp.make(x)
    return producer, consumer.make(producer.result, *others)


def test_a_plain_chain_may_and_should_be_fused():
    producer, consumer = pair(block((4, 4)).args[0])
    assert can_fuse(producer, consumer)
    assert should_fuse(producer, consumer)
    assert producer.result in consumer.operands


def test_L1_a_result_that_another_op_uses_is_not_fused_away():
    producer, consumer = pair(block((4, 4)).args[0])
    other = nn.NegOp.make(producer.result)
    assert not can_fuse(producer, consumer)
    other.drop_all_references()
    assert can_fuse(producer, consumer)


def test_L1_a_result_that_leaves_the_function_is_not_fused_away():
    body = block((4, 4))
    producer, consumer = pair(body.args[0])
    body.add_ops([producer, consumer])
    nn.build_main(body, [consumer.result, producer.result])
    assert not can_fuse(producer, consumer)


def test_L2_doubles_are_not_fused():
    producer, consumer = pair(block((4, 4), of=f64).args[0])
    assert not can_fuse(producer, consumer)


def test_a_small_producer_is_not_worked_out_for_every_element():
    small, large = block((8, 1, 1), (8, 4, 4)).args
    producer, consumer = pair(small, nn.AddOp, large)
    assert can_fuse(producer, consumer)
    assert not should_fuse(producer, consumer)
    assert len(list(small.uses)) == 1  # the trial leaves nothing behind


def test_a_value_used_twice_by_the_consumer_becomes_one_step():
    x = block((2,)).args[0]
    producer = nn.ExpOp.make(x)
    consumer = nn.MulOp.make(producer.result, producer.result)
    fused = fuse(producer, consumer)
    assert fused.chain == [("exp", (0,)), ("mul", (1, 1))]
    assert list(fused.operands) == [x]


def named(name: str) -> NameLoc:
    return NameLoc(StringAttr(name), NoneAttr())


def test_a_fused_op_has_the_locations_of_all_that_went_into_it():
    a, b, c = named("a"), named("b"), named("c")
    both = fused_location(a, b)
    assert isinstance(both, FusedLoc)
    assert fused_location(both, c) == fused_location(a, fused_location(b, c))
    assert fused_location(a, a) == a
    assert fused_location(UnknownLoc(), a) == a
    assert fused_location(UnknownLoc(), UnknownLoc()) == UnknownLoc()


def test_the_pass_copies_locations():
    body = block((2, 2))
    ops: list[Operation] = [nn.ExpOp.make(body.args[0])]
    ops.append(nn.ReluOp.make(ops[0].results[0]))
    for op, name in zip(ops, ("first", "second"), strict=True):
        op.location = named(name)
    body.add_ops(ops)
    module = nn.build_main(body, [ops[1].results[0]])
    run_pipeline(module, FUSE)
    (fused,) = nn.body_of(module)
    assert fused.location == fused_location(named("first"), named("second"))
