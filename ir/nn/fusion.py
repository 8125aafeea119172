"""Several ops as one kernel."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import LocationAttr
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.irdl import irdl_op_definition, region_def, traits_def, var_operand_def, var_result_def
from xdsl.traits import IsolatedFromAbove, NoTerminator

from .base import Tensor, TensorOp, require, tensor_type


@irdl_op_definition
class FusionOp(TensorOp):
    """
    The ops of the region in one launch: what is between them never reaches memory. Block arguments are the operands,
    results are those of the last op.

        %y = "nn.fusion"(%x, %w, %b) ({
        ^bb0(%x0 : tensor<4x8xf32>, %w0 : tensor<8x3xf32>, %b0 : tensor<3xf32>):
          %p = "nn.matmul"(%x0, %w0) : (tensor<4x8xf32>, tensor<8x3xf32>) -> tensor<4x3xf32>
          %s = "nn.add"(%p, %b0) : (tensor<4x3xf32>, tensor<3xf32>) -> tensor<4x3xf32>
        }) : (tensor<4x8xf32>, tensor<8x3xf32>, tensor<3xf32>) -> tensor<4x3xf32>

    (C1) Block arguments have the types of the operands. (C2) The region holds an op, and nn ops alone, without weights
    and without another fusion. (C3) Every op but the last is used, and in the region.
    """

    name = "nn.fusion"
    inputs = var_operand_def()
    outputs = var_result_def()
    body = region_def("single_block")
    traits = traits_def(NoTerminator(), IsolatedFromAbove())

    @staticmethod
    def around(ops: Sequence[Operation], location: LocationAttr | None = None) -> FusionOp:
        """
        One op that does `ops`, given in order; the results are those of the last. `ops` are left as they are.

        Operands are what `ops` use from outside, each once, in order of first use.
        """
        inside = set(ops)
        used = dict.fromkeys(o for op in ops for o in op.operands)
        inputs = [value for value in used if value.owner not in inside]
        block = Block(arg_types=[value.type for value in inputs])
        values: dict[SSAValue, SSAValue] = dict(zip(inputs, block.args, strict=True))
        for value, arg in zip(inputs, block.args, strict=True):
            arg.name_hint = value.name_hint
        for op in ops:
            block.add_op(op.clone(values))
        types = [result.type for result in ops[-1].results]
        made = FusionOp.create(operands=inputs, result_types=types, regions=[Region(block)], location=location)
        made.verify_()
        return made

    @property
    def steps(self) -> list[Operation]:
        """The ops inside, in order."""
        return list(self.body.block.ops)

    def infer(self) -> tuple[Tensor, ...]:
        given, args = [o.type for o in self.operands], [a.type for a in self.body.block.args]
        require(given == args, "(C1) block arguments differ from the operands in number or type")
        steps = self.steps
        allowed = all(isinstance(s, TensorOp) and s.operands and not isinstance(s, FusionOp) for s in steps[:-1])
        allowed = allowed and bool(steps) and isinstance(steps[-1], TensorOp) and not isinstance(steps[-1], FusionOp)
        require(allowed, "(C2) a fusion holds at least one op, and nn ops on operands alone")
        used = {operand for step in steps for operand in step.operands}
        for step in steps[:-1]:
            require(any(r in used for r in step.results), f"(C3) `{step.name}` inside a fusion is not used")
        return tuple(tensor_type(result) for result in steps[-1].results)


OPS = (FusionOp,)
