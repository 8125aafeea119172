"""Several ops as one: the ops inside, one after the other."""

from __future__ import annotations

from typing import Any

from xdsl.ir import SSAValue

from .. import nn
from .meaning import Array, Meaning, Meanings, held


def meanings(inside: Meanings) -> Meanings:
    """The meaning of a fusion of ops that mean what `inside` says."""
    return {nn.FusionOp: _fusion(inside)}


def _fusion(inside: Meanings) -> Meaning:
    def run(op: nn.FusionOp, *operands: Array) -> tuple[Any, ...]:
        values: dict[SSAValue, Any] = dict(zip(op.body.block.args, operands, strict=True))
        results: tuple[Any, ...] = ()
        for step in op.steps:
            result = inside[type(step)](step, *(values[o] for o in step.operands))
            results = result if isinstance(result, tuple) else (result,)
            kinds = [nn.tensor_type(each).element_type for each in step.results]
            results = tuple(held(kind, each) for kind, each in zip(kinds, results, strict=True))
            values.update(zip(step.results, results, strict=True))
        return results

    return run
