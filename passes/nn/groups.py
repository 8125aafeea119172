"""Groups of ops that become one kernel: grown from the last op backwards, in one walk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from xdsl.dialects.func import ReturnOp
from xdsl.ir import Operation, SSAValue

from ...ir import nn
from .draft import Draft

SCALARS = (nn.ElementwiseOp, nn.FusedElementwiseOp, nn.ComparisonOp, nn.WhereOp, nn.CastOp)
"""Ops that compute each element of the result by itself."""
MOST_STEPS = 64
"""scalar functions in one kernel: code that is longer only compiles longer (guess)"""


@dataclass(eq=False)
class Group:
    """Ops of which the last alone is used outside."""

    last: Operation
    ops: list[Operation] = field(default_factory=list)
    """the last first"""
    inputs: dict[SSAValue, None] = field(default_factory=dict)
    """what the ops use from outside"""
    product: Operation | None = None
    """the matrix product or convolution among the ops"""

    def add(self, op: Operation) -> None:
        """Take `op`, whose users are in the group, in."""
        self.ops.append(op)
        for result in op.results:
            self.inputs.pop(result, None)
        self.inputs |= dict.fromkeys(op.operands)

    def inputs_with(self, op: Operation) -> int:
        """How many values the group would use from outside with `op` in it."""
        return len((self.inputs.keys() - set(op.results)) | set(op.operands))

    @property
    def in_order(self) -> list[Operation]:
        """The ops as they stand in the block."""
        return self.ops[::-1]


def grow_groups(
    draft: Draft, joins: Callable[[Operation, Group], bool], starts: Callable[[Operation], bool]
) -> list[Group]:
    """
    The groups of `main`, the last first: an op goes into the group that all its users are in, if it `joins` that, else
    it begins one of its own, if it `starts` one.

    Linear: each op is looked at once, after its users.
    """
    of: dict[Operation, Group] = {}
    groups: list[Group] = []
    for op in reversed(list(draft.block.ops)):
        if isinstance(op, ReturnOp):
            continue
        around = {of.get(use.operation) for result in op.results for use in result.uses}
        group = next(iter(around)) if len(around) == 1 else None
        if group is None or not joins(op, group):
            if not starts(op):
                continue
            group = Group(op)
            groups.append(group)
        of[op] = group
        group.add(op)
    return groups
