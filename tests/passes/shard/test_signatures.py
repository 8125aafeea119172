"""Every signature of every op is proved: ranks run the op on their shares, and together have the whole result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from xdsl.dialects.builtin import ArrayAttr, IntegerType, TensorType, f16, f32, i1, i64
from xdsl.ir import Attribute, Block, Operation, SSAValue

from dovetail.ir import nn
from dovetail.ir.interpret import evaluate
from dovetail.ir.spmd import interpret_spmd
from dovetail.passes.shard.localise import can_move, local_type, localise, move
from dovetail.passes.shard.signatures import SIGNATURES, Local, Mesh, Signature, signatures_of
from dovetail.passes.shard.states import EXCHANGED, SUM, WHOLE, State, partial, split

RANKS = 2
i4 = IntegerType(4)
MESH = Mesh("tp", RANKS)


def value(*shape: int, of: Attribute = f32) -> SSAValue:
    return Block(arg_types=[TensorType(of, shape)]).args[0]


def index(*shape: int) -> SSAValue:
    return value(*shape, of=i64)


X, ROW, IMAGE = value(4, 6), value(6), value(2, 4, 6, 8)
MUL_RELU = ArrayAttr([nn.StepAttr.of("mul", (0, 1)), nn.StepAttr.of("relu", (2,))])
TRUTH = frozenset({nn.NotOp, nn.AndOp, nn.OrOp, nn.XorOp})


def elementwise(kind: type[nn.ElementwiseOp]) -> list[nn.TensorOp]:
    of = i1 if kind in TRUTH else f32
    x, row, column = value(4, 6, of=of), value(6, of=of), value(4, 1, of=of)
    return [kind.make(x)] if kind.ARITY == 1 else [kind.make(x, row), kind.make(column, x)]


OPS: list[nn.TensorOp] = [
    *(op for kind in nn.ELEMENTWISE.values() for op in elementwise(kind)),
    *(kind.make(X, ROW) for kind in nn.COMPARISONS),
    nn.DivOp.make(index(4, 6), index(6)),
    nn.FusedElementwiseOp.make(X, ROW, steps=MUL_RELU),
    nn.WhereOp.make(value(6, of=i1), X, value(4, 1)),
    nn.CastOp.make(X, type=TensorType(i64, [4, 6])),
    nn.CastOp.make(X, type=TensorType(f16, [4, 6])),
    nn.MatmulOp.make(X, value(6, 2)),
    nn.MatmulOp.make(value(4, 2, 4, 6), value(2, 6, 2)),
    nn.MatmulOp.make(value(4, 1, 4, 6), value(2, 6, 2)),
    nn.GemmOp.make(X, value(6, 8)),
    nn.GemmOp.make(X, value(6, 8), value(8)),
    nn.GemmOp.make(value(6, 4), value(8, 6), value(4, 1), transpose_a=1, transpose_b=1),
    nn.GemmOp.make(X, value(6, 8), value(4, 8)),
    nn.ConvOp.make(IMAGE, value(6, 4, 3, 3), value(6), strides=(2, 2), pads=(1, 1, 1, 1)),
    nn.ConvOp.make(IMAGE, value(6, 4, 3, 3)),
    nn.ConvOp.make(IMAGE, value(8, 1, 3, 3), value(8), groups=4),
    nn.ConvOp.make(value(2, 4, 9), value(6, 4, 3), dilations=(2,)),
    nn.ConvTransposeOp.make(IMAGE, value(4, 6, 3, 3), value(6), strides=(2, 2)),
    nn.ConvTransposeOp.make(IMAGE, value(4, 3, 2, 2), value(6), groups=2),
    nn.MaxPoolOp.make(IMAGE, kernel=(2, 3), strides=(2, 1), pads=(1, 1, 1, 1)),
    nn.AveragePoolOp.make(IMAGE, kernel=(2, 2), pads=(1, 0, 0, 1)),
    nn.ResizeOp.make(IMAGE, axes=(2, 3), sizes=(9, 4), mode="linear"),
    nn.SoftmaxOp.make(IMAGE, axis=1),
    nn.ArgMaxOp.make(IMAGE, axis=2),
    nn.TopKOp.make(IMAGE, axis=3, k=2),
    nn.CumSumOp.make(IMAGE, axis=1),
    *(nn.ReduceOp.make(IMAGE, kind=kind, axes=(1, 3)) for kind in ("sum", "mean", "max", "min", "prod")),
    nn.BatchNormOp.make(IMAGE, *[value(4) for _ in range(4)], epsilon=0.1),
    nn.LayerNormOp.make(IMAGE, value(6, 8), value(6, 8), axis=2, epsilon=0.1),
    nn.LayerNormOp.make(IMAGE, axis=3, epsilon=0.1),
    nn.RmsNormOp.make(IMAGE, value(8), axis=3, epsilon=0.1),
    nn.GroupNormOp.make(IMAGE, value(4), value(4), groups=2, epsilon=0.1),
    nn.ReshapeOp.make(value(8, 6, 4), type=TensorType(f32, [2, 4, 24])),
    nn.ReshapeOp.make(value(4, 6), type=TensorType(f32, [1, 4, 2, 3])),
    nn.ReshapeOp.make(value(3, 4, 6), type=TensorType(f32, [12, 6])),
    nn.BroadcastOp.make(value(4, 1, 6), type=TensorType(f32, [2, 4, 8, 6])),
    nn.FillOp.make(type=TensorType(f32, [4, 6]), value=0.5),
    nn.TransposeOp.make(IMAGE, permutation=(2, 0, 3, 1)),
    nn.ConcatOp.make(X, value(2, 6), axis=0),
    nn.SliceOp.make(IMAGE, starts=(0, 1, 0, 0), limits=(2, 3, 6, 8)),
    nn.SliceOp.make(IMAGE, starts=(0, 0, 0, 0), limits=(2, 4, 6, 8), steps=(1, 2, 1, 1)),
    nn.SplitOp.make(X, axis=1, sizes=(4, 2)),
    nn.ReverseOp.make(IMAGE, axes=(1,)),
    nn.PadOp.make(X, value(), low=(0, 1), high=(0, 2)),
    nn.PadOp.make(X, low=(1, 0), high=(0, 0), mode="edge"),
    nn.GatherOp.make(value(6, 8), index(4, 2), axis=0),
    nn.GatherOp.make(value(4, 6, 8), index(4), axis=1),
    nn.GatherElementsOp.make(X, index(4, 2), axis=1),
    nn.ScatterOp.make(value(6, 8), index(1), value(1, 8), axis=0),
    nn.ScatterOp.make(value(6, 8), index(3), value(3, 8), axis=0, kind="add"),
    nn.IotaOp.make(type=TensorType(i64, [4, 6]), axis=1),
    nn.AttentionOp.make(value(2, 8, 4, 6), value(2, 4, 5, 6), value(2, 4, 5, 8), scale=0.5),
    nn.AttentionOp.make(value(2, 8, 4, 6), value(2, 4, 5, 6), value(2, 4, 5, 8), value(8, 4, 5), scale=0.5),
    nn.AttentionOp.make(value(2, 8, 4, 6), value(2, 1, 5, 6), value(2, 1, 5, 8), value(2, 1, 1, 5), scale=0.5),
    nn.AttentionOp.make(value(2, 8, 4, 6), value(2, 2, 5, 6), value(2, 2, 5, 8), causal=1, window=3, scale=0.5),
    nn.PagedAttentionOp.make(value(2, 8, 2, 6), value(4, 2, 4, 6), value(4, 2, 4, 8), index(2, 2), index(2), scale=0.5),
    nn.RotaryOp.make(value(2, 4, 6, 8), value(6, 3), value(6, 3)),
    nn.RotaryOp.make(value(2, 4, 6, 8), value(2, 6, 4), value(2, 6, 4), interleaved=1),
    nn.RouteOp.make(value(4, 6), value(6), k=2),
    nn.DispatchOp.make(value(4, 6), index(4, 2), count=6),
    nn.GroupedMatmulOp.make(value(8, 6), value(4, 6, 2), index(4)),
    nn.GroupedMatmulOp.make(value(8, 6), value(4, 2, 6), index(4), transpose_b=1),
    nn.CombineOp.make(value(8, 6), value(4, 2), index(8)),
    nn.QuantiseOp.make(value(4, 8), value(4, 2), block=(1, 4), type=TensorType(i4, [4, 8])),
    nn.QuantiseOp.make(value(4, 8), value(1, 1), block=(0, 0), type=TensorType(i4, [4, 8])),
    nn.DequantiseOp.make(value(4, 8, of=i4), value(4, 3), value(4, 3), block=(1, 3)),
    nn.AllReduceOp.make(X, kind="max", mesh="dp", ranks=3),
    nn.AllGatherOp.make(X, axis=0, mesh="dp", ranks=3),
    nn.ReduceScatterOp.make(X, axis=1, mesh="dp", ranks=3),
    nn.AllToAllOp.make(X, split_axis=1, concat_axis=0, mesh="dp", ranks=3),
    nn.PermuteOp.make(X, sources=(0,), targets=(1,), mesh="dp", ranks=3),
    nn.ShardOp.make(X, axis=1, mesh="dp", ranks=3),
]
CASES = [(op, s) for op in OPS for s in signatures_of(op, RANKS) if EXCHANGED not in (*s.operands, *s.results)]
"""Rows that are exchanged mean something only on their way to a combine: test_experts.py."""
ALONE = [(op, s) for op, s in CASES if not isinstance(op, nn.CollectiveOp)]
ACROSS = [(op, s) for op, s in CASES if isinstance(op, nn.CollectiveOp)]


def random_operands(op: Operation, rng: np.random.Generator) -> list[np.ndarray]:
    """Operands as the op wants them: indices in range, positive where it takes roots and powers."""
    limits = {nn.GatherOp: 6, nn.GatherElementsOp: 6, nn.ScatterOp: 6, nn.PagedAttentionOp: 4, nn.DispatchOp: 6}
    made = []
    for operand in op.operands:
        shape, element = nn.shape_of(operand), nn.tensor_type(operand).element_type
        if isinstance(op, nn.CombineOp) and element == i64:
            made.append(rng.permutation(8).astype(float))
        elif isinstance(op, nn.GroupedMatmulOp) and element == i64:
            made.append(np.array([3.0, 0.0, 2.0, 1.0]))
        elif isinstance(op, nn.PagedAttentionOp) and shape == (2,):
            made.append(np.array([4.0, 3.0]))
        elif nn.is_float(element):
            made.append(rng.uniform(0.1, 1.0, size=shape))
        elif element == i1:
            made.append(rng.integers(0, 2, size=shape).astype(float))
        else:
            low = -6 if type(op) in (nn.GatherOp, nn.GatherElementsOp) else 1 if isinstance(op, nn.DivOp) else 0
            made.append(rng.integers(low, limits.get(type(op), 8), size=shape).astype(float))
    return made


def spread(whole: np.ndarray, state: State, rng: np.random.Generator) -> list[np.ndarray]:
    """What the ranks hold of `whole`."""
    if state.kind == "S":
        return np.split(whole, RANKS, axis=state.axis)
    if state == SUM:
        part = rng.normal(size=whole.shape)
        return [part, whole - part]
    if state.kind == "P":
        less = rng.integers(0, 2, size=whole.shape) * rng.uniform(0, 1, size=whole.shape)
        sign = -1 if state.reduction == "max" else 1
        mine = rng.integers(0, 2, size=whole.shape).astype(bool)
        return [np.where(mine, whole, whole + sign * less), np.where(mine, whole + sign * less, whole)]
    return [whole, whole]


def join(parts: Sequence[np.ndarray], state: State) -> np.ndarray:
    """The tensor that the ranks hold so."""
    if state.kind == "S":
        return np.concatenate(parts, axis=state.axis)
    if state.kind == "P":
        return {"sum": np.sum, "max": np.max, "min": np.min}[state.reduction](parts, axis=0)
    np.testing.assert_array_equal(parts[0], parts[1])
    return parts[0]


def run_local(
    build: Callable[[Sequence[SSAValue]], Local],
    types: Sequence[nn.Tensor],
    held: Sequence[Sequence[np.ndarray]],
    mesh: dict[str, int],
) -> list[tuple[np.ndarray, ...]]:
    """What `build` makes of arguments of `types`, run in lockstep."""
    block = Block(arg_types=list(types))
    ops, results = build(block.args)
    block.add_ops(ops)
    module = nn.build_main(block, results)
    module.verify()
    return interpret_spmd(module, mesh, held, [{}] * len(held))


def name(case: Any) -> str:
    return case.name.removeprefix("nn.") if isinstance(case, Operation) else str(case)


@pytest.mark.parametrize(("op", "signature"), ALONE, ids=name)
def test_ranks_together_have_the_whole_result(op: Operation, signature: Signature) -> None:
    rng = np.random.default_rng(7)
    operands = random_operands(op, rng)
    expected = evaluate(op, operands, {})
    parts = [spread(x, s, rng) for x, s in zip(operands, signature.operands, strict=True)]
    types = [local_type(o, s, RANKS) for o, s in zip(op.operands, signature.operands, strict=True)]
    held = [[part[rank] for part in parts] for rank in range(RANKS)]
    got = run_local(lambda args: localise(op, args, signature, MESH), types, held, {"tp": RANKS})
    for i, (state, whole) in enumerate(zip(signature.results, expected, strict=True)):
        np.testing.assert_allclose(join([got[rank][i] for rank in range(RANKS)], state), whole, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("op", "signature"), ACROSS, ids=name)
def test_collectives_over_the_other_axis_act_on_parts(op: nn.CollectiveOp, signature: Signature) -> None:
    rng = np.random.default_rng(8)
    wholes = [rng.normal(size=(4, 6)) for _ in range(3)]
    whole = signatures_of(op, RANKS)[0]
    held = [[x] for x in wholes]
    one = run_local(lambda args: localise(op, args, whole, MESH), [nn.tensor_type(X)], held, {"dp": 3})
    parts = [spread(x, signature.operands[0], rng) for x in wholes]
    types = [local_type(X, signature.operands[0], RANKS)]
    held = [[parts[dp][tp]] for dp in range(3) for tp in range(RANKS)]
    got = run_local(lambda args: localise(op, args, signature, MESH), types, held, {"dp": 3, "tp": RANKS})
    for dp in range(3):
        joined = join([got[dp * RANKS + tp][0] for tp in range(RANKS)], signature.results[0])
        np.testing.assert_allclose(joined, one[dp][0], rtol=1e-9, atol=1e-9)


STATES = (WHOLE, split(0), split(1), SUM, partial("max"), partial("min"), EXCHANGED)


@pytest.mark.parametrize("source", STATES, ids=str)
@pytest.mark.parametrize("target", STATES, ids=str)
def test_moves_keep_the_tensor(source: State, target: State) -> None:
    rng = np.random.default_rng(9)
    whole = rng.normal(size=(4, 6))
    parts = spread(whole, source, rng)
    if not can_move(source, target, X):
        with pytest.raises(ValueError, match="no way from"):
            move(X, source, target, MESH)
        return
    types = [local_type(X, source, RANKS)]

    def build(args: Sequence[SSAValue]) -> Local:
        ops = move(args[0], source, target, MESH)
        return ops, ops[-1].results if ops else args

    got = run_local(build, types, [[p] for p in parts], {"tp": RANKS})
    np.testing.assert_allclose(join([g[0] for g in got], target), whole, rtol=1e-12, atol=1e-12)


def test_every_rule_has_a_case_with_a_signature_that_shares_work() -> None:
    shared = {type(op) for op, signature in CASES if any(s.kind != "B" for s in signature.results)}
    assert shared == set(SIGNATURES)


def test_ops_without_a_rule_are_the_known_ones() -> None:
    assert set(nn.Nn.operations) - set(SIGNATURES) == {nn.WeightOp, nn.FusionOp, nn.RankOp, nn.TransferOp}
