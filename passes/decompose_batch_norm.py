"""`decompose-batch-norm`: a batch norm at inference is one scale and one shift of each channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.pattern_rewriter import PatternRewriter, PatternRewriteWalker, RewritePattern, op_type_rewrite_pattern

from ..ir import nn


@dataclass
class DecomposeBatchNorm(RewritePattern):
    """
    before: %y = "nn.batch_norm"(%x, %scale, %bias, %mean, %variance) {epsilon = e}
    after:  %gain = scale / sqrt(variance + e)         add, rsqrt, mul on (c)
            %shift = bias - mean * gain                mul, sub on (c)
            %y = x * gain + shift                      reshapes to (c, 1, ...), mul, add
    """

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: nn.BatchNormOp, rewriter: PatternRewriter) -> None:
        new: list[Operation] = []

        def emit(kind: type[nn.TensorOp], *operands: SSAValue, **given: Any) -> SSAValue:
            new.append(kind.make(*operands, at=op, **given))
            return new[-1].results[0]

        epsilon = emit(nn.FillOp, type=nn.with_shape(op.x, ()), value=nn.number(op.epsilon))
        deviation = emit(nn.RsqrtOp, emit(nn.AddOp, op.variance, epsilon))
        gain = emit(nn.MulOp, op.scale, deviation)
        shift = emit(nn.SubOp, op.bias, emit(nn.MulOp, op.mean, gain))
        shape = nn.shape_of(op.x)
        if len(shape) > 2:
            column = nn.with_shape(op.x, (shape[1], *[1] * (len(shape) - 2)))
            gain, shift = emit(nn.ReshapeOp, gain, type=column), emit(nn.ReshapeOp, shift, type=column)
        gain.name_hint, shift.name_hint = "gain", "shift"
        emit(nn.AddOp, emit(nn.MulOp, op.x, gain), shift)
        rewriter.replace(op, new)


@dataclass(frozen=True)
class DecomposeBatchNormPass(ModulePass):
    """
    Turns every `nn.batch_norm` into elementwise ops, which then fuse with what stands around them.

    Promise: `main` computes the same but for rounding; the work on (c) depends on the parameters alone, so where
    these are weights `fold_weights` leaves one multiplication and one addition; the new ops have the location of
    the batch norm.
    """

    name: ClassVar[str] = "decompose-batch-norm"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        PatternRewriteWalker(DecomposeBatchNorm(), apply_recursively=False).rewrite_module(op)
