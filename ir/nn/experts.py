"""
Mixture of experts: which experts take a token, and their work on the rows that come to them.

    %weights, %experts = nn.route(%logits)               each token picks k experts
    %rows, %order, %sizes = nn.dispatch(%x, %experts)    a row for each (token, expert), sorted by expert
    %y = nn.grouped_matmul(%rows, %w, %sizes)            each expert multiplies the rows that are its own
    %z = nn.combine(%y, %weights, %order)                the weighted sum of each token's rows

There are always tokens x k rows, so shapes do not depend on what is picked, and no token is dropped.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from xdsl.dialects.builtin import FloatAttr, IntegerAttr, StringAttr, i64
from xdsl.irdl import attr_def, irdl_op_definition, operand_def, opt_operand_def, result_def

from .base import (
    AttributeLike,
    Tensor,
    TensorOp,
    integer,
    require,
    same_element_type,
    shape_of,
    tensor,
    tensor_type,
    with_shape,
)

SCORES = ("softmax", "sigmoid")


@irdl_op_definition
class RouteOp(TensorOp):
    """
    The k experts that each token picks, best first, and their weights; of equals the first is picked.

        %w, %e = "nn.route"(%logits) {k = 2 : i64, score = "softmax", normalise = 1 : i64, scale = 1.0 : f64,
                 groups = 1 : i64, top_groups = 1 : i64, group_best = 1 : i64}
                 : (tensor<16x8xf32>) -> (tensor<16x2xf32>, tensor<16x2xi64>)

    logits are (tokens, experts). Scores are their softmax over the experts or their sigmoid; experts are picked by
    score plus `bias` (experts) if given, which has no part in the weights. Experts lie in `groups` groups of
    neighbours, and only those of the `top_groups` groups with the largest sum of `group_best` best are picked from.
    Weights are the scores of those picked, over their sum if `normalise`, times `scale` (Mixtral: arXiv:2401.04088,
    section 2.1; DeepSeek-V2: arXiv:2405.04434, section 2.2.2; DeepSeek-V3: arXiv:2412.19437, eq. 12-16).

    (C1) Operands have one element type. (C2) The logits have rank 2, the bias is (experts).
    (C3) `score` is softmax or sigmoid, `normalise` 0 or 1. (C4) `groups` divides the experts,
    1 <= top_groups <= groups, and a group has `group_best` >= 1 experts or more.
    (C5) 1 <= k <= the experts of `top_groups` groups.
    """

    name = "nn.route"
    DEFAULTS: ClassVar[Mapping[str, AttributeLike]] = {
        "score": "softmax", "normalise": 1, "scale": 1.0, "groups": 1, "top_groups": 1, "group_best": 1,
    }  # fmt: skip
    logits = operand_def()
    bias = opt_operand_def()
    k = attr_def(IntegerAttr)
    score = attr_def(StringAttr)
    normalise = attr_def(IntegerAttr)
    scale = attr_def(FloatAttr)
    groups = attr_def(IntegerAttr)
    top_groups = attr_def(IntegerAttr)
    group_best = attr_def(IntegerAttr)
    weights = result_def()
    experts = result_def()

    def infer(self) -> tuple[Tensor, ...]:
        same_element_type(self)
        logits = shape_of(self.logits)
        require(len(logits) == 2, f"(C2) logits {logits} must be (tokens, experts)")
        tokens, experts = logits
        if self.bias is not None:
            require(shape_of(self.bias) == (experts,), f"(C2) a bias {shape_of(self.bias)} for {experts} experts")
        known = self.score.data in SCORES and integer(self.normalise) in (0, 1)
        require(known, f"(C3) `{self.score.data}` is no score, or `normalise` is not 0 or 1")
        groups, top, best = (integer(a) for a in (self.groups, self.top_groups, self.group_best))
        even = groups >= 1 and experts % groups == 0 and 1 <= top <= groups and 1 <= best <= experts // groups
        require(even, f"(C4) {experts} experts in {groups} groups, of which {top} are taken by their best {best}")
        picked = integer(self.k)
        require(1 <= picked <= top * (experts // groups), f"(C5) {picked} of {experts} experts cannot be picked")
        return with_shape(self.logits, (tokens, picked)), tensor(i64, (tokens, picked))


@irdl_op_definition
class DispatchOp(TensorOp):
    """
    A copy of each token for each expert that it picked, sorted by expert and then by token.

        %rows, %order, %sizes = "nn.dispatch"(%x, %experts) {count = 8 : i64}
            : (tensor<16x64xf32>, tensor<16x2xi64>) -> (tensor<32x64xf32>, tensor<32xi64>, tensor<8xi64>)

    x is (tokens, width), `experts` (tokens, k). Row r is token order[r] / k, for its pick order[r] % k; `sizes` says
    how many rows go to each of `count` experts.

    (C1) x has rank 2. (C2) `experts` is (tokens, k) of i64 with k >= 1. (C3) `count` is at least 1.
    """

    name = "nn.dispatch"
    x = operand_def()
    experts = operand_def()
    count = attr_def(IntegerAttr)
    rows = result_def()
    order = result_def()
    sizes = result_def()

    def infer(self) -> tuple[Tensor, ...]:
        x, experts = shape_of(self.x), shape_of(self.experts)
        require(len(x) == 2, f"(C1) {x} must be (tokens, width)")
        picks = len(experts) == 2 and experts[0] == x[0] and experts[1] >= 1
        whole = tensor_type(self.experts).element_type == i64
        require(picks and whole, f"(C2) picks {experts} of {x[0]} tokens must be i64")
        count = integer(self.count)
        require(count >= 1, f"(C3) {count} experts")
        rows = experts[0] * experts[1]
        return with_shape(self.x, (rows, x[1])), tensor(i64, (rows,)), tensor(i64, (count,))


@irdl_op_definition
class GroupedMatmulOp(TensorOp):
    """
    The first sizes[0] rows times w[0], the next sizes[1] rows times w[1], and so on; rows that are left give 0.

        %y = "nn.grouped_matmul"(%rows, %w, %sizes) {transpose_b = 0 : i64}
             : (tensor<32x64xf32>, tensor<8x64x96xf32>, tensor<8xi64>) -> tensor<32x96xf32>

    rows are (r, k), w is (groups, k, n), or (groups, n, k) with `transpose_b`.

    (C1) Rows and w have one element type. (C2) Rows have rank 2, w rank 3, and the inner sizes agree.
    (C3) `sizes` is (groups) of i64. (C4) `transpose_b` is 0 or 1.
    """

    name = "nn.grouped_matmul"
    DEFAULTS: ClassVar[Mapping[str, AttributeLike]] = {"transpose_b": 0}
    rows = operand_def()
    w = operand_def()
    sizes = operand_def()
    transpose_b = attr_def(IntegerAttr)
    result = result_def()

    def infer(self) -> Tensor:
        same = tensor_type(self.rows).element_type == tensor_type(self.w).element_type
        require(same, "(C1) rows and weights differ in element type")
        rows, w, sizes = shape_of(self.rows), shape_of(self.w), shape_of(self.sizes)
        require(integer(self.transpose_b) in (0, 1), "(C4) `transpose_b` must be 0 or 1")
        require(len(rows) == 2 and len(w) == 3, f"(C2) {rows} by {w} is no grouped product")
        inner, outer = w[:0:-1] if integer(self.transpose_b) else w[1:]
        require(rows[1] == inner, f"(C2) inner sizes {rows[1]} and {inner} differ")
        whole = tensor_type(self.sizes).element_type == i64
        require(sizes == (w[0],) and whole, f"(C3) sizes {sizes} of {w[0]} groups must be i64")
        return with_shape(self.rows, (rows[0], outer))


@irdl_op_definition
class CombineOp(TensorOp):
    """
    Each token's rows, weighted and added in the order of its picks.

        %z = "nn.combine"(%y, %weights, %order)
             : (tensor<32x64xf32>, tensor<16x2xf32>, tensor<32xi64>) -> tensor<16x64xf32>

    y is (tokens k, width), `weights` (tokens, k); `order` is what `nn.dispatch` gives.

    (C1) y and the weights have one element type. (C2) y and the weights have rank 2, and y a row for each weight.
    (C3) `order` is (tokens k) of i64.
    """

    name = "nn.combine"
    y = operand_def()
    weights = operand_def()
    order = operand_def()
    result = result_def()

    def infer(self) -> Tensor:
        same = tensor_type(self.y).element_type == tensor_type(self.weights).element_type
        require(same, "(C1) rows and weights differ in element type")
        y, weights, order = shape_of(self.y), shape_of(self.weights), shape_of(self.order)
        fit = len(y) == len(weights) == 2 and y[0] == weights[0] * weights[1]
        require(fit, f"(C2) rows {y} are not one for each of {weights}")
        whole = tensor_type(self.order).element_type == i64
        require(order == (y[0],) and whole, f"(C3) an order {order} of {y[0]} rows must be i64")
        return with_shape(self.y, (weights[0], y[1]))


OPS = (RouteOp, DispatchOp, GroupedMatmulOp, CombineOp)
