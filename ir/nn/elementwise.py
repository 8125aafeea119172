"""Scalar functions applied to every element, alone and as one fused chain; operands broadcast as in numpy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from xdsl.dialects.builtin import ArrayAttr, DenseArrayBase, StringAttr, i64
from xdsl.ir import ParametrizedAttribute
from xdsl.irdl import (
    attr_def,
    irdl_attr_definition,
    irdl_op_definition,
    operand_def,
    param_def,
    result_def,
    var_operand_def,
)
from xdsl.utils.exceptions import VerifyException

from .base import Shape, Tensor, TensorOp, ints, require, same_element_type, shape_of, with_shape


class ElementwiseOp(TensorOp):
    """
    One scalar function over tensors that broadcast to the result.

    (C1) Operands have one element type. (C2) Their shapes broadcast.
    """

    ARITY: ClassVar[int]

    @property
    def kind(self) -> str:
        """The scalar function: the op's name without the dialect."""
        return self.name.removeprefix("nn.")

    def infer(self) -> Tensor:
        same_element_type(self)
        return with_shape(self.operands[0], broadcast([shape_of(o) for o in self.operands]))


class UnaryOp(ElementwiseOp):
    """A function of one tensor."""

    ARITY: ClassVar[int] = 1
    x = operand_def()
    result = result_def()


class BinaryOp(ElementwiseOp):
    """A function of two tensors that broadcast."""

    ARITY: ClassVar[int] = 2
    lhs = operand_def()
    rhs = operand_def()
    result = result_def()


@irdl_op_definition
class ReluOp(UnaryOp):
    """
    max(x, 0).

        %y = "nn.relu"(%x) : (tensor<1x8xf32>) -> tensor<1x8xf32>
    """

    name = "nn.relu"


@irdl_op_definition
class ExpOp(UnaryOp):
    """
    e to the power of x.

        %y = "nn.exp"(%x) : (tensor<1x8xf32>) -> tensor<1x8xf32>
    """

    name = "nn.exp"


@irdl_op_definition
class LogOp(UnaryOp):
    """
    The natural logarithm of x.

        %y = "nn.log"(%x) : (tensor<1x8xf32>) -> tensor<1x8xf32>
    """

    name = "nn.log"


@irdl_op_definition
class SqrtOp(UnaryOp):
    """
    The square root of x.

        %y = "nn.sqrt"(%x) : (tensor<1x8xf32>) -> tensor<1x8xf32>
    """

    name = "nn.sqrt"


@irdl_op_definition
class RsqrtOp(UnaryOp):
    """
    One over the square root of x.

        %y = "nn.rsqrt"(%x) : (tensor<1x8xf32>) -> tensor<1x8xf32>
    """

    name = "nn.rsqrt"


@irdl_op_definition
class NegOp(UnaryOp):
    """
    Minus x.

        %y = "nn.neg"(%x) : (tensor<1x8xf32>) -> tensor<1x8xf32>
    """

    name = "nn.neg"


@irdl_op_definition
class TanhOp(UnaryOp):
    """
    The hyperbolic tangent of x.

        %y = "nn.tanh"(%x) : (tensor<1x8xf32>) -> tensor<1x8xf32>
    """

    name = "nn.tanh"


@irdl_op_definition
class SigmoidOp(UnaryOp):
    """
    1 / (1 + exp(-x)).

        %y = "nn.sigmoid"(%x) : (tensor<1x8xf32>) -> tensor<1x8xf32>
    """

    name = "nn.sigmoid"


@irdl_op_definition
class ErfOp(UnaryOp):
    """
    The Gauss error function of x.

        %y = "nn.erf"(%x) : (tensor<1x8xf32>) -> tensor<1x8xf32>
    """

    name = "nn.erf"


@irdl_op_definition
class AddOp(BinaryOp):
    """
    lhs + rhs.

        %y = "nn.add"(%a, %b) : (tensor<1x8xf32>, tensor<8xf32>) -> tensor<1x8xf32>
    """

    name = "nn.add"


@irdl_op_definition
class SubOp(BinaryOp):
    """
    lhs - rhs.

        %y = "nn.sub"(%a, %b) : (tensor<1x8xf32>, tensor<8xf32>) -> tensor<1x8xf32>
    """

    name = "nn.sub"


@irdl_op_definition
class MulOp(BinaryOp):
    """
    lhs * rhs.

        %y = "nn.mul"(%a, %b) : (tensor<1x8xf32>, tensor<8xf32>) -> tensor<1x8xf32>
    """

    name = "nn.mul"


@irdl_op_definition
class DivOp(BinaryOp):
    """
    lhs / rhs.

        %y = "nn.div"(%a, %b) : (tensor<1x8xf32>, tensor<8xf32>) -> tensor<1x8xf32>
    """

    name = "nn.div"


