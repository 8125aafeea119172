"""`decompose-fusions`: the ops of a fusion by themselves again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from xdsl.ir import SSAValue

from ...ir import nn
from .draft import Draft, Patterns, Replacement, sweep
from .nn_pass import NnPass


def inline(op: nn.FusionOp, draft: Draft) -> Replacement:
    """
    before: %y = "nn.fusion"(%x, %w) ({ matmul, relu })
    after:  %p = "nn.matmul"(%x, %w);  %y = "nn.relu"(%p)
    """
    values: dict[SSAValue, SSAValue] = dict(zip(op.body.block.args, op.operands, strict=True))
    results: list[SSAValue] = []
    for step in op.steps:
        results = list(draft.put(op, step.clone(values), at=[step]).results)
    return results


PATTERNS: Patterns = {nn.FusionOp: [("fusion-apart", inline)]}


@dataclass(frozen=True)
class DecomposeFusionsPass(NnPass):
    """
    Turns every `nn.fusion` into the ops inside it, each with its own location.

    Promise: `main` computes the same, by the same ops in the same order. For compilers that fuse by themselves, such as
    XLA, and take ops one by one: it never pays by itself.
    """

    name: ClassVar[str] = "decompose-fusions"

    def rewrite(self, draft: Draft) -> None:
        sweep(draft, PATTERNS)
