"""`remove-dead-code`: what nobody uses goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from xdsl.dialects.func import ReturnOp

from ...ir import nn
from .draft import Draft
from .nn_pass import NnPass


@dataclass(frozen=True)
class RemoveDeadCodePass(NnPass):
    """
    Removes every op whose results nobody uses, and the values of weights that no op names.

    before: %t = "nn.exp"(%x);  func.return %x
    after:  func.return %x

    Promise: `main` returns the same; its inputs stay, used or not. Every nn op is pure, so removing one is always
    legal and always pays.
    """

    name: ClassVar[str] = "remove-dead-code"

    def rewrite(self, draft: Draft) -> None:
        for op in reversed(list(draft.block.ops)):
            if not isinstance(op, ReturnOp) and all(result.first_use is None for result in op.results):
                op.detach()
                op.erase()
                draft.fired["dead-op"] += 1
        used = {op.weight.data for op in draft.block.ops if isinstance(op, nn.WeightOp)}
        for name in draft.weights.keys() - used:
            del draft.weights[name]
