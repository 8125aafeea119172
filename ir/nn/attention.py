"""Attention as one op, over a cache in one piece or in pages, and rotary position embedding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from xdsl.dialects.builtin import FloatAttr, IntegerAttr, i64
from xdsl.irdl import attr_def, irdl_op_definition, operand_def, opt_operand_def, result_def

from .base import (
    AttributeLike,
    Tensor,
    TensorOp,
    integer,
    number,
    require,
    same_element_type,
    shape_of,
    tensor_type,
    with_shape,
)
from .shapes import broadcasts_to


@irdl_op_definition
class AttentionOp(TensorOp):
    """
    softmax(softcap(scale q k^T) + mask) v for each head; query head h reads key head h / (hq / hkv).

        %y = "nn.attention"(%q, %k, %v) {scale = 0.125 : f64, causal = 1 : i64, window = 0 : i64,
             softcap = 0.0 : f64} : (...) -> tensor<1x8x16x64xf32>

    q is (b, hq, m, d), k is (b, hkv, n, d), v is (b, hkv, n, dv), the mask is additive. Queries are the last m of n
    positions: with `causal`, query i sees keys up to i + n - m; with a `window` above 0, keys above i + n - m - window
    alone. softcap(s) = c tanh(s / c) for a `softcap` c above 0, else s. A query that sees no key gives 0.

    (C1) Operands have one element type. (C2) q, k and v have rank 4 and the shapes above, and n is at least 1.
    (C3) hkv divides hq. (C4) The mask broadcasts to (b, hq, m, n). (C5) `causal` is 0 or 1, `window` and `softcap` are
    not negative. (C6) With `causal` or a window, n is at least m.
    """

    name = "nn.attention"
    DEFAULTS: ClassVar[Mapping[str, AttributeLike]] = {"causal": 0, "window": 0, "softcap": 0.0}
    q = operand_def()
    k = operand_def()
    v = operand_def()
    mask = opt_operand_def()
    scale = attr_def(FloatAttr)
    causal = attr_def(IntegerAttr)
    window = attr_def(IntegerAttr)
    softcap = attr_def(FloatAttr)
    result = result_def()

    def infer(self) -> Tensor:
        same_element_type(self)
        q, k, v = shape_of(self.q), shape_of(self.k), shape_of(self.v)
        require(len(q) == len(k) == len(v) == 4, f"(C2) {q}, {k} and {v} must have rank 4")
        agree = q[0] == k[0] and q[3] == k[3] and k[:3] == v[:3]
        require(agree and k[2] >= 1, f"(C2) queries {q}, keys {k} and values {v} do not fit")
        _heads_divide(q[1], k[1])
        batch, heads, queries, keys = q[0], q[1], q[2], k[2]
        if self.mask is not None:
            mask, scores = shape_of(self.mask), (batch, heads, queries, keys)
            require(broadcasts_to(mask, scores), f"(C4) a mask {mask} does not broadcast to {scores}")
        window = integer(self.window)
        numbers = integer(self.causal) in (0, 1) and window >= 0 and number(self.softcap) >= 0
        require(numbers, "(C5) `causal` must be 0 or 1, `window` and `softcap` at least 0")
        if integer(self.causal) or window:
            require(keys >= queries, f"(C6) {queries} queries are not the last of {keys} positions")
        return with_shape(self.q, (batch, heads, queries, v[3]))


@irdl_op_definition
class PagedAttentionOp(TensorOp):
    """
    Causal attention over a cache in pages: `table` says which page holds which block of each sequence.

        %y = "nn.paged_attention"(%q, %kp, %vp, %table, %lengths) {scale = 0.125 : f64, window = 0 : i64,
             softcap = 0.0 : f64} : (...) -> tensor<4x8x1x64xf32>

    q is (b, hq, m, d), pages are (pages, block, hkv, d) and (pages, block, hkv, dv), `table` is (b, blocks), `lengths`
    (b). Token t of sequence s is row t % block of page table[s, t / block]. The queries are the last m of `lengths[s]`
    tokens, whose keys and values are in their pages already; window and softcap are those of `nn.attention`. Entries of
    the table behind a sequence's end are not read. An `nn.scatter` over (pages block, hkv, d) writes new tokens.

    (C1) q and pages have one element type. (C2) q and pages have rank 4 and the shapes above. (C3) hkv divides hq.
    (C4) `table` is (b, blocks) and `lengths` (b), both i64. (C5) `window` and `softcap` are not negative.
    """

    name = "nn.paged_attention"
    DEFAULTS: ClassVar[Mapping[str, AttributeLike]] = {"window": 0, "softcap": 0.0}
    q = operand_def()
    k_pages = operand_def()
    v_pages = operand_def()
    table = operand_def()
    lengths = operand_def()
    scale = attr_def(FloatAttr)
    window = attr_def(IntegerAttr)
    softcap = attr_def(FloatAttr)
    result = result_def()

    def infer(self) -> Tensor:
        kinds = {tensor_type(o).element_type for o in (self.q, self.k_pages, self.v_pages)}
        require(len(kinds) == 1, "(C1) queries and pages differ in element type")
        q, k, v = shape_of(self.q), shape_of(self.k_pages), shape_of(self.v_pages)
        fit = len(q) == len(k) == len(v) == 4 and q[3] == k[3] and k[:3] == v[:3]
        require(fit, f"(C2) queries {q} and pages {k}, {v} do not fit")
        _heads_divide(q[1], k[2])
        table, lengths = shape_of(self.table), shape_of(self.lengths)
        of_batch = len(table) == 2 and table[0] == q[0] and lengths == (q[0],)
        whole = all(tensor_type(o).element_type == i64 for o in (self.table, self.lengths))
        require(of_batch and whole, f"(C4) a table {table} and lengths {lengths} must be i64 for a batch of {q[0]}")
        positive = integer(self.window) >= 0 and number(self.softcap) >= 0
        require(positive, "(C5) `window` and `softcap` must be at least 0")
        return with_shape(self.q, (*q[:3], v[3]))


@irdl_op_definition
class RotaryOp(TensorOp):
    """
    The first r of d elements turned in pairs: (x, y) -> (x cos - y sin, y cos + x sin), the others as they are.

        %y = "nn.rotary"(%x, %cos, %sin) {interleaved = 0 : i64} : (...) -> tensor<1x8x16x64xf32>

    x is (b, h, s, d), the tables are (s, r / 2) or (b, s, r / 2). Pair i is elements i and i + r / 2, or 2 i and
    2 i + 1 where `interleaved` (Su et al. 2021, arXiv:2104.09864, eq. 34).

    (C1) Operands have one element type. (C2) x has rank 4. (C3) Both tables have one of the shapes above, with
    2 <= r <= d. (C4) `interleaved` is 0 or 1.
    """

    name = "nn.rotary"
    DEFAULTS: ClassVar[Mapping[str, AttributeLike]] = {"interleaved": 0}
    x = operand_def()
    cos = operand_def()
    sin = operand_def()
    interleaved = attr_def(IntegerAttr)
    result = result_def()

    def infer(self) -> Tensor:
        same_element_type(self)
        x, cos, sin = shape_of(self.x), shape_of(self.cos), shape_of(self.sin)
        require(len(x) == 4, f"(C2) the input has rank {len(x)}, must be 4")
        fit = cos == sin and cos[:-1] in ((x[2],), (x[0], x[2]))
        require(fit and 2 <= 2 * cos[-1] <= x[3], f"(C3) tables {cos} and {sin} do not fit {x}")
        require(integer(self.interleaved) in (0, 1), "(C4) `interleaved` must be 0 or 1")
        return with_shape(self.x, x)


def _heads_divide(queries: int, keys: int) -> None:
    require(keys >= 1 and queries % keys == 0, f"(C3) {queries} query heads over {keys} key heads")


OPS = (AttentionOp, PagedAttentionOp, RotaryOp)
