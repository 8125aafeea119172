"""`fuse-elementwise`: chains of scalar functions become one op, so that what is between them never reaches memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from xdsl.dialects.builtin import ArrayAttr, BFloat16Type, Float16Type, Float32Type
from xdsl.ir import Operation, SSAValue

from ...costmodel.rules import elements
from ...ir import nn
from .draft import Draft, location_of
from .groups import MOST_STEPS, SCALARS, Group, grow_groups
from .nn_pass import NnPass
from .profit import Target

KERNEL_TYPES = (Float32Type, Float16Type, BFloat16Type)
"""Floats that a fused kernel, which computes in float32, holds without loss."""


@dataclass(frozen=True)
class FuseElementwisePass(NnPass):
    """
    Fuses elementwise ops and chains of them until no pair is left that may and should be fused.

    before: %t = "nn.mul"(%x, %s)
            %y = "nn.relu"(%t)
    after:  %y = "nn.fused_elementwise"(%x, %s) {steps = [mul(0, 1), relu(2)]}

    A chain with comparisons, choices or casts, whose values are of several types, becomes an `nn.fusion`.

    Promise: `main` computes the same (each element by the same functions in the same order, though kernels no longer
    round in between), reads and writes no byte more and does no flop more than before; a fused op has the locations
    of all that went into it.
    """

    name: ClassVar[str] = "fuse-elementwise"

    def rewrite(self, draft: Draft) -> None:
        def joins(op: Operation, group: Group) -> bool:
            return can_join(op, group) and should_join(op, group, draft.target)

        for group in grow_groups(draft, joins, is_fusible):
            if len(group.ops) == 1:
                continue
            made = fuse(group.in_order)
            if should_fuse(group.ops, made, draft.target):
                draft.fired["chain" if isinstance(made, nn.FusedElementwiseOp) else "mixed-chain"] += 1
                draft.replace(group.last, draft.put(group.last, made, at=group.in_order).results)
            else:
                made.drop_all_references()


def is_fusible(op: Operation) -> bool:
    """
    Whether `op` may be part of a fused kernel.

    (L2) Its values are floats of at most 32 bits, in which fused kernels compute, or integers.
    """
    if not isinstance(op, SCALARS):
        return False
    kinds = {nn.tensor_type(value).element_type for value in (*op.operands, *op.results)}
    return all(isinstance(kind, KERNEL_TYPES) or nn.is_integer(kind) for kind in kinds)


def can_join(producer: Operation, group: Group) -> bool:
    """
    Whether one kernel can do `producer` and then `group`, in which all its users are.

    (L1) Nothing else uses the result of `producer`, since fusing removes it; the walk gives no other group. (L2) as in
    `is_fusible`.
    """
    return is_fusible(producer) and is_fusible(group.last)


def should_join(producer: Operation, group: Group, target: Target) -> bool:
    """
    Whether that saves time: no value is worked out twice, and all that is read fits into the registers of a thread.

    A producer that is smaller than the last op would be worked out again for each element that it is broadcast to.
    """
    room = target.live_values()
    fits = room is None or group.inputs_with(producer) < room
    short = len(group.ops) < MOST_STEPS
    return fits and short and elements(producer.results[0]) == elements(group.last.results[0])


def should_fuse(ops: Sequence[Operation], made: Operation, target: Target) -> bool:
    """Whether the one op takes less time than all of `ops`."""
    return target.pays(ops, [made])


def fuse(ops: Sequence[Operation]) -> nn.FusedElementwiseOp | nn.FusionOp:
    """The op that does `ops`, given in order, of which the last alone is used outside; they are left as they are."""
    chains = (nn.ElementwiseOp, nn.FusedElementwiseOp)
    if not all(isinstance(op, chains) and isinstance(op.type.element_type, KERNEL_TYPES) for op in ops):
        return nn.FusionOp.around(ops, location_of(ops))
    made = {op.results[0] for op in ops}
    inputs = [value for value in dict.fromkeys(o for op in ops for o in op.operands) if value not in made]
    index: dict[SSAValue, int] = {value: i for i, value in enumerate(inputs)}
    steps: list[nn.StepAttr] = []
    for op in ops:
        known = [index[o] for o in op.operands]
        for kind, args in _chain(op):
            known.append(len(inputs) + len(steps))
            steps.append(nn.StepAttr.of(kind, [known[a] for a in args]))
        index[op.results[0]] = known[-1]
    return nn.FusedElementwiseOp.make(*inputs, steps=ArrayAttr(steps))


def _chain(op: Operation) -> list[tuple[str, nn.Shape]]:
    """The steps of `op` as (function, indices of its arguments); a single op is a chain of one."""
    if isinstance(op, nn.FusedElementwiseOp):
        return op.chain
    assert isinstance(op, nn.ElementwiseOp)
    return [(op.kind, tuple(range(len(op.operands))))]
