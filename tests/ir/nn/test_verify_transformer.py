"""Each numbered constraint of attention, experts and quantisation is broken by a case; open sizes are inferred."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from xdsl.dialects.builtin import Float8E4M3FNType, Float8E5M2Type, IntegerType, Signedness, bf16, f16, f32, i32, i64
from xdsl.ir import Attribute, Block, SSAValue
from xdsl.utils.exceptions import VerifyException

from dovetail.ir import nn
from dovetail.ir.nn import attention, experts, quantise

BATCH, SEQ, PAST = (nn.Size.named(name) for name in ("batch", "seq", "past"))
I4, F8, F8_WIDE = IntegerType(4), Float8E4M3FNType(), Float8E5M2Type()


def value(*shape: Any, of: Attribute = f32) -> SSAValue:
    return Block(arg_types=[nn.tensor(of, shape)]).args[0]


Q, K, V = value(2, 4, 3, 8), value(2, 2, 5, 8), value(2, 2, 5, 6)
PAGES, TABLE, LENGTHS = value(9, 4, 2, 8), value(2, 3, of=i64), value(2, of=i64)
HEADS, ANGLES = value(2, 4, 3, 8), value(3, 2)
LOGITS, ROWS, PICKS = value(5, 8), value(5, 16), value(5, 2, of=i64)
SORTED, SIZES = value(10, 16), value(8, of=i64)
X, SCALE = value(6, 64), value(6, 2)


def attend(*operands: SSAValue, **given) -> nn.AttentionOp:
    return nn.AttentionOp.make(*operands, **{"scale": 1.0, **given})


def page(q=Q, k=PAGES, v=PAGES, table=TABLE, lengths=LENGTHS, **given) -> nn.PagedAttentionOp:
    return nn.PagedAttentionOp.make(q, k, v, table, lengths, **{"scale": 1.0, **given})


def quantised(x=X, scale=SCALE, zero=None, to: Attribute = I4, shape: Any = (6, 64), block=(1, 32)) -> nn.QuantiseOp:
    return nn.QuantiseOp.make(x, scale, zero, type=nn.tensor(to, shape), block=block)


def dequantised(q=None, scale=SCALE, zero=None, block=(1, 32)) -> nn.DequantiseOp:
    return nn.DequantiseOp.make(value(6, 64, of=I4) if q is None else q, scale, zero, block=block)


BROKEN: list[tuple[type[nn.TensorOp], int, Callable[[], object]]] = [
    (nn.AttentionOp, 1, lambda: attend(Q, K, value(2, 2, 5, 6, of=f16))),
    (nn.AttentionOp, 2, lambda: attend(value(4, 3, 8), K, V)),
    (nn.AttentionOp, 2, lambda: attend(Q, value(1, 2, 5, 8), value(1, 2, 5, 8))),
    (nn.AttentionOp, 2, lambda: attend(Q, value(2, 2, 5, 7), V)),
    (nn.AttentionOp, 2, lambda: attend(Q, K, value(2, 2, 4, 8))),
    (nn.AttentionOp, 2, lambda: attend(Q, K, value(2, 4, 5, 8))),
    (nn.AttentionOp, 2, lambda: attend(Q, value(2, 2, 0, 8), value(2, 2, 0, 8))),
    (nn.AttentionOp, 3, lambda: attend(Q, value(2, 3, 5, 8), value(2, 3, 5, 8))),
    (nn.AttentionOp, 4, lambda: attend(Q, K, V, value(5, 3))),
    (nn.AttentionOp, 5, lambda: attend(Q, K, V, causal=2)),
    (nn.AttentionOp, 5, lambda: attend(Q, K, V, window=-1)),
    (nn.AttentionOp, 5, lambda: attend(Q, K, V, softcap=-0.5)),
    (nn.AttentionOp, 6, lambda: attend(value(2, 4, 6, 8), K, V, causal=1)),
    (nn.AttentionOp, 6, lambda: attend(value(2, 4, 6, 8), K, V, window=2)),
    (nn.PagedAttentionOp, 1, lambda: page(k=value(9, 4, 2, 8, of=f16))),
    (nn.PagedAttentionOp, 2, lambda: page(k=value(4, 2, 8))),
    (nn.PagedAttentionOp, 2, lambda: page(v=value(8, 4, 2, 8))),
    (nn.PagedAttentionOp, 2, lambda: page(k=value(9, 4, 2, 7))),
    (nn.PagedAttentionOp, 3, lambda: page(k=value(9, 4, 3, 8), v=value(9, 4, 3, 8))),
    (nn.PagedAttentionOp, 4, lambda: page(table=value(2, 3, of=i32))),
    (nn.PagedAttentionOp, 4, lambda: page(table=value(3, 3, of=i64))),
    (nn.PagedAttentionOp, 4, lambda: page(lengths=value(2, 1, of=i64))),
    (nn.PagedAttentionOp, 4, lambda: page(lengths=value(2))),
    (nn.PagedAttentionOp, 5, lambda: page(window=-1)),
    (nn.PagedAttentionOp, 5, lambda: page(softcap=-1.0)),
    (nn.RotaryOp, 1, lambda: nn.RotaryOp.make(HEADS, ANGLES, value(3, 2, of=f16))),
    (nn.RotaryOp, 2, lambda: nn.RotaryOp.make(value(2, 3, 8), ANGLES, ANGLES)),
    (nn.RotaryOp, 3, lambda: nn.RotaryOp.make(HEADS, value(4, 2), value(4, 2))),
    (nn.RotaryOp, 3, lambda: nn.RotaryOp.make(HEADS, ANGLES, value(3, 4))),
    (nn.RotaryOp, 3, lambda: nn.RotaryOp.make(HEADS, value(3, 5), value(3, 5))),
    (nn.RotaryOp, 3, lambda: nn.RotaryOp.make(HEADS, value(1, 3, 2), value(1, 3, 2))),
    (nn.RotaryOp, 4, lambda: nn.RotaryOp.make(HEADS, ANGLES, ANGLES, interleaved=2)),
    (nn.RouteOp, 1, lambda: nn.RouteOp.make(LOGITS, value(8, of=f16), k=2)),
    (nn.RouteOp, 2, lambda: nn.RouteOp.make(value(8), k=2)),
    (nn.RouteOp, 2, lambda: nn.RouteOp.make(LOGITS, value(5), k=2)),
    (nn.RouteOp, 3, lambda: nn.RouteOp.make(LOGITS, k=2, score="tanh")),
    (nn.RouteOp, 3, lambda: nn.RouteOp.make(LOGITS, k=2, normalise=2)),
    (nn.RouteOp, 4, lambda: nn.RouteOp.make(LOGITS, k=2, groups=3)),
    (nn.RouteOp, 4, lambda: nn.RouteOp.make(LOGITS, k=2, groups=4, top_groups=5)),
    (nn.RouteOp, 4, lambda: nn.RouteOp.make(LOGITS, k=2, groups=4, group_best=3)),
    (nn.RouteOp, 5, lambda: nn.RouteOp.make(LOGITS, k=0)),
    (nn.RouteOp, 5, lambda: nn.RouteOp.make(LOGITS, k=3, groups=4, top_groups=1)),
    (nn.DispatchOp, 1, lambda: nn.DispatchOp.make(value(5), PICKS, count=8)),
    (nn.DispatchOp, 2, lambda: nn.DispatchOp.make(ROWS, value(5, 2), count=8)),
    (nn.DispatchOp, 2, lambda: nn.DispatchOp.make(ROWS, value(4, 2, of=i64), count=8)),
    (nn.DispatchOp, 2, lambda: nn.DispatchOp.make(ROWS, value(5, of=i64), count=8)),
    (nn.DispatchOp, 3, lambda: nn.DispatchOp.make(ROWS, PICKS, count=0)),
    (nn.GroupedMatmulOp, 1, lambda: nn.GroupedMatmulOp.make(SORTED, value(8, 16, 4, of=f16), SIZES)),
    (nn.GroupedMatmulOp, 2, lambda: nn.GroupedMatmulOp.make(SORTED, value(16, 4), SIZES)),
    (nn.GroupedMatmulOp, 2, lambda: nn.GroupedMatmulOp.make(SORTED, value(8, 15, 4), SIZES)),
    (nn.GroupedMatmulOp, 2, lambda: nn.GroupedMatmulOp.make(SORTED, value(8, 16, 4), SIZES, transpose_b=1)),
    (nn.GroupedMatmulOp, 3, lambda: nn.GroupedMatmulOp.make(SORTED, value(7, 16, 4), SIZES)),
    (nn.GroupedMatmulOp, 3, lambda: nn.GroupedMatmulOp.make(SORTED, value(8, 16, 4), value(8))),
    (nn.GroupedMatmulOp, 4, lambda: nn.GroupedMatmulOp.make(SORTED, value(8, 16, 4), SIZES, transpose_b=2)),
    (nn.CombineOp, 1, lambda: nn.CombineOp.make(SORTED, value(5, 2, of=f16), value(10, of=i64))),
    (nn.CombineOp, 2, lambda: nn.CombineOp.make(SORTED, value(4, 2), value(10, of=i64))),
    (nn.CombineOp, 3, lambda: nn.CombineOp.make(SORTED, value(5, 2), value(10))),
    (nn.CombineOp, 3, lambda: nn.CombineOp.make(SORTED, value(5, 2), value(5, 2, of=i64))),
    (nn.QuantiseOp, 1, lambda: quantised(scale=value(6, 2, of=f16))),
    (nn.QuantiseOp, 1, lambda: quantised(value(6, 64, of=F8), value(6, 2, of=F8))),
    (nn.QuantiseOp, 2, lambda: quantised(to=f16)),
    (nn.QuantiseOp, 2, lambda: quantised(to=i64)),
    (nn.QuantiseOp, 2, lambda: quantised(shape=(64, 6))),
    (nn.QuantiseOp, 3, lambda: quantised(block=(1,))),
    (nn.QuantiseOp, 3, lambda: quantised(block=(1, -1))),
    (nn.QuantiseOp, 3, lambda: quantised(block=(1, 64))),
    (nn.QuantiseOp, 3, lambda: quantised(scale=value())),
    (nn.QuantiseOp, 4, lambda: quantised(zero=value(6, 1, of=I4))),
    (nn.QuantiseOp, 4, lambda: quantised(zero=value(6, 2, of=i32))),
    (nn.QuantiseOp, 4, lambda: quantised(zero=value(6, 2), to=F8)),
    (nn.DequantiseOp, 1, lambda: dequantised(scale=value(6, 2, of=i32))),
    (nn.DequantiseOp, 2, lambda: dequantised(value(6, 64, of=i64))),
    (nn.DequantiseOp, 3, lambda: dequantised(block=(2, 32))),
    (nn.DequantiseOp, 4, lambda: dequantised(zero=value(6, 2, of=bf16))),
]


@pytest.mark.parametrize(("op", "constraint", "build"), BROKEN, ids=[f"{o.__name__}-C{c}" for o, c, _ in BROKEN])
def test_breaking_a_constraint_is_refused_by_its_number(op, constraint, build) -> None:
    with pytest.raises(VerifyException, match=rf"\(C{constraint}\)"):
        build()


def test_every_numbered_constraint_is_broken_above() -> None:
    classes = (*attention.OPS, *experts.OPS, *quantise.OPS)
    stated = {(op, int(n)) for op in classes for n in re.findall(r"\(C(\d)\)", op.__doc__ or "")}
    assert stated == {(op, constraint) for op, constraint, _ in BROKEN}


@pytest.mark.parametrize(
    ("op", "shapes"),
    [
        (attend(value(BATCH, 8, SEQ, 64), value(BATCH, 2, PAST + SEQ, 64), value(BATCH, 2, PAST + SEQ, 32), causal=1),
         [(BATCH, 8, SEQ, 32)]),
        (attend(value(BATCH, 8, 1, 64), value(BATCH, 2, SEQ, 64), value(BATCH, 2, SEQ, 64), value(SEQ), causal=1),
         [(BATCH, 8, 1, 64)]),
        (page(value(BATCH, 4, SEQ, 8), PAGES, PAGES, value(BATCH, 3, of=i64), value(BATCH, of=i64)),
         [(BATCH, 4, SEQ, 8)]),
        (nn.RotaryOp.make(value(BATCH, 4, SEQ, 8), value(BATCH, SEQ, 4), value(BATCH, SEQ, 4)), [(BATCH, 4, SEQ, 8)]),
        (nn.RouteOp.make(value(BATCH * SEQ, 8), value(8), k=2, groups=4, top_groups=2, group_best=2),
         [(BATCH * SEQ, 2), (BATCH * SEQ, 2)]),
        (nn.DispatchOp.make(value(BATCH * SEQ, 16), value(BATCH * SEQ, 2, of=i64), count=8),
         [(2 * BATCH * SEQ, 16), (2 * BATCH * SEQ,), (8,)]),
        (nn.GroupedMatmulOp.make(value(2 * SEQ, 16), value(8, 4, 16), SIZES, transpose_b=1), [(2 * SEQ, 4)]),
        (nn.CombineOp.make(value(2 * SEQ, 16), value(SEQ, 2), value(2 * SEQ, of=i64)), [(SEQ, 16)]),
        (quantised(value(SEQ, 64), value(SEQ, 2), value(SEQ, 2, of=I4), shape=(SEQ, 64)), [(SEQ, 64)]),
        (quantised(value(BATCH, SEQ), value(1, 1), shape=(BATCH, SEQ), block=(0, 0), to=F8_WIDE), [(BATCH, SEQ)]),
        (dequantised(value(6, 576, of=F8), value(1, 5), block=(128, 128)), [(6, 576)]),
        (dequantised(value(6, 64, of=IntegerType(8, Signedness.UNSIGNED)), value(6, 1), block=(1, 0)), [(6, 64)]),
    ],
    ids=lambda x: x.name if isinstance(x, nn.TensorOp) else "",
)  # fmt: skip
def test_result_shapes_follow_from_operands(op, shapes) -> None:
    assert [nn.shape_of(result) for result in op.results] == shapes


def test_a_comparison_that_open_sizes_leave_open_is_refused() -> None:
    with pytest.raises(VerifyException, match=r"\(C0\) nn.attention: whether past"):
        attend(value(1, 4, SEQ, 8), value(1, 4, PAST, 8), value(1, 4, PAST, 8), causal=1)
    with pytest.raises(VerifyException, match=r"\(C0\) nn.quantise: .* is no polynomial"):
        quantised(value(6, SEQ), value(6, 2), shape=(6, SEQ))
