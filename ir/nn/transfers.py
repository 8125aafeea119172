"""What passes between pieces of a network that stand on different devices."""

from __future__ import annotations

from xdsl.dialects.builtin import StringAttr
from xdsl.irdl import attr_def, irdl_op_definition, operand_def, result_def

from .base import Tensor, TensorOp, require, tensor_type


@irdl_op_definition
class TransferOp(TensorOp):
    """
    The same tensor where another piece can use it.

        %y = "nn.transfer"(%x) {source = "p0", target = "p2"} : (tensor<2x8xf32>) -> tensor<2x8xf32>

    (C1) Source and target are two names.
    """

    name = "nn.transfer"
    x = operand_def()
    source = attr_def(StringAttr)
    target = attr_def(StringAttr)
    result = result_def()

    def infer(self) -> Tensor:
        source, target = self.source.data, self.target.data
        require(bool(source and target) and source != target, f"(C1) `{source}` to `{target}` is no way between pieces")
        return tensor_type(self.x)


OPS = (TransferOp,)
