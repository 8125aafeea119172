"""A whole tensor graph in numbers: its work, its weights, and what its activations take at most."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from xdsl.dialects.builtin import IntegerType, bf16, f8E4M3FN, f8E5M2, f16, i8
from xdsl.ir import Attribute, Operation, SSAValue

from ..ir import nn
from .cost import Cost, cost_of
from .rules import elements, tensor_bytes
from .rules.kernel import makes_weight_wide

PRECISIONS: dict[Attribute, str] = {
    bf16: "bf16", f16: "fp16", f8E4M3FN: "fp8", f8E5M2: "fp8", i8: "int8", IntegerType(4): "int4",
}  # fmt: skip


def total(network: nn.NnModule) -> Cost:
    """The work of one run of `network`; NoCostRule where an op has no rule."""
    return sum((cost_of(op) for op in nn.body_of(network.module)), start=Cost())


def weight_bytes(network: nn.NnModule) -> int:
    """[bytes] of the weights that `network` uses, each name once; those of less than a byte are packed."""
    return sum(tensor_bytes(op.result) for op in _weights(network))


def parameters(network: nn.NnModule) -> int:
    """Elements of the weights that `network` uses, each name once; scales and zeros of quantised weights are none."""
    return sum(elements(op.result) for op in _weights(network) if not _is_of_quantisation(op))


def precision(network: nn.NnModule) -> str:
    """The number format of most elements of weights, as the cost model calls it; fp32 for those without a name."""
    elements_of: dict[Attribute, int] = {}
    for op in _weights(network):
        kind = op.type.element_type
        elements_of[kind] = elements_of.get(kind, 0) + elements(op.result)
    most = max(elements_of, key=lambda kind: elements_of[kind], default=None)
    return PRECISIONS.get(most, "fp32") if most is not None else "fp32"


def computed_in(network: nn.NnModule) -> str:
    """
    The number format of the operands of most flops, whatever weights are kept in; fp32 for those without a name.

    One rate stands for all ops: what computes otherwise, as norms, takes its time in memory.
    """
    flops_in: dict[Attribute, float] = {}
    for op in nn.body_of(network.module):
        if op.operands and not makes_weight_wide(op):
            kind = nn.tensor_type(op.operands[0]).element_type
            flops_in[kind] = flops_in.get(kind, 0.0) + cost_of(op).flops
    most = max(flops_in, key=lambda kind: flops_in[kind], default=None)
    return PRECISIONS.get(most, "fp32") if most is not None else "fp32"


def _weights(network: nn.NnModule) -> Iterable[nn.WeightOp]:
    return {op.weight.data: op for op in nn.body_of(network.module) if isinstance(op, nn.WeightOp)}.values()


def _is_of_quantisation(op: nn.WeightOp) -> bool:
    return any(isinstance(use.operation, nn.DequantiseOp) and use.index > 0 for use in op.result.uses)


def activation_bytes(network: nn.NnModule) -> int:
    """
    [bytes] of the tensors that live at once, at the worst op, when ops run in file order.

    max over ops t of the sum of bytes of all tensors with born <= t <= last use. Inputs are born before the first
    op, outputs live to the end, an op's operands and result live together; weights are left out, and a reshape
    shares the memory of its operand.
    """
    block = nn.main_of(network.module).body.block
    steps = list(block.ops)
    last = {root: step for step, op in enumerate(steps) for root in _roots(op.operands)}
    live = sum(tensor_bytes(arg) for arg in block.args)
    peak = live
    for step, op in enumerate(steps):
        if _has_memory(op):
            live += tensor_bytes(op.results[0])
        peak = max(peak, live)
        gone = {root for root in _roots((*op.operands, *op.results)) if last.get(root, step) == step}
        live -= sum(tensor_bytes(root) for root in gone)
    return peak


def _has_memory(op: Operation) -> bool:
    return bool(op.results) and not isinstance(op, nn.WeightOp | nn.ReshapeOp) and not makes_weight_wide(op)


def _roots(values: Iterable[SSAValue]) -> Iterator[SSAValue]:
    """The values whose memory `values` are, weights left out."""
    for value in values:
        while isinstance(value.owner, nn.ReshapeOp):
            value = value.owner.x
        if not isinstance(value.owner, nn.WeightOp) and not makes_weight_wide(value.owner):
            yield value
