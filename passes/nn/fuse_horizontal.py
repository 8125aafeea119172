"""`fuse-horizontal`: products of one input with several weights become one product and a split."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, ClassVar

from xdsl.ir import Operation, SSAValue

from ...ir import nn
from .draft import Draft, location_of
from .match import is_known
from .nn_pass import NnPass
from .profit import Target


@dataclass(frozen=True)
class Linear:
    """x w, or x w + bias, where w and the bias are known before the run."""

    product: nn.MatmulOp | nn.GemmOp
    bias: SSAValue | None
    add: nn.BinaryOp | None
    """what adds the bias, where the product itself does not"""

    @property
    def last(self) -> Operation:
        """The op with the result."""
        return self.add or self.product

    @property
    def weight_axis(self) -> int:
        """The axis of the weights along which the columns of the result lie."""
        return 0 if isinstance(self.product, nn.GemmOp) and nn.integer(self.product.transpose_b) else 1

    @property
    def key(self) -> Hashable:
        """Equal for those that can be one: same input, same kind of product, bias or none."""
        kind = type(self.product), tuple(sorted(self.product.attributes.items(), key=lambda item: item[0]))
        return id(self.product.a), kind, self.bias is None, self.add is None


@dataclass(frozen=True)
class FuseHorizontalPass(NnPass):
    """
    Merges products that read one input, such as those for queries, keys and values, or a gate and what it gates.

    before: %q = "nn.matmul"(%x, %wq);  %k = "nn.matmul"(%x, %wk)
    after:  %w = "nn.concat"(%wq, %wk) {axis = 1}
            %q, %k = "nn.fusion"(%x, %w) ({ matmul, split })

    Promise: `main` computes the same products; the new weights depend on weights alone, so `fold-constants` leaves
    one weight. The fusion has the locations of all products.
    """

    name: ClassVar[str] = "fuse-horizontal"

    def rewrite(self, draft: Draft) -> None:
        groups: dict[Hashable, list[Linear]] = {}
        for op in draft.ops:
            linear = linear_of(op)
            if linear is not None:
                groups.setdefault(linear.key, []).append(linear)
        places = {op: i for i, op in enumerate(draft.ops)}  # asking a block which of two ops is first walks it
        for group in groups.values():
            if can_merge(group) and should_merge(group, draft.target):
                _merge(group, draft, places)
                draft.fired["horizontal"] += 1


def linear_of(op: Operation) -> Linear | None:
    """`op` as a product with weights, and the bias that follows; None where it is none."""
    if not isinstance(op, nn.MatmulOp | nn.GemmOp) or len(nn.shape_of(op.b)) != 2 or not is_known(op.b):
        return None
    columns = nn.shape_of(op.result)[-1]
    if isinstance(op.a.owner, Operation) and is_known(op.a):
        return None
    if isinstance(op, nn.GemmOp) and op.bias is not None:
        return Linear(op, op.bias, None) if _is_vector(op.bias, columns) else None
    add = next(iter(op.result.uses)).operation if op.result.has_one_use() else None
    if isinstance(add, nn.AddOp) and add.type == op.result.type:
        bias = add.rhs if add.lhs is op.result else add.lhs
        if _is_vector(bias, columns):
            return Linear(op, bias, add)
    return Linear(op, None, None)


def _is_vector(bias: SSAValue, columns: int) -> bool:
    return nn.shape_of(bias) == (columns,) and is_known(bias)


def can_merge(group: list[Linear]) -> bool:
    """
    Whether one product can do all of `group`, which have one input and one kind.

    (L1) There are two at least. (L2) How many columns each has is known.
    """
    columns = [nn.shape_of(each.product.result)[-1] for each in group]
    return len(group) > 1 and not any(isinstance(n, nn.Size) for n in columns)


def should_merge(group: list[Linear], target: Target) -> bool:
    """Whether one launch that reads the input once takes less time than all of `group`."""
    before = [op for each in group for op in (each.product, each.add) if op is not None]
    weights = nn.ConcatOp.make(*(each.product.b for each in group), axis=group[0].weight_axis)
    biases = [each.bias for each in group if each.bias is not None]
    bias = nn.ConcatOp.make(*biases, axis=0) if biases else None
    made = _fusion(group, weights.result, bias.result if bias is not None else None)
    pays = target.pays(before, [made])
    for op in (made, weights, *([bias] if bias is not None else [])):
        op.drop_all_references()
    return pays


def _fusion(group: list[Linear], weights: SSAValue, bias: SSAValue | None) -> nn.FusionOp:
    """The product of all columns and the split, as one op."""
    first = group[0].product
    inner = bias if group[0].add is None and bias is not None else None
    ops: list[nn.TensorOp] = []
    if isinstance(first, nn.GemmOp):
        turns: dict[str, Any] = {"transpose_a": first.transpose_a, "transpose_b": first.transpose_b}
        ops.append(nn.GemmOp.make(first.a, weights, inner, **turns))
    else:
        ops.append(nn.MatmulOp.make(first.a, weights))
    if bias is not None and inner is None:
        ops.append(nn.AddOp.make(ops[-1].results[0], bias))
    sizes = [nn.shape_of(each.product.result)[-1] for each in group]
    ops.append(nn.SplitOp.make(ops[-1].results[0], axis=len(nn.shape_of(first.result)) - 1, sizes=sizes))
    for op in ops:
        op.location = location_of(each.product for each in group)
    made = nn.FusionOp.around(ops)
    for op in reversed(ops):
        op.drop_all_references()
    return made


def _merge(group: list[Linear], draft: Draft, places: dict[Operation, int]) -> None:
    first = group[0].product
    for each in group:
        for value in (each.product.b, each.bias):
            if value is not None:
                _hoist(value, first, places)
    replaced = [op for each in group for op in (each.product, each.add) if op is not None]
    names = [_name(each.product.b) for each in group]
    axis = group[0].weight_axis
    weights = draft.emit(first, nn.ConcatOp, *(each.product.b for each in group), axis=axis, name="_".join(names))
    biases = [each.bias for each in group if each.bias is not None]
    bias = draft.emit(first, nn.ConcatOp, *biases, axis=0, name="bias") if biases else None
    made = draft.put(first, _fusion(group, weights, bias), at=replaced)
    for each, result in zip(group, made.results, strict=True):
        draft.replace(each.last, [result])


def _name(value: SSAValue) -> str:
    return value.name_hint or "weight"


def _hoist(value: SSAValue, before: Operation, places: dict[Operation, int]) -> None:
    """Let what `value`, known before the run, comes from stand before `before`; `places` says where ops stand."""
    chain: list[Operation] = []
    owner = value.owner
    while isinstance(owner, Operation):
        chain.append(owner)
        owner = owner.operands[0].owner if owner.operands else None
    assert before.parent is not None
    for op in reversed(chain):
        if places[op] > places[before]:
            op.detach()
            before.parent.insert_op_before(op, before)
            places[op] = places[before]
