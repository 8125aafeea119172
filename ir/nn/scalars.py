"""Scalar functions applied to every element; operands broadcast as in numpy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from xdsl.dialects.builtin import i1
from xdsl.ir import Attribute
from xdsl.irdl import irdl_op_definition, operand_def, result_def

from .base import Tensor, TensorOp, require, same_element_type, shape_in, shape_of, tensor, tensor_type, with_shape
from .elements import is_float, is_integer, is_number, is_truth
from .shapes import broadcast

KINDS: Mapping[str, Callable[[Attribute], bool]] = {"floats": is_float, "numbers": is_number, "truth values": is_truth}
"""What a scalar function may be of; numbers are floats and integers of 2 bits or more, truth values i1."""


class ElementwiseOp(TensorOp):
    """
    One scalar function over tensors that broadcast to the result, which has their element type.

    (C1) Operands have one element type. (C2) Their shapes broadcast.
    (C3) The function is of that element type: floats, numbers (integers of 2 bits or more too) or truth values.
    """

    ARITY: ClassVar[int]
    OF: ClassVar[str]
    """one of KINDS"""

    @property
    def kind(self) -> str:
        """The scalar function: the op's name without the dialect."""
        return self.name.removeprefix("nn.")

    def infer(self) -> Tensor:
        same_element_type(self)
        element = tensor_type(self.operands[0]).element_type
        require(KINDS[self.OF](element), f"(C3) {self.name} is of {self.OF}, not of {element}")
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


class ComparisonOp(TensorOp):
    """
    A comparison of two tensors that broadcast; the result is i1.

    (C1) Operands have one element type. (C2) Their shapes broadcast.
    """

    lhs = operand_def()
    rhs = operand_def()
    result = result_def()

    @property
    def kind(self) -> str:
        """The comparison: the op's name without the dialect."""
        return self.name.removeprefix("nn.")

    def infer(self) -> Tensor:
        same_element_type(self)
        return tensor(i1, broadcast([shape_of(o) for o in self.operands]))


def _unary(kind: str, meaning: str, of: str = "floats") -> type[UnaryOp]:
    """The op class of a function of one number."""
    line = f'%y = "nn.{kind}"(%x) : ({_example(of)}) -> {_example(of)}'
    return irdl_op_definition(type(_class_name(kind), (UnaryOp,), {**_body(kind, meaning, line), **_of(of)}))


def _binary(kind: str, meaning: str, of: str = "numbers") -> type[BinaryOp]:
    """The op class of a function of two numbers."""
    line = f'%y = "nn.{kind}"(%a, %b) : ({_example(of)}, {_example(of)}) -> {_example(of)}'
    return irdl_op_definition(type(_class_name(kind), (BinaryOp,), {**_body(kind, meaning, line), **_of(of)}))


def _comparison(kind: str, meaning: str) -> type[ComparisonOp]:
    """The op class of a comparison."""
    line = f'%y = "nn.{kind}"(%a, %b) : (tensor<1x8xf32>, tensor<8xf32>) -> tensor<1x8xi1>'
    return irdl_op_definition(type(_class_name(kind), (ComparisonOp,), _body(kind, meaning, line)))


def _example(of: str) -> str:
    return "tensor<1x8xi1>" if of == "truth values" else "tensor<1x8xf32>"


def _class_name(kind: str) -> str:
    return "".join(word.capitalize() for word in kind.split("_")) + "Op"


def _of(of: str) -> dict[str, Any]:
    return {"OF": of, "__annotations__": {"OF": ClassVar[str]}}  # xDSL takes class variables that say so


def _body(kind: str, meaning: str, line: str) -> dict[str, str]:
    return {"name": f"nn.{kind}", "__doc__": f"{meaning}\n\n    {line}", "__module__": __name__}


ReluOp = _unary("relu", "max(x, 0).", of="numbers")
ExpOp = _unary("exp", "e to the power of x.")
Expm1Op = _unary("expm1", "exp(x) - 1, exact near 0.")
LogOp = _unary("log", "The natural logarithm of x.")
Log1pOp = _unary("log1p", "log(1 + x), exact near 0.")
SqrtOp = _unary("sqrt", "The square root of x.")
RsqrtOp = _unary("rsqrt", "One over the square root of x.")
NegOp = _unary("neg", "Minus x.", of="numbers")
AbsOp = _unary("abs", "x without its sign.", of="numbers")
SignOp = _unary("sign", "-1, 0 or 1: the sign of x.", of="numbers")
FloorOp = _unary("floor", "The greatest integer that is at most x.")
CeilOp = _unary("ceil", "The least integer that is at least x.")
RoundOp = _unary("round", "The integer nearest to x, of two the even one.")
SinOp = _unary("sin", "The sine of x.")
CosOp = _unary("cos", "The cosine of x.")
TanhOp = _unary("tanh", "The hyperbolic tangent of x.")
SigmoidOp = _unary("sigmoid", "1 / (1 + exp(-x)).")
ErfOp = _unary("erf", "The Gauss error function of x.")
GeluOp = _unary("gelu", "x / 2 * (1 + erf(x / sqrt(2))).")
GeluTanhOp = _unary("gelu_tanh", "x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x * x * x))).")
SiluOp = _unary("silu", "x * sigmoid(x).")
SoftplusOp = _unary("softplus", "log(1 + exp(x)).")
MishOp = _unary("mish", "x * tanh(softplus(x)).")
HardSigmoidOp = _unary("hard_sigmoid", "min(max(x / 6 + 1 / 2, 0), 1).")
HardSwishOp = _unary("hard_swish", "x * hard_sigmoid(x).")
NotOp = _unary("not", "1 where x is 0, else 0.", of="truth values")

