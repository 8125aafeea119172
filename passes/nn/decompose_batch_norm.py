"""`decompose-batch-norm`: a batch norm at inference is one scale and one shift of each channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from xdsl.ir import Operation, SSAValue

from ...ir import nn
from .draft import Draft, Patterns, Replacement, sweep
from .nn_pass import NnPass


def gain_and_shift(norm: nn.BatchNormOp, before: Operation, draft: Draft) -> tuple[SSAValue, SSAValue]:
    """
    The two vectors (c) that `norm` comes down to: y = x * gain + shift for each channel; computed before `before`.

    gain = scale / sqrt(variance + epsilon), shift = bias - mean * gain (Ioffe and Szegedy 2015, arXiv:1502.03167,
    algorithm 2, step 11).
    """
    epsilon = draft.scalar(before, nn.number(norm.epsilon), norm.x)
    deviation = draft.emit(before, nn.RsqrtOp, draft.emit(before, nn.AddOp, norm.variance, epsilon))
    gain = draft.emit(before, nn.MulOp, norm.scale, deviation, name="gain")
    moved = draft.emit(before, nn.MulOp, norm.mean, gain)
    return gain, draft.emit(before, nn.SubOp, norm.bias, moved, name="shift")


def decompose(op: nn.BatchNormOp, draft: Draft) -> Replacement:
    """
    before: %y = "nn.batch_norm"(%x, %scale, %bias, %mean, %variance) {epsilon = e}
    after:  %gain = scale / sqrt(variance + e)         add, rsqrt, mul on (c)
            %shift = bias - mean * gain                mul, sub on (c)
            %y = x * gain + shift                      reshapes to (c, 1, ...), mul, add
    """
    gain, shift = gain_and_shift(op, op, draft)
    shape = nn.shape_of(op.x)
    if len(shape) > 2:
        column = nn.with_shape(op.x, (shape[1], *[1] * (len(shape) - 2)))
        gain = draft.emit(op, nn.ReshapeOp, gain, type=column, name="gain")
        shift = draft.emit(op, nn.ReshapeOp, shift, type=column, name="shift")
    return [draft.emit(op, nn.AddOp, draft.emit(op, nn.MulOp, op.x, gain), shift)]


PATTERNS: Patterns = {nn.BatchNormOp: [("batch-norm-apart", decompose)]}


@dataclass(frozen=True)
class DecomposeBatchNormPass(NnPass):
    """
    Turns every `nn.batch_norm` into elementwise ops, which then fuse with what stands around them.

    Promise: `main` computes the same but for rounding; the work on (c) depends on the parameters alone, so where
    these are weights `fold_weights` leaves one multiplication and one addition; the new ops have the location of
    the batch norm.
    """

    name: ClassVar[str] = "decompose-batch-norm"

    def rewrite(self, draft: Draft) -> None:
        sweep(draft, PATTERNS)
