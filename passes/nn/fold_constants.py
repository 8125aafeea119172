"""`fold-constants`: what depends on weights and constants alone is worked out before the run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from xdsl.dialects.builtin import NameLoc
from xdsl.ir import Operation, SSAValue

from ...costmodel.rules import tensor_bytes
from ...ir import nn
from ...ir.diagnostics import Diagnostic, InputError
from ...ir.interpret import evaluate
from ...ir.meaning import MEANING
from ..locations import located
from .draft import Draft
from .groups import SCALARS
from .nn_pass import NnPass
from .remove_dead_code import RemoveDeadCodePass

SOURCES = (nn.WeightOp, nn.FillOp, nn.IotaOp)
MOVES = (nn.ReshapeOp, nn.BroadcastOp, nn.TransposeOp, nn.ConcatOp, nn.SliceOp, nn.SplitOp, nn.ReverseOp, nn.GatherOp)
"""Ops whose result holds elements of the operands: no reason to make these wider on the way."""
DTYPES = {
    "f64": np.float64,
    "f16": np.float16,
    "i1": np.bool_,
    "i8": np.int8,
    "i16": np.int16,
    "i32": np.int32,
    "i64": np.int64,
    "ui64": np.uint64,
}
"""Element type -> numpy's; other floats, which numpy lacks, are held as float32 and other integers as int64."""


@dataclass(frozen=True)
class FoldConstantsPass(NnPass):
    """
    Makes weights and constants of all that may and should be folded, and removes what is not used then.

    before: %g = "nn.rsqrt"(weight v);  %y = "nn.mul"(%x, %g)
    after:  %y = "nn.mul"(%x, weight "bn1.rsqrt")

    Promise: `main` computes the same but for rounding. What is between folded ops is kept in float64 and only what the
    others use is rounded to its element type; integers, as in the arithmetic on shapes that exporters write, stay
    exact. A single number becomes an `nn.fill`, all else a weight named after the location of the op it
    replaces. Without values of weights, only what follows from constants in the text is folded.
    """

    name: ClassVar[str] = "fold-constants"

    def rewrite(self, draft: Draft) -> None:
        folded = _folded(draft)
        # All are known before one is replaced: what is between folded ops is not rounded.
        for op, result, value in list(_values(folded, draft)):
            draft.fired["fold"] += 1
            _replace(op, result, value, draft)
        _numbers_as_fills(draft)
        RemoveDeadCodePass(self.device).rewrite(draft)


def can_fold(op: Operation, known: Container[SSAValue]) -> bool:
    """
    Whether the results of `op` are known before the run.

    (L1) It has operands, and all are `known`. (L2) It means the same wherever and whenever it runs: no collective does.
    """
    pure = type(op) in MEANING and not isinstance(op, nn.CollectiveOp)
    return pure and len(op.operands) > 0 and all(o in known for o in op.operands)


def should_fold(op: Operation) -> bool:
    """Whether the results are no larger than what they are made from; a reshape of a weight is free as it is."""
    if isinstance(op, nn.ReshapeOp) and isinstance(op.x.owner, nn.WeightOp):
        return False
    return sum(tensor_bytes(r) for r in op.results) <= sum(tensor_bytes(o) for o in dict.fromkeys(op.operands))


def _folded(draft: Draft) -> dict[Operation, None]:
    """The ops to fold, in order."""
    known: set[SSAValue] = set()
    folded: dict[Operation, None] = {}
    for op in draft.ops:
        if isinstance(op, SOURCES):
            closed = not any(isinstance(n, nn.Size) for n in nn.shape_of(op.results[0]))
            if closed and (not isinstance(op, nn.WeightOp) or op.weight.data in draft.weights):
                known.update(op.results)
        elif can_fold(op, known) and should_fold(op):
            known.update(op.results)
            folded[op] = None
    return folded


