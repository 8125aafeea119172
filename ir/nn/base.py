"""What every nn op shares: its result type follows from its operands, and the verifier holds it to that."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self, cast

from xdsl.dialects.builtin import DenseArrayBase, FloatAttr, IntegerAttr, StringAttr, TensorType, f64, i64
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.irdl import IRDLOperation
from xdsl.utils.exceptions import VerifyException

AttributeLike = Attribute | bool | int | float | str | Sequence[int]
Tensor = TensorType[Any]
Shape = tuple[int, ...]


class TensorOp(IRDLOperation):
    """An op with one tensor result, whose type `infer` works out from operands and attributes."""

    DEFAULTS: ClassVar[Mapping[str, AttributeLike]] = {}
    """Attributes that `make` sets where the caller names none."""

    @classmethod
    def make(
        cls,
        *operands: SSAValue | None,
        type: Tensor | None = None,
        at: Operation | None = None,
        **attributes: AttributeLike,
    ) -> Self:
        """
        The op on `operands` (an optional one may be None), with the location of the op `at`.

        Attributes are given as Python values: ints become i64, floats f64, sequences of ints arrays of i64.
        `type` is needed by the ops whose result does not follow from the operands (weight, fill, reshape,
        broadcast). Raises VerifyException where a constraint of the op does not hold.
        """
        given = {name: as_attribute(value) for name, value in {**cls.DEFAULTS, **attributes}.items()}
        values = [o for o in operands if o is not None]
        if type is None:
            probe = cls.create(operands=values, attributes=given)
            type = probe.infer()
            probe.drop_all_references()
        location = at.location if at is not None else None
        op = cls.create(operands=values, attributes=given, result_types=[type], location=location)
        op.verify_()
        return op

    @abstractmethod
    def infer(self) -> Tensor:
        """The result type, after checking the numbered constraints of the op."""

    @property
    def type(self) -> Tensor:
        """The declared type of the one result."""
        return tensor_type(self.results[0])

    def verify_(self) -> None:
        inferred = self.infer()
        if self.type != inferred:
            raise VerifyException(f"(C0) the result of {self.name} is {self.type}, must be {inferred}")


def as_attribute(value: AttributeLike) -> Attribute:
    """`value` as the builtin attribute that the nn ops use for it."""
    match value:
        case Attribute():
            return value
        case bool() | int():
            return IntegerAttr(int(value), i64)
        case float():
            return FloatAttr(value, f64)
        case str():
            return StringAttr(value)
        case _:
            return DenseArrayBase.from_list(i64, list(value))


def require(holds: bool, message: str) -> None:
    """Raise VerifyException with `message` unless `holds`."""
    if not holds:
        raise VerifyException(message)


def tensor_type(value: SSAValue) -> Tensor:
    """The type of `value`, which must be a tensor of known shape."""
    type = value.type  # messages are made only where they are raised: printing a type is slow
    if not isinstance(type, TensorType):
        raise VerifyException(f"(C0) an operand has type {type}, must be a tensor")
    if -1 in type.get_shape():
        raise VerifyException(f"(C0) {type} has an unknown size")
    return cast(Tensor, type)


def shape_of(value: SSAValue) -> Shape:
    """The shape of the tensor `value`, outermost first."""
    return tuple(tensor_type(value).get_shape())


def with_shape(value: SSAValue, shape: Sequence[int]) -> Tensor:
    """A tensor type of `shape` with the element type of `value`."""
    return TensorType(tensor_type(value).element_type, list(shape))


def same_element_type(op: Operation) -> None:
    """Raise VerifyException unless all operands of `op` have one element type."""
    kinds = {tensor_type(o).element_type for o in op.operands}
    require(len(kinds) <= 1, f"(C1) operands of {op.name} differ in element type")


def ints(array: DenseArrayBase[Any]) -> Shape:
    """The values of an array attribute."""
    return tuple(int(v) for v in array.get_values())


def integer(attribute: IntegerAttr[Any]) -> int:
    """The value of an integer attribute."""
    return attribute.value.data


def number(attribute: FloatAttr[Any]) -> float:
    """The value of a float attribute."""
    return attribute.value.data
