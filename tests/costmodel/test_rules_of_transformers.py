"""The work of attention, experts and quantisation: numbers worked by hand."""

from __future__ import annotations

import pytest
from xdsl.dialects.builtin import Float8E4M3FNType, IntegerType, f16, f32, i64
from xdsl.ir import Attribute, Block, Operation, SSAValue

from dovetail.costmodel.cost import Cost, cost_of
from dovetail.costmodel.rules import tensor_bytes
from dovetail.costmodel.rules.attention import visible_pairs
from dovetail.costmodel.tensor_graph import activation_bytes, weight_bytes
from dovetail.ir import nn


def value(*shape: int, of: Attribute = f16) -> SSAValue:
    return Block(arg_types=[nn.tensor(of, shape)]).args[0]


def activated(product: nn.GemmOp) -> nn.FusionOp:
    """A product and its activation in one launch."""
    return nn.FusionOp.around([product, nn.ReluOp.make(product.result)])


I3, I4, F8 = IntegerType(3), IntegerType(4), Float8E4M3FNType()
Q, K, V = value(2, 4, 3, 8), value(2, 2, 5, 8), value(2, 2, 5, 6)  # 384, 320 and 240 bytes; the result has 288
PAGES, TABLE, LENGTHS = value(90, 4, 2, 8), value(2, 3, of=i64), value(2, of=i64)
ROWS, PICKS = value(5, 16), value(5, 2, of=i64)
DISPATCHED = nn.DispatchOp.make(ROWS, PICKS, count=8)
ONE = nn.DispatchOp.make(value(1, 16), value(1, 2, of=i64), count=8)
STORED = nn.WeightOp.make(type=nn.tensor(F8, (8, 16)), weight="w")
WIDE = nn.DequantiseOp.make(STORED.result, value(8, 1), block=(1, 0))
BY_HAND = [
    # 8 heads of all; 15 pairs at 2 x 8 + 2 x 6 + 5, 3 queries at 6 - 2
    (nn.AttentionOp.make(Q, K, V, scale=1.0), Cost(8 * (15 * 33 + 3 * 4), 384 + 320 + 240, 288, 1)),
    # queries stand at places 2, 3 and 4: 3 + 4 + 5 pairs; a softcap takes 3, a mask 1
    (
        nn.AttentionOp.make(Q, K, V, value(3, 5), scale=1.0, causal=1, softcap=2.0),
        Cost(8 * (12 * 37 + 3 * 4), 384 + 320 + 240 + 30, 288, 1),
    ),
    # a window of 2: 2 + 2 + 2 pairs, and the first key is seen by none: 4 of 5 are read
    (
        nn.AttentionOp.make(Q, K, V, scale=1.0, causal=1, window=2),
        Cost(8 * (6 * 33 + 3 * 4), 384 + (320 + 240) * 4 / 5, 288, 1),
    ),
    # 12 places of each sequence: 10 + 11 + 12 pairs; 2 x 12 rows of 2 x 8 in two bytes, twice
    (
        nn.PagedAttentionOp.make(Q, PAGES, PAGES, TABLE, LENGTHS, scale=1.0),
        Cost(8 * (33 * 37 + 3 * 6), 384 + 2 * 12 * 32 * 2 + 48 + 16, 384, 1),
    ),
    # a window of 4: 4 pairs of each query, and the last 3 + 4 - 1 places of each sequence are read; a softcap takes 3
    (
        nn.PagedAttentionOp.make(Q, PAGES, PAGES, TABLE, LENGTHS, scale=1.0, window=4, softcap=2.0),
        Cost(8 * (12 * 40 + 3 * 6), 384 + 2 * 6 * 32 * 2 + 48 + 16, 384, 1),
    ),
    # 24 heads x tokens of 6 turned elements
    (nn.RotaryOp.make(Q, value(3, 3), value(3, 3)), Cost(3 * 24 * 6, 384 + 18 + 18, 384, 1)),
    # of a token: softmax of 8, two picks over 8, two weights normalised
    (nn.RouteOp.make(value(5, 8), k=2), Cost(5 * (38 + 16 + 4), 80, 20 + 80, 1)),
    (
        nn.RouteOp.make(value(5, 8), value(8), k=2, score="sigmoid", groups=4, top_groups=2),
        Cost(5 * (8 + 24 + 8 + 4), 80 + 16, 20 + 80, 1),
    ),
    (DISPATCHED, Cost(0, 160 + 80, 320 + 80 + 64, 1)),
    # five tokens of two picks touch 8 (1 - (3/4)^5) of 8 experts
    (
        nn.GroupedMatmulOp.make(DISPATCHED.rows, value(8, 16, 4), DISPATCHED.sizes),
        Cost(2 * 10 * 4 * 16, 320 + 8 * (1 - 0.75**5) * 128 + 64, 80, 1),
    ),
    # one token touches its two, whichever they are
    (
        nn.GroupedMatmulOp.make(ONE.rows, value(8, 4, 16), ONE.sizes, transpose_b=1),
        Cost(2 * 2 * 4 * 16, 64 + 2 * 128 + 64, 16, 1),
    ),
    # rows from elsewhere: as many as there can be
    (
        nn.GroupedMatmulOp.make(value(3, 16), value(8, 16, 4), value(8, of=i64)),
        Cost(2 * 3 * 4 * 16, 96 + 3 * 128 + 64, 24, 1),
    ),
    (
        nn.CombineOp.make(value(10, 16), value(5, 2), value(10, of=i64)),
        Cost(2 * 160 - 80, 320 + 20 + 80, 160, 1),
    ),
    # 6 x 64 numbers of 4 bits are 192 bytes
    (
        nn.QuantiseOp.make(value(6, 64), value(6, 2), type=nn.tensor(I4, (6, 64)), block=(1, 32)),
        Cost(4 * 384, 768 + 24, 192, 1),
    ),
    (
        nn.QuantiseOp.make(value(6, 64), value(6, 1), value(6, 1, of=I4), type=nn.tensor(I4, (6, 64)), block=(1, 0)),
        Cost(5 * 384, 768 + 12 + 3, 192, 1),
    ),
    (nn.DequantiseOp.make(value(6, 64, of=F8), value(1, 1), block=(0, 0)), Cost(384, 384 + 2, 768, 1)),
    (WIDE, Cost()),
    # products read the 8 x 16 bytes and their 8 scales, not the 256 bytes that they stand for
    (nn.GemmOp.make(value(3, 16), WIDE.result, transpose_b=1), Cost(2 * 3 * 8 * 16, 96 + 128 + 16, 48, 1)),
    # and so does the same product with its activation done in the same launch
    (activated(nn.GemmOp.make(value(3, 16), WIDE.result, transpose_b=1)), Cost(2 * 384 + 24, 96 + 128 + 16, 48, 1)),
    # three rows of the table, each of 16 bytes and a scale
    (nn.GatherOp.make(WIDE.result, value(3, of=i64), axis=0), Cost(0, 24 + 3 * (16 + 2), 96, 1)),
    # 7 x 11 numbers of 3 bits are 231 bits, so 29 bytes
    (nn.DequantiseOp.make(value(7, 11, of=I3), value(7, 1), value(7, 1), block=(1, 0)), Cost(154, 29 + 28, 154, 1)),
]


