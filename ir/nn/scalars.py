"""Scalar functions applied to every element; operands broadcast as in numpy."""

from __future__ import annotations

from typing import ClassVar

from xdsl.irdl import irdl_op_definition, operand_def, result_def

from .base import Tensor, TensorOp, same_element_type, shape_of, with_shape
from .shapes import broadcast


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


def _unary(kind: str, meaning: str) -> type[UnaryOp]:
    """The op class of a function of one number."""
    line = f'%y = "nn.{kind}"(%x) : (tensor<1x8xf32>) -> tensor<1x8xf32>'
    return irdl_op_definition(type(_class_name(kind), (UnaryOp,), _body(kind, meaning, line)))


def _binary(kind: str, meaning: str) -> type[BinaryOp]:
    """The op class of a function of two numbers."""
    line = f'%y = "nn.{kind}"(%a, %b) : (tensor<1x8xf32>, tensor<8xf32>) -> tensor<1x8xf32>'
    return irdl_op_definition(type(_class_name(kind), (BinaryOp,), _body(kind, meaning, line)))


def _class_name(kind: str) -> str:
    return f"{kind.title().replace('_', '')}Op"


def _body(kind: str, meaning: str, line: str) -> dict[str, str]:
    return {"name": f"nn.{kind}", "__doc__": f"{meaning}\n\n    {line}", "__module__": __name__}


ReluOp = _unary("relu", "max(x, 0).")
ExpOp = _unary("exp", "e to the power of x.")
LogOp = _unary("log", "The natural logarithm of x.")
SqrtOp = _unary("sqrt", "The square root of x.")
RsqrtOp = _unary("rsqrt", "One over the square root of x.")
NegOp = _unary("neg", "Minus x.")
TanhOp = _unary("tanh", "The hyperbolic tangent of x.")
SigmoidOp = _unary("sigmoid", "1 / (1 + exp(-x)).")
ErfOp = _unary("erf", "The Gauss error function of x.")

AddOp = _binary("add", "lhs + rhs.")
SubOp = _binary("sub", "lhs - rhs.")
MulOp = _binary("mul", "lhs * rhs.")
DivOp = _binary("div", "lhs / rhs.")
MaxOp = _binary("max", "The larger of lhs and rhs.")
MinOp = _binary("min", "The smaller of lhs and rhs.")

UNARY: tuple[type[UnaryOp], ...] = (
    ReluOp, ExpOp, LogOp, SqrtOp, RsqrtOp, NegOp, TanhOp, SigmoidOp, ErfOp,
)  # fmt: skip
BINARY: tuple[type[BinaryOp], ...] = (AddOp, SubOp, MulOp, DivOp, MaxOp, MinOp)
ELEMENTWISE: dict[str, type[ElementwiseOp]] = {op.name.removeprefix("nn."): op for op in (*UNARY, *BINARY)}
"""Scalar function -> the op that applies it: what a step of a fused chain may be."""
OPS = (*UNARY, *BINARY)