AddOp = _binary("add", "lhs + rhs.")
SubOp = _binary("sub", "lhs - rhs.")
MulOp = _binary("mul", "lhs * rhs.")
DivOp = _binary("div", "lhs / rhs; of integers, what is left of it without the fraction.")
ModOp = _binary("mod", "What remains of lhs / rhs rounded down: it has the sign of rhs.")
RemOp = _binary("rem", "What remains of lhs / rhs without its fraction: it has the sign of lhs.")
PowOp = _binary("pow", "lhs to the power of rhs, which is not negative for integers.")
MaxOp = _binary("max", "The larger of lhs and rhs.")
MinOp = _binary("min", "The smaller of lhs and rhs.")
AndOp = _binary("and", "1 where both are 1.", of="truth values")
OrOp = _binary("or", "1 where either is 1.", of="truth values")
XorOp = _binary("xor", "1 where one is 1 and the other 0.", of="truth values")

LessOp = _comparison("less", "1 where lhs < rhs.")
LessEqualOp = _comparison("less_equal", "1 where lhs <= rhs.")
EqualOp = _comparison("equal", "1 where lhs and rhs are equal.")

UNARY: tuple[type[UnaryOp], ...] = (
    ReluOp, ExpOp, Expm1Op, LogOp, Log1pOp, SqrtOp, RsqrtOp, NegOp, AbsOp, SignOp, FloorOp, CeilOp, RoundOp, SinOp,
    CosOp, TanhOp, SigmoidOp, ErfOp, GeluOp, GeluTanhOp, SiluOp, SoftplusOp, MishOp, HardSigmoidOp, HardSwishOp, NotOp,
)  # fmt: skip
BINARY: tuple[type[BinaryOp], ...] = (
    AddOp, SubOp, MulOp, DivOp, ModOp, RemOp, PowOp, MaxOp, MinOp, AndOp, OrOp, XorOp,
)  # fmt: skip
COMPARISONS: tuple[type[ComparisonOp], ...] = (LessOp, LessEqualOp, EqualOp)
ELEMENTWISE: dict[str, type[ElementwiseOp]] = {op.name.removeprefix("nn."): op for op in (*UNARY, *BINARY)}
"""Scalar function -> the op that applies it: what a step of a fused chain may be."""


@irdl_op_definition
class WhereOp(TensorOp):
    """
    The elements of `x` where `condition` is 1, else those of `y`; the three broadcast.

        %r = "nn.where"(%c, %x, %y) : (tensor<4x4xi1>, tensor<8x4x4xf32>, tensor<f32>) -> tensor<8x4x4xf32>

    (C1) The condition is i1, and `x` and `y` have one element type. (C2) The shapes broadcast.
    """

    name = "nn.where"
    condition = operand_def()
    x = operand_def()
    y = operand_def()
    result = result_def()

    def infer(self) -> Tensor:
        condition, x, y = (tensor_type(o).element_type for o in self.operands)
        require(is_truth(condition), f"(C1) the condition is of {condition}, must be of i1")
        require(x == y, f"(C1) {x} and {y} differ")
        return with_shape(self.x, broadcast([shape_of(o) for o in self.operands]))


@irdl_op_definition
class CastOp(TensorOp):
    """
    The same values as another element type; the type is given.

        %y = "nn.cast"(%x) : (tensor<1x8xf32>) -> tensor<1x8xi32>

    A float becomes an integer without its fraction, the nearest in range where that is not, and not-a-number becomes 0;
    an integer that is not in range keeps its lowest bits; i1 says whether a number is not 0.

    (C1) Input and result have one shape. (C2) Both are of floats, or integers of 1 to 64 bits.
    """

    name = "nn.cast"
    x = operand_def()
    result = result_def()

    def infer(self) -> Tensor:
        old, new = shape_of(self.x), shape_in(self.type)
        require(old == new, f"(C1) {old} and {new} differ")
        for element in (tensor_type(self.x).element_type, self.type.element_type):
            require(is_float(element) or is_integer(element), f"(C2) {element} is no type of elements")
        return self.type


OPS = (*UNARY, *BINARY, *COMPARISONS, WhereOp, CastOp)