def _values(folded: dict[Operation, None], draft: Draft) -> Iterator[tuple[Operation, SSAValue, np.ndarray]]:
    """
    What the `folded` ops give to others, in order, as it is kept; elements that are only moved keep their width.

    Values go as soon as no folded op reads them any more, so that the memory of one serves the next.
    """
    values: dict[SSAValue, np.ndarray] = {}
    uses = Counter(operand for op in folded for operand in op.operands)
    for op in folded:
        for operand in op.operands:
            if operand not in values:
                assert isinstance(operand.owner, Operation)
                values[operand] = _source(operand.owner, draft)
        operands = [values[o] for o in op.operands]
        try:
            results = MEANING[type(op)](op, *operands) if isinstance(op, MOVES) else evaluate(op, operands, {})
        except ValueError as error:
            message = f"`{op.name}` of constants cannot be worked out: {error}"
            raise located(InputError([Diagnostic("constants", message)]), op) from error
        for result, value in zip(op.results, results if isinstance(results, tuple) else (results,), strict=True):
            if any(use.operation not in folded for use in result.uses):
                yield op, result, value if _may_be_number(op, value) else value.astype(dtype_of(result))
            if uses[result]:
                values[result] = value
        for operand in op.operands:
            uses[operand] -= 1
            if not uses[operand]:
                values.pop(operand, None)


def _source(op: Operation, draft: Draft) -> np.ndarray:
    if isinstance(op, nn.WeightOp):
        return np.asarray(draft.weights[op.weight.data])
    return evaluate(op, [], {})[0]


def _may_be_number(op: Operation, value: np.ndarray) -> bool:
    """Whether `value`, which `op` gives, may be one number everywhere."""
    return value.size == 1 or all(isinstance(o.owner, nn.FillOp) for o in op.operands)


def _replace(op: Operation, result: SSAValue, value: np.ndarray, draft: Draft) -> None:
    if _may_be_number(op, value):
        number = nn.filling(nn.tensor_type(result).element_type, value.ravel()[0] if value.size else 0)
        if number is not None and np.all(value == number):
            made = nn.FillOp.make(type=nn.tensor_type(result), value=number)
            draft.put(op, made)
            result.replace_all_uses_with(made.result)
            return
    name = new_name(op, result, draft.weights)
    draft.weights[name] = value.astype(dtype_of(result), copy=False)
    made = nn.WeightOp.make(type=nn.tensor_type(result), weight=name)
    made.result.name_hint = result.name_hint
    draft.put(op, made)
    result.replace_all_uses_with(made.result)


def new_name(op: Operation, result: SSAValue, taken: Mapping[str, np.ndarray]) -> str:
    """A name for the weight that `result` becomes: after the place of `op`, and not `taken`."""
    place = f"{op.location.desc.data}." if isinstance(op.location, NameLoc) else ""
    wanted = place + (result.name_hint or op.name.removeprefix("nn."))
    number, name = 2, wanted
    while name in taken:
        name, number = f"{wanted}_{number}", number + 1
    return name


def dtype_of(value: SSAValue) -> np.dtype:
    """numpy's element type of `value`."""
    element = nn.tensor_type(value).element_type
    return np.dtype(DTYPES.get(str(element), np.int64 if nn.is_integer(element) else np.float32))


def _numbers_as_fills(draft: Draft) -> None:
    """
    before: %e = "nn.weight"() {weight = "eps"} : () -> tensor<f32>;  %y = "nn.add"(%x, %e)
    after:  %e = "nn.fill"() {value = 1.0e-05}

    (L1) The weight is a single finite number that scalar functions alone use.
    """
    for op in draft.ops:
        if not isinstance(op, nn.WeightOp) or op.weight.data not in draft.weights:
            continue
        array = draft.weights[op.weight.data]
        if array.size == 1 and all(isinstance(use.operation, SCALARS) for use in op.result.uses):
            number = nn.filling(op.type.element_type, array.ravel()[0])
            if number is not None:
                draft.fired["number"] += 1
                draft.replace(op, [draft.emit(op, nn.FillOp, type=op.type, value=number)])
