"""What every nn op shares: its result types follow from its operands, and the verifier holds it to that."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any, ClassVar, Self, cast

from xdsl.dialects.builtin import (
    DYNAMIC_INDEX,
    ArrayAttr,
    DenseArrayBase,
    FloatAttr,
    IntegerAttr,
    NoneAttr,
    StringAttr,
    TensorType,
    f64,
    i64,
)
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.irdl import IRDLOperation
from xdsl.utils.exceptions import VerifyException

from .sizes import Size, Undecided, size_of

AttributeLike = Attribute | bool | int | float | str | Sequence[int] | Sequence[float]
Tensor = TensorType[Any]
Shape = tuple[int, ...]
"""Outermost first. A size that is not known yet is a `Size`, which does arithmetic as an int does."""


class TensorOp(IRDLOperation):
    """An op whose results are tensors, with types that `infer` works out from operands and attributes."""

    DEFAULTS: ClassVar[Mapping[str, AttributeLike]] = {}
    """Attributes that `make` sets where the caller names none."""

    @classmethod
    def defaults(cls, operands: Sequence[SSAValue]) -> Mapping[str, AttributeLike]:
        """DEFAULTS, and what else follows from `operands` where the caller does not say it."""
        return cls.DEFAULTS

    @classmethod
    def make(
        cls,
        *operands: SSAValue | None,
        type: Tensor | None = None,
        at: Operation | None = None,
        **attributes: AttributeLike,
    ) -> Self:
        """
        The op on `operands` (optional ones at the end may be None), with the location of the op `at`.

        Attributes are given as Python values: ints become i64, floats f64, sequences arrays of i64 or f64.
        `type` is needed by the ops whose result does not follow from the operands (weight, fill, reshape,
        broadcast). Raises VerifyException where a constraint of the op does not hold.
        """
        values = [o for o in operands if o is not None]
        require(None not in operands[: len(values)], f"(C0) {cls.name} is given an operand after one that is absent")
        attributes = {**cls.defaults(values), **attributes}
        given = {name: as_attribute(value) for name, value in attributes.items()}
        if type is None:
            probe = cls.create(operands=values, attributes=given)
            try:
                types = probe.inferred()
            finally:
                probe.drop_all_references()  # else an op that is refused would still count as a user
        else:
            types = (type,)
        location = at.location if at is not None else None
        op = cls.create(operands=values, attributes=given, result_types=types, location=location)
        try:
            if type is None:  # the types are those inferred: what is left is the form of the op
                cls.get_irdl_definition().verify(op)
            else:
                op.verify_()
        except VerifyException:
            op.drop_all_references()
            raise
        return op

    @abstractmethod
    def infer(self) -> Tensor | tuple[Tensor, ...]:
        """The type of the result, or of each where there are several, after checking the numbered constraints."""

    def inferred(self) -> tuple[Tensor, ...]:
        """The type of each result; VerifyException where a constraint does not hold, or depends on open sizes."""
        try:
            types = self.infer()
        except Undecided as undecided:
            raise VerifyException(f"(C0) {self.name}: {undecided}") from undecided
        return types if isinstance(types, tuple) else (types,)

    @property
    def type(self) -> Tensor:
        """The declared type of the first result."""
        return tensor_type(self.results[0])

    def verify_(self) -> None:
        inferred = self.inferred()
        if len(inferred) != len(self.results):
            raise VerifyException(f"(C0) {self.name} has {len(self.results)} results, must have {len(inferred)}")
        for result, must in zip(self.results, inferred, strict=True):
            if result.type != must:
                raise VerifyException(f"(C0) the result of {self.name} is {result.type}, must be {must}")


def as_attribute(value: AttributeLike) -> Attribute:
    """`value` as the builtin attribute that the nn ops use for it."""
    match value:
        case Attribute():
            return value
        case bool() | int() | Integral():
            return IntegerAttr(int(value), i64)
        case float():
            return FloatAttr(value, f64)
        case str():
            return StringAttr(value)
        case _:
            numbers = list(value)
            if any(isinstance(v, float) for v in numbers):
                return DenseArrayBase.from_list(f64, [float(v) for v in numbers])
            return DenseArrayBase.from_list(i64, [int(v) for v in numbers])


def require(holds: bool, message: str) -> None:
    """Raise VerifyException with `message` unless `holds`."""
    if not holds:
        raise VerifyException(message)


def tensor_type(value: SSAValue) -> Tensor:
    """The type of `value`, which must be a tensor of known rank."""
    type = value.type  # messages are made only where they are raised: printing a type is slow
    if not isinstance(type, TensorType):
        raise VerifyException(f"(C0) an operand has type {type}, must be a tensor")
    return cast(Tensor, type)


def shape_of(value: SSAValue) -> Shape:
    """The shape of the tensor `value`, outermost first."""
    return shape_in(tensor_type(value))


def shape_in(type: Tensor) -> Shape:
    """The shape that `type` says; VerifyException where a size is open and its encoding does not name it."""
    shape = tuple(type.get_shape())
    if min(shape, default=0) >= 0:
        if not isinstance(type.encoding, NoneAttr):
            raise VerifyException(f"(C0) {type} has an encoding and no open size")
        return shape
    return _open_shape(type, shape)


def _open_shape(type: Tensor, shape: Shape) -> Shape:
    said = type.encoding.data if isinstance(type.encoding, ArrayAttr) else ()
    try:
        sizes = tuple(
            size_of(s.data if isinstance(s, StringAttr) else cast(IntegerAttr[Any], s).value.data) for s in said
        )
    except (ValueError, AttributeError) as error:
        raise VerifyException(f"(C0) {type} has an unreadable size: {error}") from error
    agree = len(sizes) == len(shape) and all(
        isinstance(size, Size) if n == DYNAMIC_INDEX else size == n for size, n in zip(sizes, shape, strict=True)
    )
    if not agree:
        raise VerifyException(f"(C0) {type} has an unknown size")
    return cast(Shape, sizes)


def tensor(element: Attribute, shape: Sequence[int | Size]) -> Tensor:
    """The tensor type of `shape`, with open sizes in its encoding, and elements of type `element`."""
    known = [n for n in shape if not isinstance(n, Size)]
    if len(known) == len(shape):
        return TensorType(element, known)
    said = ArrayAttr([StringAttr(str(n)) if isinstance(n, Size) else IntegerAttr(n, i64) for n in shape])
    return TensorType(element, [DYNAMIC_INDEX if isinstance(n, Size) else n for n in shape], said)


def with_shape(value: SSAValue, shape: Sequence[int | Size]) -> Tensor:
    """A tensor type of `shape` with the element type of `value`."""
    return tensor(tensor_type(value).element_type, shape)


def same_element_type(op: Operation) -> None:
    """Raise VerifyException unless all operands of `op` have one element type."""
    kinds = {tensor_type(o).element_type for o in op.operands}
    require(len(kinds) <= 1, f"(C1) operands of {op.name} differ in element type")


def ints(array: DenseArrayBase[Any]) -> Shape:
    """The values of an array attribute."""
    return tuple(int(v) for v in array.get_values())


def numbers(array: DenseArrayBase[Any]) -> tuple[float, ...]:
    """The values of an array attribute of floats."""
    return tuple(float(v) for v in array.get_values())


def integer(attribute: IntegerAttr[Any]) -> int:
    """The value of an integer attribute."""
    return attribute.value.data


def number(attribute: FloatAttr[Any]) -> float:
    """The value of a float attribute."""
    return attribute.value.data
