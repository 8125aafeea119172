"""`recognise-softmax`: a softmax spelled out in maximum, exp, sum and division becomes one op."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from xdsl.ir import Operation

from ...ir import nn
from .draft import Draft, Patterns, Replacement, location_of, sweep
from .match import only_for
from .nn_pass import NnPass


def softmax(op: nn.BinaryOp, draft: Draft) -> Replacement:
    """
    before: %m = max(x);  %e = exp(x - %m);  %s = sum(%e);  %y = %e / %s
    after:  %y = "nn.softmax"(%x) {axis}

    The maximum, which changes nothing but the range of exp, may be absent.

    (L1) Maximum and sum are over the same one axis. (L2) Nothing else uses what is in between.
    """
    exp, total = op.lhs.owner, op.rhs.owner
    if not isinstance(exp, nn.ExpOp) or not isinstance(total, nn.ReduceOp) or total.kind.data != "sum":
        return None
    axes = nn.ints(total.axes)
    if total.x is not exp.result or len(axes) != 1:
        return None
    x, ops = exp.x, [exp, total]
    shift = exp.x.owner
    if isinstance(shift, nn.SubOp) and _is_maximum(shift.rhs.owner, shift, axes):
        x, ops = shift.lhs, [shift.rhs.owner, shift, exp, total]
    return _replace(op, draft, nn.SoftmaxOp.make(x, axis=axes[0]), ops)  # type: ignore[arg-type]


def _is_maximum(op: object, shift: nn.BinaryOp, axes: nn.Shape) -> bool:
    return isinstance(op, nn.ReduceOp) and op.kind.data == "max" and nn.ints(op.axes) == axes and op.x is shift.lhs


def _replace(op: nn.BinaryOp, draft: Draft, made: nn.SoftmaxOp, ops: list[Operation]) -> Replacement:
    if not can_replace(op, ops) or not should_replace(draft, [*ops, op], made):
        made.drop_all_references()
        return None
    draft.put(op, made)
    made.location = location_of([*ops, op])
    return [made.result]


def can_replace(root: Operation, ops: list[Operation]) -> bool:
    """Whether one op may stand for `ops` and `root`: nothing else uses what is in between."""
    return only_for(root, ops)


def should_replace(draft: Draft, before: list[Operation], made: nn.SoftmaxOp) -> bool:
    """Whether one kernel takes less time, and keeps a row in the memory on the chip."""
    row = nn.shape_of(made.x)[nn.integer(made.axis)]
    return draft.target.holds(row * 4) and draft.target.pays(before, [made])


PATTERNS: Patterns = {nn.DivOp: [("softmax", softmax)]}


@dataclass(frozen=True)
class RecogniseSoftmaxPass(NnPass):
    """
    Finds softmaxes in arithmetic and puts one op in their place; run `canonicalise` first.

    Promise: `main` computes the same but for rounding, where it computed numbers: an exp that would have overflowed
    does not any more. The op has the locations of all that it stands for.
    """

    name: ClassVar[str] = "recognise-softmax"

    def rewrite(self, draft: Draft) -> None:
        sweep(draft, PATTERNS)
