"""One ONNX node while it is read, and what reads nodes of its kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from xdsl.dialects.builtin import NameLoc, NoneAttr, StringAttr
from xdsl.ir import SSAValue

from ... import nn
from ..elements import element_type

if TYPE_CHECKING:
    from .reader import Reader

Known = np.ndarray
"""What is known while reading; an array of objects holds sizes, of which some are open."""
Result = SSAValue | Known | Sequence[SSAValue]
Handler = Callable[["Node"], Result]


class Unreadable(Exception):
    """What a node asks for is not supported; the text says what."""


@dataclass
class Node:
    """One ONNX node: its proto, and what it may ask of the graph read so far."""

    proto: Any
    label: str
    reader: Reader
    opset: int

    def attribute(self, name: str, default: Any = None) -> Any:
        """The attribute `name` as a Python value, or `default`."""
        from onnx import helper

        for attribute in self.proto.attribute:
            if attribute.name == name:
                return helper.get_attribute_value(attribute)
        return default

    def text(self, name: str, default: str) -> str:
        """The attribute `name` as text."""
        value = self.attribute(name)
        return default if value is None else value.decode()

    @property
    def outputs(self) -> int:
        """How many outputs are asked for."""
        return len(self.proto.output)

    def has(self, index: int) -> bool:
        """Whether the (optional) input `index` is given."""
        return index < len(self.proto.input) and self.proto.input[index] != ""

    def tensor(self, index: int) -> SSAValue:
        """The input `index` as an SSA value."""
        return self.reader.value(self.proto.input[index])

    def optional(self, index: int) -> SSAValue | None:
        """The input `index` as an SSA value, None where it is not given."""
        return self.tensor(index) if self.has(index) else None

    def tensors(self) -> list[SSAValue]:
        """All inputs as SSA values."""
        return [self.tensor(i) for i in range(len(self.proto.input))]

    def known(self, index: int) -> Known | None:
        """The input `index` if it is known while reading."""
        return self.reader.constants.get(self.proto.input[index])

    def constant(self, index: int) -> Known:
        """The input `index`, which must be known while reading."""
        found = self.known(index)
        if found is None:
            raise Unreadable(f"input {index} (`{self.proto.input[index]}`) must be a constant")
        return found

    def integers(self, index: int) -> tuple[int, ...]:
        """The input `index` as a list of integers that are known, all closed."""
        values = self.constant(index).ravel().tolist()
        if any(isinstance(each, nn.Size) for each in values):
            raise Unreadable(f"input {index} (`{self.proto.input[index]}`) depends on an open size")
        return tuple(int(each) for each in values)

    def given(self, name: str, index: int) -> tuple[int, ...] | None:
        """Integers that are an attribute in old opsets and an input in new ones; None where neither is there."""
        if self.has(index):
            return self.integers(index)
        attribute = self.attribute(name)
        return None if attribute is None else tuple(attribute)

    def shape(self, index: int = 0) -> nn.Shape:
        """The shape of the input `index`."""
        return nn.shape_of(self.tensor(index))

    def axis(self, axis: int, index: int = 0) -> int:
        """`axis` of the input `index` counted from the front."""
        return axis_within(axis, len(self.shape(index)))

    def emit(self, op: type[nn.TensorOp], /, *operands: SSAValue | None, **given: Any) -> SSAValue:
        """The first result of a new `op` on `operands`, with this node's location."""
        return self.reader.emit(self.label, op, *operands, **given)[0]

    def emit_all(self, op: type[nn.TensorOp], /, *operands: SSAValue | None, **given: Any) -> Sequence[SSAValue]:
        """All results of a new `op` on `operands`, with this node's location."""
        return self.reader.emit(self.label, op, *operands, **given)

    def fill(self, like: SSAValue, value: float) -> SSAValue:
        """A scalar of the element type of `like`."""
        return self.emit(nn.FillOp, type=nn.with_shape(like, ()), value=float(value))

    def reshaped(self, x: SSAValue, shape: Sequence[int]) -> SSAValue:
        """`x` under another shape; `x` itself where the shape is its own."""
        if tuple(shape) == nn.shape_of(x):
            return x
        return self.emit(nn.ReshapeOp, x, type=nn.with_shape(x, shape))

    def cast(self, x: SSAValue, element: Any) -> SSAValue:
        """`x` with elements of the type `element`; `x` itself where it has them."""
        type = nn.tensor(element, nn.shape_of(x))
        return x if x.type == type else self.emit(nn.CastOp, x, type=type)


def axis_within(axis: int, rank: int) -> int:
    """`axis` counted from the front; Unreadable where a tensor of `rank` has none such."""
    if not -rank <= axis < rank:
        raise Unreadable(f"axis {axis} is outside rank {rank}")
    return axis % rank


def axes_within(axes: Sequence[int], rank: int) -> tuple[int, ...]:
    """`axes` counted from the front; Unreadable where one is none of a tensor of `rank`, or is named twice."""
    found = tuple(axis_within(each, rank) for each in axes)
    twice = [axis for i, axis in enumerate(found) if axis in found[:i]]
    if twice:
        raise Unreadable(f"it names axis {twice[0]} twice")
    return found


def element_named(onnx_type: int) -> Any:
    """Our element type for ONNX's number of one; Unreadable where there is none."""
    from onnx import TensorProto, helper

    try:
        found = element_type(helper.tensor_dtype_to_np_dtype(onnx_type))
    except (KeyError, TypeError, ValueError):
        found = None
    if found is None:
        name = TensorProto.DataType.Name(onnx_type) if onnx_type in TensorProto.DataType.values() else onnx_type
        raise Unreadable(f"elements of type {name} are not supported")
    return found


def name_loc(name: str) -> NameLoc:
    """The location that says `name` and nothing more: an ONNX file has no lines."""
    return NameLoc(StringAttr(name), NoneAttr())


def node_label(index: int, proto: Any) -> str:
    """The node's name, or its operator and position where it has none."""
    return proto.name or f"{proto.op_type}_{index}"
