"""`infer-shapes`: the types of all values, worked out again from those of the inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import ClassVar

from xdsl.ir import Operation
from xdsl.rewriter import Rewriter
from xdsl.utils.exceptions import VerifyException

from ...ir import nn
from ...ir.diagnostics import Diagnostic, InputError
from .draft import Draft
from .nn_pass import NnPass


@dataclass(frozen=True)
class InferShapesPass(NnPass):
    """
    Gives every result the type that follows from its operands, and `main` the signature that follows from its body.

    before: %y = "nn.relu"(%x) : (tensor<8x4xf32>) -> tensor<2x4xf32>       after the input became larger
    after:  %y = "nn.relu"(%x) : (tensor<8x4xf32>) -> tensor<8x4xf32>

    A view, whose shape is written down, follows in one axis of each run of axes that stands for a run of its operand's:
    the one that has the size which changed, else the outermost that can. A broadcast follows where it repeats nothing.

    Promise: ops and attributes stay as they are; a module whose types were right stays as it is. An op that cannot
    have operands of such types is an error that names it.
    """

    name: ClassVar[str] = "infer-shapes"

    def rewrite(self, draft: Draft) -> None:
        ops = [op for op in draft.ops if isinstance(op, nn.TensorOp) and op.operands]
        old: dict[Operation, nn.Shape] = {op: nn.shape_of(op.operands[0]) for op in ops}
        infer(draft, old)


def infer(draft: Draft, old: Mapping[Operation, nn.Shape]) -> None:
    """Work the types out; `old` has the shape of each op's first operand, for which its written shape was right."""
    for op in draft.ops:
        if not isinstance(op, nn.TensorOp):
            continue  # of another dialect, whose types are not ours to say
        if isinstance(op, nn.FusionOp):
            _infer_inside(op, draft)
        try:
            types = _followed(op, old) if isinstance(op, nn.ReshapeOp | nn.BroadcastOp) else _inferred(op)
        except VerifyException as error:
            message = f"`infer-shapes`: `{op.name}` does not fit its operands: {str(error).splitlines()[-1]}"
            raise InputError([Diagnostic("pass", message)]) from error
        for result, type in zip(op.results, types, strict=True):
            if result.type != type:
                draft.fired["type"] += 1
                Rewriter.replace_value_with_new_type(result, type)
    draft.retype()


def with_inputs(network: nn.NnModule, shapes: Mapping[str, nn.Shape]) -> nn.NnModule:
    """A copy of `network` whose inputs of those names have other shapes; InputError where an op cannot take them."""
    draft = Draft(network.module.clone(), dict(network.weights))
    old = {op: nn.shape_of(op.operands[0]) for op in draft.ops if op.operands}
    for name, arg in zip(network.input_names, draft.block.args, strict=True):
        if name in shapes:
            Rewriter.replace_value_with_new_type(arg, nn.with_shape(arg, shapes[name]))
    infer(draft, old)
    return nn.NnModule(draft.module, draft.weights, network.input_names, network.output_names)


def _inferred(op: nn.TensorOp) -> tuple[nn.Tensor, ...]:
    """The types of the results; where one is written down, the element type stays and the shape follows the operand."""
    if isinstance(op, nn.CastOp | nn.QuantiseOp):
        return (nn.tensor(op.type.element_type, nn.shape_of(op.operands[0])),)
    return op.inferred()


def _infer_inside(op: nn.FusionOp, draft: Draft) -> None:
    for arg, operand in zip(op.body.block.args, op.operands, strict=True):
        Rewriter.replace_value_with_new_type(arg, operand.type)
    for step in op.steps:
        assert isinstance(step, nn.TensorOp)
        for result, type in zip(step.results, _inferred(step), strict=True):
            Rewriter.replace_value_with_new_type(result, type)


def _followed(op: nn.ReshapeOp | nn.BroadcastOp, old: Mapping[Operation, nn.Shape]) -> tuple[nn.Tensor, ...]:
    """The type of a view or broadcast whose operand had the shape `old[op]`."""
    before, now, written = old[op], nn.shape_of(op.x), nn.shape_of(op.result)
    if before != now:
        follow = _reshaped if isinstance(op, nn.ReshapeOp) else _repeated
        written = follow(before, now, written)
    return (nn.with_shape(op.x, written),)


def _repeated(before: nn.Shape, now: nn.Shape, written: nn.Shape) -> nn.Shape:
    """The shape of a broadcast: axes that were not repeated follow the operand."""
    added = len(written) - len(before)
    pairs = zip(before, now, written[added:], strict=True)
    return (*written[:added], *(new if old == size else size for old, new, size in pairs))


def _reshaped(before: nn.Shape, now: nn.Shape, written: nn.Shape) -> nn.Shape:
    """The shape of a view: in each run of axes that stands for a run of the operand's, one axis takes the change."""
    if len(before) != len(now):
        raise VerifyException(f"a view of {before} cannot follow {now}, which has another rank")
    shape = list(written)
    for source, target in _runs(before, written):
        old, new = prod(before[i] for i in source), prod(now[i] for i in source)
        if old == new:
            continue
        if len(target) > 1 and sum(before[i] != now[i] for i in source) > 1:
            raise VerifyException(f"no axis of the view {written} of {before} can follow {now} by itself")
        place = next((i for i in target if any(before[j] == shape[i] and now[j] != before[j] for j in source)), None)
        if place is None:
            place = next((i for i in target if shape[i] * new % old == 0), None)
        if place is None or shape[place] * new % old:
            raise VerifyException(f"no axis of the view {written} of {before} can follow {now}")
        shape[place] = shape[place] * new // old
    return tuple(shape)


def _runs(before: nn.Shape, written: nn.Shape) -> list[tuple[list[int], list[int]]]:
    """Shortest runs of axes of two shapes that hold equally many elements, in order."""
    runs: list[tuple[list[int], list[int]]] = []
    left, right = list(range(len(before))), list(range(len(written)))
    while left or right:
        source, target = left[:1], right[:1]
        del left[:1], right[:1]
        a, b = prod(before[i] for i in source), prod(written[i] for i in target)
        while a != b and (left or right):
            if (a < b and left) or not right:
                source.append(left.pop(0))
                a = a * before[source[-1]]
            else:
                target.append(right.pop(0))
                b = b * written[target[-1]]
        runs.append((source, target))
    return runs
