"""`fuse-elementwise`: the text before and after, the meaning on random networks, and what it must not do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from xdsl.dialects.builtin import (
    FusedLoc,
    ModuleOp,
    NameLoc,
    NoneAttr,
    StringAttr,
    TensorType,
    UnknownLoc,
    f16,
    f32,
    f64,
)
from xdsl.ir import Attribute, Block, Operation, SSAValue

from dovetail.costmodel.tensor_graph import total
from dovetail.ir import nn
from dovetail.ir.interpret import interpret
from dovetail.opt import main
from dovetail.passes import run_pipeline
from dovetail.passes.locations import fused_location
from dovetail.passes.nn.fuse_elementwise import can_join, fuse, is_fusible, should_fuse, should_join
from dovetail.passes.nn.groups import Group
from dovetail.passes.nn.profit import default_target, target_of

CASE = Path(__file__).parents[2] / "cases/nn_fuse.mlir"
FUSE = (("fuse-elementwise", ""),)


def block(*shapes: tuple[int, ...], of: Attribute = f32) -> Block:
    return Block(arg_types=[TensorType(of, shape) for shape in shapes])


def test_text(golden, capsys):
    assert main([str(CASE), "-p", "fuse-elementwise"]) == 0
    golden("passes/nn_fuse.mlir", capsys.readouterr().out)


OF_FLOATS = [kind for kind, op in nn.ELEMENTWISE.items() if op.OF != "truth values"]
SHAPES = ((2, 3, 4, 4), (3, 1, 1), (), (1, 3, 1, 4), (4,))


@st.composite
def networks(draw: st.DrawFn) -> ModuleOp:
    """Elementwise ops on earlier values of many shapes, now and then a reduction; the last value and one more leave."""
    body = block(*SHAPES)
    values: list[SSAValue] = list(body.args)
    for _ in range(draw(st.integers(2, 10))):
        recent = st.integers(max(0, len(values) - 4), len(values) - 1).map(values.__getitem__)
        kind = draw(st.sampled_from([*OF_FLOATS, "reduce"]))
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
    assert not [pair for pair in neighbours(fused) if fuses(*pair)]


def neighbours(module: ModuleOp) -> list[tuple]:
    """Every pair of elementwise ops of which the second uses the first."""
    ops = [op for op in nn.body_of(module) if isinstance(op, nn.ElementwiseOp | nn.FusedElementwiseOp)]
    return [(p, c) for c in ops for p in ops if p.results[0] in c.operands]


def fuses(producer: Operation, consumer: Operation) -> bool:
    """Whether the two may and should become one."""
    users = {use.operation for use in producer.results[0].uses}
    group = group_of(consumer)
    return users == {consumer} and can_join(producer, group) and should_join(producer, group, default_target())


def group_of(op: Operation) -> Group:
    group = Group(op)
    group.add(op)
    return group


def pair(x: SSAValue, consumer: type[nn.TensorOp] = nn.ReluOp, *others: SSAValue) -> tuple:
    producer = nn.ExpOp.make(x)
    return producer, consumer.make(producer.result, *others)


def kinds_after(body: Block, *outputs: SSAValue) -> list[str]:
    module = nn.build_main(body, outputs)
    run_pipeline(module, FUSE)
    return [op.name.removeprefix("nn.") for op in nn.body_of(module)]


def test_a_plain_chain_may_and_should_be_fused():
    producer, consumer = pair(block((4, 4)).args[0])
    assert fuses(producer, consumer)
    assert should_fuse([producer, consumer], fuse([producer, consumer]), default_target())
    assert producer.result in consumer.operands


def test_L1_a_result_that_another_op_uses_is_not_fused_away():
    body = block((4, 4), (4,))
    producer, consumer = pair(body.args[0])
    other = nn.ReduceOp.make(producer.result, kind="max", axes=(0,))
    body.add_ops([producer, consumer, other])
    assert kinds_after(body, consumer.result, other.result) == ["exp", "relu", "reduce"]


def test_L1_a_result_that_leaves_the_function_is_not_fused_away():
    body = block((4, 4))
    producer, consumer = pair(body.args[0])
    body.add_ops([producer, consumer])
    assert kinds_after(body, consumer.result, producer.result) == ["exp", "relu"]


def test_L2_doubles_are_not_fused():
    producer, _ = pair(block((4, 4), of=f64).args[0])
    assert not is_fusible(producer)


def test_a_diamond_becomes_one_chain():
    body = block((4, 4))
    exp = nn.ExpOp.make(body.args[0])
    gate = nn.SigmoidOp.make(exp.result)
    out = nn.MulOp.make(exp.result, gate.result)
    body.add_ops([exp, gate, out])
    assert kinds_after(body, out.result) == ["fused_elementwise"]


def test_comparisons_choices_and_casts_become_a_fusion():
    body = block((4, 4), (4, 4))
    x, y = body.args
    less = nn.LessOp.make(x, y)
    chosen = nn.WhereOp.make(less.result, x, y)
    cast = nn.CastOp.make(chosen.result, type=TensorType(f16, [4, 4]))
    body.add_ops([less, chosen, cast])
    module = nn.build_main(body, [cast.result])
    before = module.clone()
    run_pipeline(module, FUSE)
    (fused,) = nn.body_of(module)
    assert isinstance(fused, nn.FusionOp)
    inputs = [np.random.default_rng(i).normal(size=(4, 4)) for i in range(2)]
    np.testing.assert_array_equal(interpret(module, inputs, {}), interpret(before, inputs, {}))


def test_a_small_producer_is_not_worked_out_for_every_element():
    small, large = block((8, 1, 1), (8, 4, 4)).args
    producer, consumer = pair(small, nn.AddOp, large)
    assert can_join(producer, group_of(consumer))
    assert not should_join(producer, group_of(consumer), default_target())
    assert len(list(small.uses)) == 1  # the trial leaves nothing behind


def test_a_chain_reads_no_more_tensors_than_a_thread_has_registers_for():
    room = default_target().live_values()
    assert room is not None
    body = block(*[(4, 4)] * (2 * room))
    total = body.args[0]
    for arg in body.args[1:]:
        body.add_op(add := nn.AddOp.make(total, arg))
        total = add.result
    module = nn.build_main(body, [total])
    run_pipeline(module, FUSE)
    chains = list(nn.body_of(module))
    assert len(chains) > 1
    assert all(len(op.operands) <= room for op in chains)
    assert target_of("cpu").live_values() is None


def test_a_value_used_twice_by_the_consumer_becomes_one_step():
    x = block((2,)).args[0]
    producer = nn.ExpOp.make(x)
    consumer = nn.MulOp.make(producer.result, producer.result)
    fused = fuse([producer, consumer])
    assert isinstance(fused, nn.FusedElementwiseOp)
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
