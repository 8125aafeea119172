"""`fuse-elementwise`: chains of scalar functions become one op, so that what is between them never reaches memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeGuard

from xdsl.context import Context
from xdsl.dialects.builtin import ArrayAttr, BFloat16Type, Float16Type, Float32Type, ModuleOp
from xdsl.ir import Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.pattern_rewriter import PatternRewriter, PatternRewriteWalker, RewritePattern

from ..costmodel.cost import cost_of
from ..ir import nn
from .locations import fused_location

Fusible = nn.ElementwiseOp | nn.FusedElementwiseOp
KERNEL_TYPES = (Float32Type, Float16Type, BFloat16Type)
"""Element types that a fused kernel, which computes in float32, holds without loss."""


@dataclass
class FuseElementwise(RewritePattern):
    """
    before: %t = "nn.mul"(%x, %s)
            %y = "nn.relu"(%t)
    after:  %y = "nn.fused_elementwise"(%x, %s) {steps = [mul(0, 1), relu(2)]}
    """

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter) -> None:
        for operand in op.operands:
            producer = operand.owner
            if not (isinstance(producer, Operation) and _fusible(producer) and _fusible(op)):
                continue
            if can_fuse(producer, op) and should_fuse(producer, op):
                rewriter.replace(op, fuse(producer, op))
                rewriter.erase(producer)
                return


@dataclass(frozen=True)
class FuseElementwisePass(ModulePass):
    """
    Fuses elementwise ops and chains of them until no pair is left that may and should be fused.

    Promise: `main` computes the same (each element by the same functions in the same order, though kernels no longer
    round in between), reads and writes no byte more and does no flop more than before; a fused op has the locations
    of all that went into it.
    """

    name: ClassVar[str] = "fuse-elementwise"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        PatternRewriteWalker(FuseElementwise()).rewrite_module(op)


def can_fuse(producer: Fusible, consumer: Fusible) -> bool:
    """
    Whether one op can do both.

    (L1) `consumer` is the only op that uses the result of `producer`, since fusing removes it.
    (L2) Elements are floats of at most 32 bits: fused kernels compute in float32.
    """
    users = {use.operation for use in producer.results[0].uses}
    return users == {consumer} and isinstance(producer.type.element_type, KERNEL_TYPES)


def should_fuse(producer: Fusible, consumer: Fusible) -> bool:
    """
    Whether fusing moves fewer bytes and does no more flops, by the cost rules.

    It does more where the producer is smaller than the consumer: its value would be worked out again for each
    element that it is broadcast to.
    """
    together = fuse(producer, consumer)
    fused, apart = cost_of(together), cost_of(producer) + cost_of(consumer)
    together.drop_all_references()
    return fused.moved_bytes < apart.moved_bytes and fused.flops <= apart.flops


def fuse(producer: Fusible, consumer: Fusible) -> nn.FusedElementwiseOp:
    """The op that does `producer` and then `consumer`, which uses its result; the two are left as they are."""
    between = producer.results[0]
    outer = [o for o in consumer.operands if o is not between]
    inputs = list(dict.fromkeys([*producer.operands, *outer]))
    index: dict[SSAValue, int] = {value: i for i, value in enumerate(inputs)}
    steps: list[nn.StepAttr] = []
    for op in (producer, consumer):
        known = [index[o] for o in op.operands]
        for kind, args in _chain(op):
            known.append(len(inputs) + len(steps))
            steps.append(nn.StepAttr.of(kind, [known[a] for a in args]))
        index[op.results[0]] = known[-1]
    fused = nn.FusedElementwiseOp.make(*inputs, steps=ArrayAttr(steps))
    fused.location = fused_location(producer.location, consumer.location)
    return fused


def _fusible(op: Operation) -> TypeGuard[Fusible]:
    return isinstance(op, nn.ElementwiseOp | nn.FusedElementwiseOp)


def _chain(op: Fusible) -> list[tuple[str, nn.Shape]]:
    """The steps of `op` as (function, indices of its arguments); a single op is a chain of one."""
    if isinstance(op, nn.FusedElementwiseOp):
        return op.chain
    return [(op.kind, tuple(range(len(op.operands))))]
