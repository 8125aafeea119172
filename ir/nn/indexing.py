"""Reading and writing by index, and the indices themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from xdsl.dialects.builtin import IntegerAttr, StringAttr
from xdsl.ir import SSAValue
from xdsl.irdl import attr_def, irdl_op_definition, operand_def, result_def

from .base import AttributeLike, Tensor, TensorOp, require, shape_of, tensor_type, with_shape
from .elements import is_integer, is_number
from .shapes import axis_of


@irdl_op_definition
class GatherOp(TensorOp):
    """
    Slices of the input along `axis`, in the order of `indices`, whose axes take its place: an embedding with axis 0.

        %y = "nn.gather"(%x, %i) {axis = 0 : i64} : (tensor<100x8xf32>, tensor<2x4xi64>) -> tensor<2x4x8xf32>

    An index below 0 counts from the end. Outside of the axis a float is not a number, an integer the least one of its
    type, or if it has no sign the greatest, and a truth value 1.

    (C1) 0 <= axis < rank. (C2) The indices are integers of 2 bits or more.
    """

    name = "nn.gather"
    x = operand_def()
    indices = operand_def()
    axis = attr_def(IntegerAttr)
    result = result_def()

    def infer(self) -> Tensor:
        axis, shape = axis_of(self.axis, self.x, 1), shape_of(self.x)
        require_indices(self.indices, 2)
        return with_shape(self.x, (*shape[:axis], *shape_of(self.indices), *shape[axis + 1 :]))


@irdl_op_definition
class GatherElementsOp(TensorOp):
    """
    For each of `indices`, the element of the input at the same place but for `axis`, where the index says.

        %y = "nn.gather_elements"(%x, %i) {axis = 1 : i64} : (tensor<2x8xf32>, tensor<2x3xi64>) -> tensor<2x3xf32>

    An index below 0 counts from the end. Outside of the axis a float is not a number, an integer the least one of its
    type, or if it has no sign the greatest, and a truth value 1.

    (C1) 0 <= axis < rank. (C2) The indices are integers of 2 bits or more.
    (C3) The indices have the rank of the input, and outside `axis` no axis larger than its.
    """

    name = "nn.gather_elements"
    x = operand_def()
    indices = operand_def()
    axis = attr_def(IntegerAttr)
    result = result_def()

    def infer(self) -> Tensor:
        axis, shape, wanted = axis_of(self.axis, self.x, 1), shape_of(self.x), shape_of(self.indices)
        require_indices(self.indices, 2)
        require(
            len(wanted) == len(shape)
            and all(w == s or w <= s for i, (w, s) in enumerate(zip(wanted, shape, strict=True)) if i != axis),
            f"(C3) indices {wanted} do not lie in {shape}",
        )
        return with_shape(self.x, wanted)


@irdl_op_definition
class ScatterOp(TensorOp):
    """
    The input with slices along `axis` replaced by those of `updates` (set), or these added to them (add).

        %y = "nn.scatter"(%x, %i, %u) {axis = 0 : i64, kind = "set"}
             : (tensor<100x8xf32>, tensor<4xi64>, tensor<4x8xf32>) -> tensor<100x8xf32>

    The slice that `nn.gather` would read for an index is the one that is written; an index outside writes nothing. An
    index below 0 counts from the end; with set no index may stand twice.

    (C1) 0 <= axis < rank. (C2) The indices are integers of 2 bits or more. (C3) `kind` is set or add.
    (C4) The updates have the type of a gather of the input.
    """

    name = "nn.scatter"
    DEFAULTS: ClassVar[Mapping[str, AttributeLike]] = {"kind": "set"}
    x = operand_def()
    indices = operand_def()
    updates = operand_def()
    axis = attr_def(IntegerAttr)
    kind = attr_def(StringAttr)
    result = result_def()

    def infer(self) -> Tensor:
        axis, shape = axis_of(self.axis, self.x, 1), shape_of(self.x)
        require_indices(self.indices, 2)
        require(self.kind.data in ("set", "add"), f"(C3) `{self.kind.data}` is neither set nor add")
        gathered = with_shape(self.x, (*shape[:axis], *shape_of(self.indices), *shape[axis + 1 :]))
        require(self.updates.type == gathered, f"(C4) the updates are {self.updates.type}, must be {gathered}")
        return tensor_type(self.x)


@irdl_op_definition
class IotaOp(TensorOp):
    """
    Each element's place along `axis`; the type is given.

        %i = "nn.iota"() {axis = 1 : i64} : () -> tensor<2x8xi64>

    (C1) 0 <= axis < rank. (C2) The result is of numbers.
    """

    name = "nn.iota"
    axis = attr_def(IntegerAttr)
    result = result_def()

    def infer(self) -> Tensor:
        axis_of(self.axis, self.result, 1)
        require(is_number(self.type.element_type), f"(C2) there are no places of {self.type.element_type}")
        return self.type


def require_indices(indices: SSAValue, number: int) -> None:
    """Raise VerifyException unless `indices` are integers; `number` is that of the constraint."""
    element = tensor_type(indices).element_type
    require(is_integer(element) and is_number(element), f"(C{number}) indices of {element}, must be integers")


OPS = (GatherOp, GatherElementsOp, ScatterOp, IotaOp)
