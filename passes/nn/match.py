"""What patterns ask about values: constants, factors of products, and whether ops are there for one result alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from math import isclose, prod

import numpy as np
from xdsl.ir import Block, Operation, SSAValue

from ...ir import nn
from .draft import Draft

VIEWS = (nn.ReshapeOp, nn.BroadcastOp)
DEPTH = 6
"""how many multiplications deep a product is looked into"""


def constant(value: SSAValue) -> float | None:
    """The number that every element of `value` is, where the text says it."""
    owner = value.owner
    while isinstance(owner, VIEWS):
        owner = owner.x.owner
    return nn.number(owner.value) if isinstance(owner, nn.FillOp) else None


def is_constant(value: SSAValue, number: float) -> bool:
    """Whether every element of `value` is `number`, to seven digits: exporters write singles."""
    found = constant(value)
    return found is not None and isclose(found, number, rel_tol=1e-6, abs_tol=1e-12)


def array_of(value: SSAValue, draft: Draft) -> np.ndarray | None:
    """The elements of `value`, where it is a weight with known values, or such a weight under another shape."""
    owner = value.owner
    while isinstance(owner, VIEWS):
        owner = owner.x.owner
    if not isinstance(owner, nn.WeightOp) or owner.weight.data not in draft.weights:
        return None
    array = np.asarray(draft.weights[owner.weight.data])
    return _viewed(value, array)


def _viewed(value: SSAValue, array: np.ndarray) -> np.ndarray:
    owner = value.owner
    if isinstance(owner, nn.ReshapeOp):
        return _viewed(owner.x, array).reshape(nn.shape_of(value))
    if isinstance(owner, nn.BroadcastOp):
        return np.broadcast_to(_viewed(owner.x, array), nn.shape_of(value))
    return array


def only_for(root: Operation, ops: Collection[Operation]) -> bool:
    """Whether the results of `ops`, `root` left out, are used by `ops` alone: then nothing but `root` needs them."""
    inside = {*ops, root}
    return all(use.operation in inside for op in inside if op is not root for r in op.results for use in r.uses)


def is_known(value: SSAValue) -> bool:
    """Whether `value` is a weight, or a view or a transpose of one: known before the run."""
    owner = value.owner
    while isinstance(owner, (*VIEWS, nn.TransposeOp, nn.CastOp)):
        owner = owner.x.owner
    return isinstance(owner, nn.WeightOp | nn.FillOp)


def either(op: nn.BinaryOp, kind: type[Operation]) -> tuple[Operation, SSAValue] | None:
    """The operand of `op` that a `kind` made, and the other operand; of two the first."""
    for one, other in ((op.lhs, op.rhs), (op.rhs, op.lhs)):
        if isinstance(one.owner, kind):
            return one.owner, other
    return None


@dataclass
class Product:
    """factor x the product of `values`, each to its power, and the ops that multiply them."""

    factor: float = 1.0
    values: Counter[SSAValue] = field(default_factory=Counter)
    ops: list[Operation] = field(default_factory=list)

    def sole(self) -> SSAValue | None:
        """The one value, to the power of one, that is scaled."""
        return next(iter(self.values)) if self.values.total() == 1 else None


def product(value: SSAValue) -> Product:
    """
    `value` as a product, looking through mul, neg, pow by a whole number and division by a constant.

    Only ops whose result one op uses are looked into, and what makes `value` itself, however many use that.
    """
    found = Product()
    _multiply(found, value, 1, DEPTH, True)
    return found


def scaled(value: SSAValue) -> Product:
    """`value` as one value times a number: as `product`, but nothing is taken apart that is no number times a value."""
    found, depth = Product(), DEPTH
    while depth and (inner := _factors(value.owner)) is not None:
        sign, values = inner
        others = [each for each, _ in values if constant(each) is None]
        if len(others) != 1 or any(power != 1 for _, power in values):
            break
        found.factor *= sign * prod(constant(each) or 0.0 for each, _ in values if each is not others[0])
        found.ops.append(value.owner)  # type: ignore[arg-type]
        value, depth = others[0], depth - 1
    found.values[value] = 1
    return found


def _multiply(found: Product, value: SSAValue, times: int, depth: int, root: bool = False) -> None:
    number = constant(value)
    if number is not None:
        found.factor *= number**times
        return
    op = value.owner
    inner = _factors(op) if depth and (root or _one_user(value)) else None
    if inner is None:
        found.values[value] += times
        return
    sign, values = inner
    found.factor *= sign**times
    found.ops.append(op)  # type: ignore[arg-type]
    for each, power in values:
        _multiply(found, each, times * power, depth - 1)


def _factors(op: Operation | Block) -> tuple[float, list[tuple[SSAValue, int]]] | None:
    match op:
        case nn.MulOp():
            return 1.0, [(op.lhs, 1), (op.rhs, 1)]
        case nn.NegOp():
            return -1.0, [(op.x, 1)]
        case nn.DivOp() if by := constant(op.rhs):
            return 1.0 / by, [(op.lhs, 1)]
        case nn.PowOp() if (power := constant(op.rhs)) in (2.0, 3.0):
            return 1.0, [(op.lhs, int(power))]
    return None


def _one_user(value: SSAValue) -> bool:
    first = value.first_use  # no more than two uses are looked at where there are two users: a mask has thousands
    return first is None or all(use.operation is first.operation for use in value.uses)
