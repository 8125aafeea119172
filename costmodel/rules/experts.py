"""Mixture of experts: the work of experts that take a token, and no others.

Equations are numbered as in `docs/math/work.md`.
"""

from __future__ import annotations

from ...ir import nn
from ..cost import Cost
from .kernel import Rules, elements, kernel, read_bytes, tensor_bytes


def route(op: nn.RouteOp) -> Cost:
    """
    flops = t (5 e - 2 + k e + [bias] e + 2 k) for t tokens and e experts; e in place of 5 e - 2 for a sigmoid.
    Equation (26).

    Softmax as `nn.softmax`; each pick compares all experts; the weights picked are summed and divided. Groups compare
    each expert once more.
    """
    (tokens, experts), picked = nn.shape_of(op.logits), nn.integer(op.k)
    score = 5 * experts - 2 if op.score.data == "softmax" else experts
    compared = (picked + (nn.integer(op.groups) > 1)) * experts
    return kernel(op, tokens * (score + compared + (op.bias is not None) * experts + 2 * picked))


def dispatch(op: nn.DispatchOp) -> Cost:
    """flops = 0; every operand is read, the rows, their order and the sizes are written."""
    return kernel(op, 0)


def grouped_matmul(op: nn.GroupedMatmulOp) -> Cost:
    """
    flops = 2 r k n: a row meets the matrix of one expert. Matrices of experts without a row are not read.

    Equation (27).
    """
    inner, experts = nn.shape_of(op.rows)[1], nn.shape_of(op.w)[0]
    touched = read_bytes(op.w) * touched_experts(op) / experts
    read = tensor_bytes(op.rows) + touched + tensor_bytes(op.sizes)
    return Cost(2 * elements(op.result) * inner, read, tensor_bytes(op.result), 1)


def touched_experts(op: nn.GroupedMatmulOp) -> float:
    """
    Expected number of experts that get a row, where t tokens each pick k of e evenly: e (1 - (1 - k / e)^t).
    Equation (28).

    Where the rows do not come from an `nn.dispatch`, the most that there can be: the smaller of rows and experts.
    """
    experts, source = nn.shape_of(op.w)[0], op.sizes.owner
    if not isinstance(source, nn.DispatchOp):
        return min(experts, nn.shape_of(op.rows)[0])
    tokens, picks = nn.shape_of(source.experts)
    return experts * (1 - (1 - min(picks / experts, 1)) ** tokens)


def combine(op: nn.CombineOp) -> Cost:
    """
    flops = 2 r w - t w for r rows of width w and t tokens: a product for each element, and the sums.

    Equation (29).
    """
    return kernel(op, 2 * elements(op.y) - elements(op.result))


RULES: Rules = {
    nn.RouteOp: route,
    nn.DispatchOp: dispatch,
    nn.GroupedMatmulOp: grouped_matmul,
    nn.CombineOp: combine,
}
