"""`fuse-conv-batch-norm`: a batch norm after a convolution goes into its kernel and its bias."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass
from xdsl.pattern_rewriter import PatternRewriter, PatternRewriteWalker, RewritePattern, op_type_rewrite_pattern

from ..costmodel.cost import cost_of
from ..ir import nn
from .decompose_batch_norm import Emitter, gain_and_shift
from .locations import fused_location


@dataclass
class FuseConvBatchNorm(RewritePattern):
    """
    before: %c = "nn.conv"(%x, %w)
            %y = "nn.batch_norm"(%c, %scale, %bias, %mean, %variance) {epsilon = e}
    after:  %gain = scale / sqrt(variance + e), %shift = bias - mean * gain      on (m)
            %kernel = w * gain                                                   on (m, c, kh, kw)
            %y = "nn.conv"(%x, %kernel, %shift)
    """

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: nn.BatchNormOp, rewriter: PatternRewriter) -> None:
        conv = op.x.owner
        if not (isinstance(conv, nn.ConvOp) and can_fuse(conv, op) and should_fuse(conv, op)):
            return
        emit = Emitter(op)
        gain, shift = gain_and_shift(op, emit)
        if conv.bias is not None:
            shift = emit(nn.AddOp, emit(nn.MulOp, conv.bias, gain), shift, name="shift")
        filters = nn.with_shape(conv.w, (nn.shape_of(conv.w)[0], 1, 1, 1))
        kernel = emit(nn.MulOp, conv.w, emit(nn.ReshapeOp, gain, type=filters), name="kernel")
        fused = conv.with_weights(kernel, shift)
        fused.location = fused_location(conv.location, op.location)
        rewriter.replace(op, [*emit.ops, fused])
        rewriter.erase(conv)


@dataclass(frozen=True)
class FuseConvBatchNormPass(ModulePass):
    """
    Puts every batch norm that follows a convolution, and may and should go into it, into its weights.

    Promise: `main` computes the same but for rounding; what is added depends on weights alone, so `fold_weights`
    leaves a convolution with a bias and nothing else; it has the locations of both ops.
    """

    name: ClassVar[str] = "fuse-conv-batch-norm"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        PatternRewriteWalker(FuseConvBatchNorm(), apply_recursively=False).rewrite_module(op)


def can_fuse(conv: nn.ConvOp, norm: nn.BatchNormOp) -> bool:
    """
    Whether `norm` can go into the weights of `conv`.

    (L1) `norm` is the only op that uses the result of `conv`, since fusing changes it. (L2) The kernel, the bias
    and the parameters of `norm` are weights, so that the new ones are known before the run.
    """
    users = {use.operation for use in conv.result.uses}
    parameters = [*conv.operands[1:], *norm.operands[1:]]
    return users == {norm} and all(isinstance(p.owner, nn.WeightOp) for p in parameters)


def should_fuse(conv: nn.ConvOp, norm: nn.BatchNormOp) -> bool:
    """Whether a convolution with a bias moves fewer bytes and does no more flops than the two, by the cost rules."""
    together = conv.with_weights(conv.w, norm.bias)
    fused, apart = cost_of(together), cost_of(conv) + cost_of(norm)
    together.drop_all_references()
    return fused.moved_bytes < apart.moved_bytes and fused.flops <= apart.flops
