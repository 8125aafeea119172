"""An op of another package, and the rule that says what work it is."""

from __future__ import annotations

from xdsl.irdl import IRDLOperation, irdl_op_definition

from dovetail.costmodel.cost import Cost


@irdl_op_definition
class OutsideOp(IRDLOperation):
    """An op that Dovetail does not know."""

    name = "outside.op"


RULES = {OutsideOp: lambda op: Cost(flops=7.0, launches=1.0)}
