"""The work of every nn op: numbers worked by hand, and FLOPs against XLA's own count."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from xdsl.dialects.builtin import ArrayAttr, TensorType, f16, f32
from xdsl.dialects.func import ReturnOp
from xdsl.ir import Attribute, Block, Operation, SSAValue

from dovetail.costmodel.cost import Cost, NoCostRule, cost_of, cost_rules
from dovetail.costmodel.rules import RULES
from dovetail.ir import nn


def value(*shape: int, of: Attribute = f32) -> SSAValue:
    return Block(arg_types=[TensorType(of, shape)]).args[0]


IMAGE = value(2, 4, 8, 8)  # 512 elements, 2048 bytes
ROWS = value(3, 5)  # 15 elements, 60 bytes
NOTHING = value(0, 3)
MUL_RELU = ArrayAttr([nn.StepAttr.of("mul", (0, 1)), nn.StepAttr.of("relu", (2,))])

BY_HAND = [
    (nn.ReluOp.make(ROWS), Cost(15, 60, 60, 1)),
    (nn.AddOp.make(ROWS, value(5)), Cost(15, 60 + 20, 60, 1)),
    (nn.MulOp.make(ROWS, ROWS), Cost(15, 60, 60, 1)),
    (nn.MulOp.make(value(3, 1), value(5)), Cost(15, 12 + 20, 60, 1)),
    (nn.FusedElementwiseOp.make(ROWS, value(5), steps=MUL_RELU), Cost(2 * 15, 60 + 20, 60, 1)),
    (nn.ExpOp.make(value(4, 4, of=f16)), Cost(16, 32, 32, 1)),
    # 2 x 6 x 4 x 4 = 192 outputs of 2 x 2 x 3 x 3 = 36 taps
    (
        nn.ConvOp.make(IMAGE, value(6, 2, 3, 3), value(6), strides=(2, 2), pads=(1, 1, 1, 1), groups=2),
        Cost(192 * (2 * 18 + 1), 2048 + 108 * 4 + 24, 768, 1),
    ),
    (nn.ConvOp.make(IMAGE, value(1, 4, 8, 8)), Cost(2 * 2 * 256, 2048 + 1024, 8, 1)),
    # 2 x 4 x 4 x 4 = 128 outputs of 4 elements
    (nn.MaxPoolOp.make(IMAGE, kernel=(2, 2), strides=(2, 2)), Cost(128 * 3, 2048, 512, 1)),
    (nn.AveragePoolOp.make(IMAGE, kernel=(2, 2), strides=(2, 2)), Cost(128 * 4, 2048, 512, 1)),
    (nn.MatmulOp.make(value(2, 3, 4), value(4, 5)), Cost(2 * 2 * 3 * 5 * 4, 96 + 80, 120, 1)),
    (nn.GemmOp.make(value(4, 3), value(5, 4), transpose_a=1, transpose_b=1), Cost(2 * 3 * 5 * 4, 48 + 80, 60, 1)),
    (nn.GemmOp.make(value(3, 4), value(4, 5), value(5)), Cost(2 * 60 + 15, 48 + 80 + 20, 60, 1)),
    (nn.BatchNormOp.make(IMAGE, *[value(4) for _ in range(4)], epsilon=0.1), Cost(1024 + 20, 2048 + 64, 2048, 1)),
    (nn.SoftmaxOp.make(ROWS, axis=1), Cost(5 * 15 - 2 * 3, 60, 60, 1)),
    (nn.ReduceOp.make(ROWS, kind="sum", axes=(1,)), Cost(12, 60, 12, 1)),
    (nn.ReduceOp.make(ROWS, kind="mean", axes=(0, 1)), Cost(15, 60, 4, 1)),
    (nn.ReduceOp.make(NOTHING, kind="sum", axes=(0,)), Cost(0, 0, 12, 1)),
    (nn.BroadcastOp.make(value(5), type=TensorType(f32, [3, 5])), Cost(0, 20, 60, 1)),
    (nn.TransposeOp.make(ROWS, permutation=(1, 0)), Cost(0, 60, 60, 1)),
    (nn.ConcatOp.make(ROWS, value(3, 1), axis=1), Cost(0, 72, 72, 1)),
    (nn.SliceOp.make(ROWS, starts=(0, 1), limits=(3, 2)), Cost(0, 12, 12, 1)),
    (nn.FillOp.make(type=TensorType(f32, [3]), value=1.0), Cost(0, 0, 12, 1)),
    (nn.FillOp.make(type=TensorType(f32, []), value=1.0), Cost()),
    (nn.WeightOp.make(type=TensorType(f32, [3]), weight="w"), Cost()),
    (nn.ReshapeOp.make(ROWS, type=TensorType(f32, [15])), Cost()),
    # each of 5 ranks adds 4 others to its fifth of 15 elements, or of 10
    (nn.AllReduceOp.make(ROWS, mesh="tp", ranks=5), Cost(12, 60, 60, 1)),
    (nn.ReduceScatterOp.make(value(2, 5), axis=1, mesh="tp", ranks=5), Cost(8, 40, 8, 1)),
    (nn.AllGatherOp.make(ROWS, axis=0, mesh="tp", ranks=2), Cost(0, 60, 120, 1)),
    (nn.ShardOp.make(ROWS, axis=0, mesh="tp", ranks=3), Cost(0, 20, 20, 1)),
    (nn.TransferOp.make(ROWS, source="p0", target="p1"), Cost(0, 60, 60, 1)),
    (nn.RankOp.make(mesh="tp", ranks=3), Cost()),
]


@pytest.mark.parametrize(("op", "expected"), BY_HAND, ids=lambda x: x.name if isinstance(x, Operation) else "")
def test_work_by_hand(op, expected):
    assert cost_of(op) == expected


def test_every_op_has_a_rule_and_every_rule_a_number_in_this_folder():
    assert set(RULES) == set(nn.Nn.operations)
    worked = set()
    for path in Path(__file__).parent.glob("test_rules*.py"):
        spec = spec_from_file_location(f"numbers_{path.stem}", path)
        assert spec is not None
        assert spec.loader is not None
        spec.loader.exec_module(module := module_from_spec(spec))
        worked |= {RULES[type(op)] for op, _ in module.BY_HAND}
    assert worked == set(RULES.values())


def test_costs_add_up():
    assert Cost(1, 2, 3, 4) + Cost(10, 20, 30, 40) == Cost(11, 22, 33, 44)
    assert Cost(1, 2, 3, 4).moved_bytes == 5


def test_an_op_without_a_rule_is_an_error_that_names_it():
    with pytest.raises(NoCostRule, match=r"no cost rule for `func.return`"):
        cost_of(ReturnOp())


class Entry:
    """An entry point of an installed package."""

    def load(self) -> dict:
        return {ReturnOp: lambda op: Cost(flops=7), nn.ReluOp: lambda op: Cost()}


def test_packages_add_rules_but_do_not_take_ours_over(monkeypatch):
    cost_rules.cache_clear()
    found = {"dovetail.cost_rules": [Entry()]}
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: found.get(group, []))
    try:
        assert cost_of(ReturnOp()) == Cost(flops=7)
        assert cost_of(nn.ReluOp.make(ROWS)).flops == 15
    finally:
        cost_rules.cache_clear()


def convolve(x, w):
    from dovetail.backends.jax.layers import conv

    return conv(x, w, strides=(2, 1), groups=2)


def image_max(x):
    from dovetail.backends.jax.layers import max_pool

    return max_pool(x, kernel=(2, 2), strides=(2, 2))


XLA: list[tuple[Operation, Callable]] = [
    (nn.ConvOp.make(IMAGE, value(6, 2, 3, 3), strides=(2, 1), groups=2), convolve),
    (nn.MatmulOp.make(value(2, 3, 4), value(2, 4, 5)), lambda a, b: a @ b),
    (nn.GemmOp.make(value(7, 16), value(16, 9)), lambda a, b: a @ b),
    (nn.MaxPoolOp.make(IMAGE, kernel=(2, 2), strides=(2, 2)), image_max),
    (nn.AddOp.make(ROWS, value(5)), lambda a, b: a + b),
    (nn.FusedElementwiseOp.make(ROWS, value(5), steps=MUL_RELU), lambda a, b: (a * b).clip(0)),
    (nn.ReduceOp.make(ROWS, kind="sum", axes=(1,)), lambda a: a.sum(1)),
]


@pytest.mark.parametrize(("op", "function"), XLA, ids=lambda x: x.name if isinstance(x, Operation) else "")
def test_flops_are_those_that_xla_counts(op, function):
    import jax

    given = [jax.ShapeDtypeStruct(nn.shape_of(o), "float32") for o in op.operands]
    counted = jax.jit(function).lower(*given).compile().cost_analysis()
    assert counted is not None
    assert cost_of(op).flops == counted["flops"]
