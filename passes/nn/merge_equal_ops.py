"""`merge-equal-ops`: common subexpressions are computed once."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from hashlib import sha256
from typing import ClassVar

import numpy as np
from xdsl.dialects.builtin import LocationAttr
from xdsl.ir import Operation

from ...ir import nn
from ..locations import fused_location
from .draft import Draft
from .nn_pass import NnPass

LARGEST_COMPARED = 2**20
"""[bytes] of a weight that is compared with others by value"""
COMMUTATIVE = (nn.AddOp, nn.MulOp, nn.MaxOp, nn.MinOp, nn.AndOp, nn.OrOp, nn.XorOp, nn.EqualOp)


@dataclass(frozen=True)
class MergeEqualOpsPass(NnPass):
    """
    Leaves the first of ops that are equal in kind, attributes, operands and result types, to all users of the others;
    small weights are equal by their values.

    before: %a = "nn.add"(%x, %y);  %b = "nn.add"(%y, %x);  %c = "nn.mul"(%a, %b)
    after:  %a = "nn.add"(%x, %y);  %c = "nn.mul"(%a, %a)

    Promise: `main` computes the same, by the same functions of the same values; operands of functions that commute
    count as equal in either order. It always pays: the work of the others is gone. The op that is left has the
    locations of all.
    """

    name: ClassVar[str] = "merge-equal-ops"

    def rewrite(self, draft: Draft) -> None:
        first: dict[Hashable, Operation] = {}
        places: dict[Operation, list[LocationAttr]] = {}
        for op in draft.ops:
            if not can_merge(op):
                continue
            kept = first.setdefault(_value_key(op, draft) or key_of(op), op)
            if kept is not op:
                places.setdefault(kept, [kept.location]).append(op.location)
                draft.replace(op, kept.results)
                draft.fired["equal-ops"] += 1
        for kept, found in places.items():
            kept.location = fused_location(*found)


def can_merge(op: Operation) -> bool:
    """Whether `key_of` says all that `op` computes. (L1) It is pure, as all nn ops are. (L2) It has no region."""
    return isinstance(op, nn.TensorOp) and not op.regions


def _value_key(op: Operation, draft: Draft) -> Hashable | None:
    """Equal for small weights of equal values, such as tables that a front end writes once for each use."""
    if not isinstance(op, nn.WeightOp) or op.weight.data not in draft.weights:
        return None
    array = draft.weights[op.weight.data]
    if array.nbytes > LARGEST_COMPARED:
        return None
    return op.type, str(array.dtype), array.shape, sha256(np.ascontiguousarray(array).tobytes()).digest()


def key_of(op: Operation) -> Hashable:
    """Equal for ops that compute the same."""
    operands = [id(o) for o in op.operands]
    if isinstance(op, COMMUTATIVE):
        operands.sort()
    attributes = frozenset(op.attributes.items())
    return type(op), tuple(operands), attributes, tuple(r.type for r in op.results)
