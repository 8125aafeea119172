"""`set-precision`: ops compute in the precision that is asked for, and weights of products are kept in few bits."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar

import ml_dtypes
import numpy as np
from xdsl.dialects.builtin import BFloat16Type, Float16Type, Float32Type
from xdsl.dialects.func import ReturnOp
from xdsl.ir import Attribute, Operation, SSAValue

from ...ir import nn
from .draft import Draft
from .nn_pass import NnPass
from .precisions import COMPUTED, Precisions, kind_of, read_precisions, require_places
from .quantise_weights import Product, blocks_of, can_quantise, element_of, few_bits
from .remove_dead_code import RemoveDeadCodePass

GROUP = 128
"""summands of a product that share a scale of its weights"""
WIDE = (Float32Type, Float16Type, BFloat16Type)
"""element types that are changed; doubles and fp8 stay"""
LARGEST = {Float16Type(): 65504.0, BFloat16Type(): float(ml_dtypes.finfo(ml_dtypes.bfloat16).max)}
"""Element type -> its largest finite value"""
MADE = (nn.WeightOp, nn.FillOp, nn.IotaOp, nn.CastOp)
"""ops whose types are their own"""


@dataclass(frozen=True)
class SetPrecisionPass(NnPass):
    """
    Lets each op compute in the precision that `precision` says (`precisions.read_precisions`), by casts around it.

    before: %p = "nn.matmul"(%x, weight w) : tensor<4x8xf32>;  %y = "nn.softmax"(%p)
    after:  %h = "nn.cast"(%x) : tensor<4x8xbf16>;  %p = "nn.matmul"(%h, weight w.bf16)
            %s = "nn.cast"(%p) : tensor<4x8xf32>;  %y = "nn.softmax"(%s)

    Promise: inputs and outputs keep their types, each value is cast once to each type, and in exact arithmetic `main`
    computes the same where no weight is quantised. Finite constants stay finite in types of less range.
    """

    name: ClassVar[str] = "set-precision"
    precision: str = "bf16"

    def rewrite(self, draft: Draft) -> None:
        wanted = read_precisions(self.precision)
        require_places(wanted, draft.ops)
        set_precision(draft, wanted)


@dataclass(frozen=True)
class Reduced:
    """A network in the precision that was asked for."""

    network: nn.NnModule
    wide: dict[str, str] = field(default_factory=dict)
    """weights in few bits, by name -> the weight that each was made from"""
    weights: dict[str, np.ndarray] = field(default_factory=dict)
    """the values of those"""
    stored: frozenset[str] = frozenset()
    """the types that weights are kept in: i8, i4, f8E4M3FN"""


def reduced(network: nn.NnModule, wanted: Precisions, by_type: bool = False) -> Reduced:
    """
    A copy of `network`, which is without fusions, in the precisions `wanted`; places that it has not say nothing.

    `by_type` weights get types alone, and no values: enough to say what the network costs.
    """
    draft = Draft(network.module.clone(), dict(network.weights))
    wide = set_precision(draft, wanted, by_type)
    kinds = {str(op.type.element_type) for op in draft.ops if isinstance(op, nn.WeightOp) and op.weight.data in wide}
    values = {} if by_type else {name: np.asarray(network.weights[name]) for name in wide.values()}
    made = replace(network, module=draft.module, weights=draft.weights)
    return Reduced(made, wide, values, frozenset(kinds))


def set_precision(draft: Draft, wanted: Precisions, by_type: bool = False) -> dict[str, str]:
    """Change the draft; each weight in few bits, by name, and the one that it was made from."""
    casts = Casts(draft, by_type)
    end = draft.block.last_op
    declared = {op: [nn.tensor_type(o).element_type for o in op.operands] for op in (*draft.ops, end) if op is not None}
    for op in draft.ops:
        if isinstance(op, nn.QuantiseOp | nn.DequantiseOp):
            _give(op, declared[op], casts)
        elif not isinstance(op, MADE) and (element := _element(op, declared[op], wanted)) is not None:
            _retype(op, element, casts)
    if isinstance(end, ReturnOp):
        _give(end, declared[end], casts)
    wide = {}
    for op in draft.ops:
        if isinstance(op, Product) and (kept := wanted.kept(op)) is not None and can_quantise(op, draft, by_type):
            name, source = _keep_in(op, element_of(kept), draft, by_type)
            wide[name] = casts.sources.get(source, source)
    RemoveDeadCodePass().rewrite(draft)
    return wide


def _element(op: Operation, declared: list[Attribute], wanted: Precisions) -> Attribute | None:
    """
    The element type in which `op` computes: the one asked for, or that of the file; what moves elements takes them in
    the widest type in which they come, and a table is kept in the default.
    """
    come = [nn.tensor_type(value).element_type for value in op.operands]
    kinds = {kind for kind in (come if kind_of(op) is None else declared) if isinstance(kind, WIDE)}
    if not kinds:
        return None
    if wanted.default is not None and isinstance(op, nn.GatherOp) and isinstance(op.x.owner, nn.WeightOp):
        return COMPUTED[wanted.default]
    return wanted.computed(op) or (kinds.pop() if len(kinds) == 1 else Float32Type())


def _retype(op: Operation, element: Attribute, casts: Casts) -> None:
    """`op` anew on operands of that type."""
    _give(op, [element] * len(op.operands), casts)
    types = [_typed(result, element) for result in op.results]
    if types != [result.type for result in op.results]:
        made = type(op).create(operands=list(op.operands), attributes=dict(op.attributes), result_types=types)
        assert isinstance(made, nn.TensorOp)
        made.verify_()
        casts.draft.fired["precision"] += 1
        casts.draft.replace(op, casts.draft.put(op, made).results)


def _give(op: Operation, elements: list[Attribute], casts: Casts) -> None:
    """Let `op` take its operands of floats in these types."""
    for index, (value, element) in enumerate(zip(op.operands, elements, strict=True)):
        if isinstance(nn.tensor_type(value).element_type, WIDE):
            op.operands[index] = casts.to(value, element, op)


def _typed(value: SSAValue, element: Attribute) -> nn.Tensor:
    type = nn.tensor_type(value)
    return nn.tensor(element, nn.shape_of(value)) if isinstance(type.element_type, WIDE) else type


@dataclass
class Casts:
    """Values in other types than they come in: one cast of each for all its users."""

    draft: Draft
    by_type: bool = False
    """weights without values are cast too"""
    sources: dict[str, str] = field(default_factory=dict)
    """weights of another type, by name -> the weight that each was"""
    _made: dict[tuple[SSAValue, Attribute], SSAValue] = field(default_factory=dict)

    def to(self, value: SSAValue, element: Attribute, before: Operation) -> SSAValue:
        """`value` in the type `element`, where it stands before the op `before`, the first that needs it."""
        if nn.tensor_type(value).element_type == element:
            return value
        if (value, element) not in self._made:
            self._made[value, element] = self._cast(value, element, before)
        return self._made[value, element]

    def _cast(self, value: SSAValue, element: Attribute, before: Operation) -> SSAValue:
        type, owner, draft = _typed(value, element), value.owner, self.draft
        limit = LARGEST.get(element)
        if isinstance(owner, nn.FillOp):
            number = float(_within(np.float64(nn.number(owner.value)), limit))
            return draft.emit(before, nn.FillOp, type=type, value=number, at=[owner])
        if isinstance(owner, nn.WeightOp) and (self.by_type or owner.weight.data in draft.weights):
            name = f"{owner.weight.data}.{element}"
            if owner.weight.data in draft.weights:
                # The values stay as they are: what writes them out rounds them, once.
                draft.weights[name] = _within(draft.weights[owner.weight.data], limit)
            self.sources[name] = owner.weight.data
            return draft.emit(before, nn.WeightOp, type=type, weight=name, at=[owner])
        return draft.emit(before, nn.CastOp, value, type=type, at=[owner if isinstance(owner, Operation) else before])


def _within(values: np.ndarray | np.float64, limit: float | None) -> np.ndarray:
    """`values`, those that are finite no larger than `limit`."""
    array = np.asarray(values)
    if limit is None or not np.any(np.abs(array, dtype=np.float64) > limit):
        return array
    return np.where(np.isfinite(array), np.clip(array, -limit, limit), array)


def _keep_in(op: Product, element: Attribute, draft: Draft, by_type: bool) -> tuple[str, str]:
    """Let `op` take its weight from one of that type; the names of both."""
    weight = op.operands[1].owner
    assert isinstance(weight, nn.WeightOp)
    name = weight.weight.data
    few = few_bits(weight, blocks_of(op, GROUP), element)
    if not by_type and few.codes.weight.data not in draft.weights:  # one weight of several products is kept once
        few.store(draft, draft.weights[name])
    for each in (few.codes, few.scale, few.back):
        draft.put(op, each, at=[op])
    op.operands[1] = few.back.result
    draft.fired["keep-in"] += 1
    return few.codes.weight.data, name
