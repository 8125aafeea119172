"""
The work of each nn op.

Conventions, for all rules: flops are dense, a multiplication and an addition are two, and every scalar function counts
one, whatever its hardware takes (as in XLA's `HloCostAnalysis`, which counts transcendental functions apart). Each
operand is read once and the result written once, at its own size before broadcasting: what a kernel with perfect reuse
moves, so a lower bound. One op is one launch; views and values known beforehand are none.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from xdsl.dialects.builtin import FixedBitwidthType
from xdsl.ir import Operation, SSAValue

from ..ir import nn
from .cost import Cost, CostRule


def tensor_bytes(value: SSAValue) -> int:
    """[bytes] of the tensor `value`."""
    element = nn.tensor_type(value).element_type
    assert isinstance(element, FixedBitwidthType)
    return elements(value) * element.size


def elements(value: SSAValue) -> int:
    """Number of elements of the tensor `value`."""
    return prod(nn.shape_of(value))


def _kernel(op: Operation, flops: float) -> Cost:
    """One launch that does `flops`, reads every operand once (one used twice, once) and writes the result."""
    read = sum(tensor_bytes(o) for o in dict.fromkeys(op.operands))
    return Cost(flops, read, tensor_bytes(op.results[0]), 1)


def elementwise(op: nn.ElementwiseOp) -> Cost:
    """flops = elements of the result."""
    return _kernel(op, elements(op.results[0]))


def fused_elementwise(op: nn.FusedElementwiseOp) -> Cost:
    """flops = steps x elements of the result: a step on operands that broadcast is done again for each element."""
    return _kernel(op, len(op.steps) * elements(op.result))


def conv2d(op: nn.Conv2dOp) -> Cost:
    """
    flops = 2 n m oh ow (c / groups) kh kw, and n m oh ow more with a bias.

    Taps on the padding count, since kernels do them; XLA's cost analysis leaves them out.
    """
    taps = prod(nn.shape_of(op.w)[1:])
    return _kernel(op, elements(op.result) * (2 * taps + (op.bias is not None)))


def max_pool(op: nn.MaxPoolOp) -> Cost:
    """flops = n c oh ow (kh kw - 1) comparisons."""
    return _kernel(op, elements(op.result) * (prod(nn.ints(op.kernel)) - 1))


def average_pool(op: nn.AveragePoolOp) -> Cost:
    """flops = n c oh ow kh kw: kh kw - 1 additions and a division."""
    return _kernel(op, elements(op.result) * prod(nn.ints(op.kernel)))


def matmul(op: nn.MatmulOp) -> Cost:
    """flops = 2 b m n k, b being the product of the broadcast axes."""
    return _kernel(op, 2 * elements(op.result) * nn.shape_of(op.a)[-1])


def gemm(op: nn.GemmOp) -> Cost:
    """flops = 2 m n k, and m n more with a bias."""
    inner = nn.shape_of(op.a)[0 if nn.integer(op.transpose_a) else 1]
    return _kernel(op, elements(op.result) * (2 * inner + (op.bias is not None)))


def batch_norm(op: nn.BatchNormOp) -> Cost:
    """
    flops = 2 n c ... + 5 c: a scale and a shift of each element, after working them out for each channel
    (add epsilon, 1 / sqrt, times scale; times mean, from bias).
    """
    return _kernel(op, 2 * elements(op.result) + 5 * elements(op.scale))


def softmax(op: nn.SoftmaxOp) -> Cost:
    """flops = 5 e - 2 r for e elements in r rows: maximum and sum take e - r each; subtract, exp and divide e."""
    size = nn.shape_of(op.x)[nn.integer(op.axis)]
    rows = elements(op.x) // size if size else 0
    return _kernel(op, 5 * elements(op.x) - 2 * rows)


def reduce(op: nn.ReduceOp) -> Cost:
    """flops = e - o for e elements reduced to o; a mean divides too, so e."""
    divisions = elements(op.result) if op.kind.data == "mean" else 0
    return _kernel(op, elements(op.x) - elements(op.result) + divisions)


def move(op: Operation) -> Cost:
    """flops = 0; all operands are read and the result is written."""
    return _kernel(op, 0)


def slice_(op: nn.SliceOp) -> Cost:
    """flops = 0; as much is read as written, not the whole operand."""
    size = tensor_bytes(op.result)
    return Cost(0, size, size, 1)


def fill(op: nn.FillOp) -> Cost:
    """flops = 0; nothing is read. A scalar stands in its user's code and costs nothing."""
    return Cost(0, 0, tensor_bytes(op.result), 1) if nn.shape_of(op.result) else Cost()


def free(op: Operation) -> Cost:
    """No work: a weight is there before the run (its users read it), a reshape is the same memory."""
    return Cost()


RULES: Mapping[type[Operation], CostRule] = {
    **dict.fromkeys((*nn.UNARY, *nn.BINARY), elementwise),
    nn.FusedElementwiseOp: fused_elementwise,
    nn.Conv2dOp: conv2d,
    nn.MaxPoolOp: max_pool,
    nn.AveragePoolOp: average_pool,
    nn.MatmulOp: matmul,
    nn.GemmOp: gemm,
    nn.BatchNormOp: batch_norm,
    nn.SoftmaxOp: softmax,
    nn.ReduceOp: reduce,
    nn.BroadcastOp: move,
    nn.TransposeOp: move,
    nn.ConcatOp: move,
    nn.SliceOp: slice_,
    nn.FillOp: fill,
    nn.WeightOp: free,
    nn.ReshapeOp: free,
}
"""Op class -> its rule."""
