"""`decompose-batch-norm`: a batch norm at inference is one scale and one shift of each channel."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.pattern_rewriter import PatternRewriter, PatternRewriteWalker, RewritePattern, op_type_rewrite_pattern

from ..ir import nn


@dataclass
class Emitter:
    """Makes ops with the location of the op `at`, and keeps them in order."""

    at: Operation
    ops: list[Operation] = field(default_factory=list)

    def __call__(self, kind: type[nn.TensorOp], *operands: SSAValue, name: str | None = None, **given: Any) -> SSAValue:
        """The result of a new op on `operands`, with `name` as its hint."""
        made = kind.make(*operands, at=self.at, **given)
        made.results[0].name_hint = name
        self.ops.append(made)
        return made.results[0]


def gain_and_shift(op: nn.BatchNormOp, emit: Emitter) -> tuple[SSAValue, SSAValue]:
    """
    The two vectors (c) that `op` comes down to: y = x * gain + shift for each channel.

    gain = scale / sqrt(variance + epsilon), shift = bias - mean * gain (Ioffe and Szegedy 2015, arXiv:1502.03167,
    algorithm 2, step 11).
    """
    epsilon = emit(nn.FillOp, type=nn.with_shape(op.x, ()), value=nn.number(op.epsilon))
    deviation = emit(nn.RsqrtOp, emit(nn.AddOp, op.variance, epsilon))
    gain = emit(nn.MulOp, op.scale, deviation, name="gain")
    return gain, emit(nn.SubOp, op.bias, emit(nn.MulOp, op.mean, gain), name="shift")


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
        emit = Emitter(op)
        gain, shift = gain_and_shift(op, emit)
        shape = nn.shape_of(op.x)
        if len(shape) > 2:
            column = nn.with_shape(op.x, (shape[1], *[1] * (len(shape) - 2)))
            gain = emit(nn.ReshapeOp, gain, type=column, name="gain")
            shift = emit(nn.ReshapeOp, shift, type=column, name="shift")
        emit(nn.AddOp, emit(nn.MulOp, op.x, gain), shift)
        rewriter.replace(op, emit.ops)


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
