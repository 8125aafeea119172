"""`fuse-conv-batch-norm`: a batch norm after a convolution goes into its kernel and its bias."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ...ir import nn
from .decompose_batch_norm import gain_and_shift
from .draft import Draft, Patterns, Replacement, sweep
from .nn_pass import NnPass
from .profit import Target


def fuse(op: nn.BatchNormOp, draft: Draft) -> Replacement:
    """
    before: %c = "nn.conv"(%x, %w)
            %y = "nn.batch_norm"(%c, %scale, %bias, %mean, %variance) {epsilon = e}
    after:  %gain = scale / sqrt(variance + e), %shift = bias - mean * gain      on (m)
            %kernel = w * gain                                                   on (m, c, kh, kw)
            %y = "nn.conv"(%x, %kernel, %shift)
    """
    conv = op.x.owner
    if not (isinstance(conv, nn.ConvOp) and can_fuse(conv, op) and should_fuse(conv, op, draft.target)):
        return None
    gain, shift = gain_and_shift(op, op, draft)
    if conv.bias is not None:
        shift = draft.emit(op, nn.AddOp, draft.emit(op, nn.MulOp, conv.bias, gain), shift, name="shift")
    filters, *rest = nn.shape_of(conv.w)
    column = draft.emit(op, nn.ReshapeOp, gain, type=nn.with_shape(conv.w, (filters, *[1] * len(rest))))
    kernel = draft.emit(op, nn.MulOp, conv.w, column, name="kernel")
    return draft.put(op, conv.with_weights(kernel, shift), at=[conv, op]).results


PATTERNS: Patterns = {nn.BatchNormOp: [("conv-batch-norm", fuse)]}


@dataclass(frozen=True)
class FuseConvBatchNormPass(NnPass):
    """
    Puts every batch norm that follows a convolution, and may and should go into it, into its weights.

    Promise: `main` computes the same but for rounding; what is added depends on weights alone, so `fold_weights`
    leaves a convolution with a bias and nothing else; it has the locations of both ops.
    """

    name: ClassVar[str] = "fuse-conv-batch-norm"

    def rewrite(self, draft: Draft) -> None:
        sweep(draft, PATTERNS)


def can_fuse(conv: nn.ConvOp, norm: nn.BatchNormOp) -> bool:
    """
    Whether `norm` can go into the weights of `conv`.

    (L1) `norm` is the only op that uses the result of `conv`, since fusing changes it. (L2) The kernel, the bias
    and the parameters of `norm` are weights, so that the new ones are known before the run.
    """
    users = {use.operation for use in conv.result.uses}
    parameters = [*conv.operands[1:], *norm.operands[1:]]
    return users == {norm} and all(isinstance(p.owner, nn.WeightOp) for p in parameters)


def should_fuse(conv: nn.ConvOp, norm: nn.BatchNormOp, target: Target) -> bool:
    """Whether a convolution with a bias takes less time on the target than the two."""
    together = conv.with_weights(conv.w, norm.bias)
    pays = target.pays([conv, norm], [together])
    together.drop_all_references()
    return pays