@irdl_op_definition
class MaxOp(BinaryOp):
    """
    The larger of lhs and rhs.

        %y = "nn.max"(%a, %b) : (tensor<1x8xf32>, tensor<8xf32>) -> tensor<1x8xf32>
    """

    name = "nn.max"


@irdl_op_definition
class MinOp(BinaryOp):
    """
    The smaller of lhs and rhs.

        %y = "nn.min"(%a, %b) : (tensor<1x8xf32>, tensor<8xf32>) -> tensor<1x8xf32>
    """

    name = "nn.min"


UNARY: tuple[type[UnaryOp], ...] = (
    ReluOp, ExpOp, LogOp, SqrtOp, RsqrtOp, NegOp, TanhOp, SigmoidOp, ErfOp,
)  # fmt: skip
BINARY: tuple[type[BinaryOp], ...] = (AddOp, SubOp, MulOp, DivOp, MaxOp, MinOp)
ELEMENTWISE: dict[str, type[ElementwiseOp]] = {op.name.removeprefix("nn."): op for op in (*UNARY, *BINARY)}
"""Scalar function -> the op that applies it: what a step of a fused chain may be."""


@irdl_attr_definition
class StepAttr(ParametrizedAttribute):
    """
    One scalar function inside a fused chain.

        #nn.step<"add", array<i64: 3, 1>>

    `args` are indices: below the number of operands of the chain they mean an operand, above it the result of an
    earlier step.

    (C1) `kind` is one of ELEMENTWISE. (C2) It has as many `args` as the function takes.
    """

    name = "nn.step"
    kind: StringAttr = param_def()
    args: DenseArrayBase = param_def()

    @staticmethod
    def of(kind: str, args: Sequence[int]) -> StepAttr:
        """The attribute for the function `kind` on the values `args`."""
        return StepAttr(StringAttr(kind), DenseArrayBase.from_list(i64, list(args)))

    def verify(self) -> None:
        function = ELEMENTWISE.get(self.kind.data)
        if function is None:
            raise VerifyException(f"(C1) `{self.kind.data}` is no scalar function of a chain")
        require(
            len(ints(self.args)) == function.ARITY,
            f"(C2) `{self.kind.data}` takes {function.ARITY} arguments, not {len(ints(self.args))}",
        )


@irdl_op_definition
class FusedElementwiseOp(TensorOp):
    """
    A chain of scalar functions done in one pass over the result; the last step is the result.

        %y = "nn.fused_elementwise"(%x, %s, %b) {steps = [#nn.step<"mul", array<i64: 0, 1>>,
             #nn.step<"add", array<i64: 3, 2>>, #nn.step<"relu", array<i64: 4>>]} : (...) -> tensor<1x8x4x4xf32>

    (C1) Operands have one element type. (C2) Their shapes broadcast.
    (C3) There is at least one step. (C4) A step uses operands and earlier steps alone.
    """

    name = "nn.fused_elementwise"
    inputs = var_operand_def()
    result = result_def()
    steps = attr_def(ArrayAttr)

    @property
    def chain(self) -> list[tuple[str, Shape]]:
        """The steps as (function, indices of its arguments)."""
        return [(s.kind.data, ints(s.args)) for s in self.steps if isinstance(s, StepAttr)]

    def infer(self) -> Tensor:
        same_element_type(self)
        require(len(self.chain) == len(self.steps) > 0, "(C3) a chain needs at least one step")
        for position, (kind, args) in enumerate(self.chain):
            known = len(self.operands) + position
            require(all(0 <= a < known for a in args), f"(C4) step {position} (`{kind}`) uses a later value")
        return with_shape(self.operands[0], broadcast([shape_of(o) for o in self.operands]))


def broadcast(shapes: Sequence[Shape]) -> Shape:
    """The shape that `shapes` broadcast to, as numpy does it; VerifyException (C2) where they do not."""
    rank = max((len(s) for s in shapes), default=0)
    result = [1] * rank
    for shape in shapes:
        for axis, size in enumerate(shape, start=rank - len(shape)):
            require(size == result[axis] or 1 in (size, result[axis]), f"(C2) shapes {shapes} do not broadcast")
            result[axis] = max(size, result[axis]) if 0 not in (size, result[axis]) else 0
    return tuple(result)


def broadcasts_to(shape: Shape, target: Shape) -> bool:
    """Whether a tensor of `shape` repeats to one of `target`."""
    tail = target[len(target) - len(shape) :]
    return len(shape) <= len(target) and all(size in (1, whole) for size, whole in zip(shape, tail, strict=True))
