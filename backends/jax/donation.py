"""Inputs whose buffer an output may take over: caches that a network writes into and gives back."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.ir import Block, BlockArgument, SSAValue

from ...ir import nn


def donated(main: Block) -> Sequence[BlockArgument]:
    """
    The inputs that some output is, but for elements that were written into it: XLA may write in place, and a cache is
    then in memory once. Other inputs stay the caller's.

    An input is donated once, and to an output of its own type.
    """
    assert main.last_op is not None
    found = dict.fromkeys(_written_into(output) for output in main.last_op.operands)
    return [argument for argument in main.args if argument in found]


def _written_into(output: SSAValue) -> SSAValue | None:
    """What `output` was before elements were set in it or added to it; None where nothing was."""
    before = output
    while isinstance(before.owner, nn.ScatterOp):
        before = before.owner.x
    return before if before is not output else None
