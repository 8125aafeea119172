"""A chain of scalar functions as one op."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import ArrayAttr, DenseArrayBase, StringAttr, i64
from xdsl.ir import ParametrizedAttribute
from xdsl.irdl import attr_def, irdl_attr_definition, irdl_op_definition, param_def, result_def, var_operand_def
from xdsl.utils.exceptions import VerifyException

from .base import Shape, Tensor, TensorOp, ints, require, same_element_type, shape_of, tensor_type, with_shape
from .scalars import ELEMENTWISE, KINDS
from .shapes import broadcast


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
    (C5) Every function is of the element type of the operands.
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
        element = tensor_type(self.operands[0]).element_type
        for kind in {kind for kind, _ in self.chain}:
            of = ELEMENTWISE[kind].OF
            require(KINDS[of](element), f"(C5) `{kind}` is of {of}, not of {element}")
        return with_shape(self.operands[0], broadcast([shape_of(o) for o in self.operands]))


OPS = (FusedElementwiseOp,)