@pytest.mark.parametrize(("op", "expected"), BY_HAND, ids=lambda x: x.name if isinstance(x, Operation) else "")
def test_work_by_hand(op: Operation, expected: Cost) -> None:
    got = cost_of(op)
    assert (got.flops, got.write_bytes, got.launches) == (expected.flops, expected.write_bytes, expected.launches)
    assert got.read_bytes == pytest.approx(expected.read_bytes, rel=1e-12)


@pytest.mark.parametrize(
    ("queries", "keys", "causal", "window"),
    [(4, 4, True, 0), (3, 7, True, 2), (3, 7, False, 2), (5, 5, False, 0), (1, 9, True, 4)],
)  # fmt: skip
def test_pairs_are_those_that_can_be_counted(queries: int, keys: int, causal: bool, window: int) -> None:
    place = [keys - queries + i for i in range(queries)]
    seen = [(p, k) for p in place for k in range(keys) if (k <= p or not causal) and (k > p - window or not window)]
    assert visible_pairs(queries, keys, causal, window) == len(seen)


def test_experts_of_few_bits_are_read_as_they_are_stored() -> None:
    """Two of eight experts of 4 x 16 bytes and a scale each; the cast of the wide ones is done on the way too."""
    few = nn.WeightOp.make(type=nn.tensor(F8, (8, 4, 16)), weight="w")
    wide = nn.DequantiseOp.make(few.result, value(8, 1, 1, of=f32), block=(1, 0, 0))
    cast = nn.CastOp.make(wide.result, type=nn.tensor(f16, (8, 4, 16)))
    assert cost_of(cast) == Cost()
    got = cost_of(nn.GroupedMatmulOp.make(ONE.rows, cast.result, ONE.sizes, transpose_b=1))
    assert got.read_bytes == pytest.approx(64 + 2 * (64 + 4) + 64)


def test_weights_made_wide_take_no_memory_of_their_own() -> None:
    block = Block(arg_types=[nn.tensor(f16, (3, 16))])
    few = nn.WeightOp.make(type=nn.tensor(F8, (8, 16)), weight="w")
    scale = nn.WeightOp.make(type=nn.tensor(f16, (8, 1)), weight="s")
    wide = nn.DequantiseOp.make(few.result, scale.result, block=(1, 0))
    product = nn.GemmOp.make(block.args[0], wide.result, transpose_b=1)
    block.add_ops([few, scale, wide, product])
    network = nn.NnModule(nn.build_main(block, [product.result]), {}, ("x",), ("y",))
    assert activation_bytes(network) == 96 + 48
    assert weight_bytes(network) == 128 + 16


def test_weights_of_few_bits_are_packed() -> None:
    assert [tensor_bytes(value(3, 5, of=IntegerType(bits))) for bits in range(1, 9)] == [2, 4, 6, 8, 10, 12, 14, 15]
    assert tensor_bytes(value(3, 5, of=f32)) == 60
