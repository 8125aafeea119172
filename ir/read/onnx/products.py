"""Products of matrices."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from xdsl.ir import SSAValue

from ... import nn
from .node import Handler, Node, Result, Unreadable


def _matmul(node: Node) -> Result:
    """As numpy: a vector is a row on the left and a column on the right, and its axis goes again."""
    a, b = node.tensors()
    return matmul(node, a, b)


def matmul(node: Node, a: SSAValue, b: SSAValue) -> SSAValue:
    """The product of `a` and `b`, either of which may be a vector."""
    left, right = nn.shape_of(a), nn.shape_of(b)
    if len(left) == 1:
        a = node.reshaped(a, (1, *left))
    if len(right) == 1:
        b = node.reshaped(b, (*right, 1))
    product = node.emit(nn.MatmulOp, a, b)
    shape = nn.shape_of(product)
    if len(left) == 1:
        shape = (*shape[:-2], *shape[-1:])
    if len(right) == 1:
        shape = shape[:-1]
    return node.reshaped(product, shape)


def _gemm(node: Node) -> Result:
    a, b, bias = node.tensor(0), node.tensor(1), node.optional(2)
    alpha, beta = node.attribute("alpha", 1.0), node.attribute("beta", 1.0)
    if alpha != 1.0:
        a = node.emit(nn.MulOp, a, node.fill(a, alpha))
    if beta == 0.0:
        bias = None  # what is left out may be infinite
    elif bias is not None and beta != 1.0:
        bias = node.emit(nn.MulOp, bias, node.fill(bias, beta))
    transposes = {"transpose_a": node.attribute("transA", 0), "transpose_b": node.attribute("transB", 0)}
    return node.emit(nn.GemmOp, a, b, bias, **transposes)


def _einsum(node: Node) -> Result:
    """One or two inputs, each letter once in each; letters of one alone that are not asked for are summed first."""
    written, arrow, result = node.text("equation", "").replace(" ", "").partition("->")
    terms = written.split(",")
    plain = arrow and len(terms) <= 2 and "." not in written and all(len({*t}) == len(t) for t in (*terms, result))
    if not plain or not {*result} <= {*written}:
        raise Unreadable("only one or two tensors, each letter once in each and the result spelt out, are supported")
    others = [*terms[1:], "", ""]
    summed = [
        _summed(node, x, t, {*result, *others[i]} if i == 0 else {*result, *terms[0]})
        for i, (x, t) in enumerate(zip(node.tensors(), terms, strict=True))
    ]
    made, letters = summed[0] if len(summed) == 1 else _contracted(node, *summed[0], *summed[1], result)
    return node.emit(nn.TransposeOp, made, permutation=[letters.index(c) for c in result])


def _summed(node: Node, x: SSAValue, letters: str, kept: set[str]) -> tuple[SSAValue, str]:
    """`x` without the axes that are not `kept`."""
    axes = tuple(i for i, c in enumerate(letters) if c not in kept)
    if not axes:
        return x, letters
    shape = nn.shape_of(x)
    total = node.emit(nn.ReduceOp, x, kind="sum", axes=axes)
    return node.reshaped(total, [n for i, n in enumerate(shape) if i not in axes]), "".join(
        c for c in letters if c in kept
    )


def _contracted(node: Node, a: SSAValue, left: str, b: SSAValue, right: str, result: str) -> tuple[SSAValue, str]:
    """The product with axes (batch, rows, columns), and their letters."""
    sizes = dict(zip(left, nn.shape_of(a), strict=True)) | dict(zip(right, nn.shape_of(b), strict=True))
    batch = [c for c in result if c in left and c in right]
    rows, columns = [c for c in left if c not in right], [c for c in right if c not in left]
    inner = [c for c in left if c in right and c not in result]
    a = node.emit(nn.TransposeOp, a, permutation=[left.index(c) for c in (*batch, *rows, *inner)])
    b = node.emit(nn.TransposeOp, b, permutation=[right.index(c) for c in (*batch, *inner, *columns)])
    m, k, n = (prod(sizes[c] for c in letters) for letters in (rows, inner, columns))
    outer = [sizes[c] for c in batch]
    product = node.emit(nn.MatmulOp, node.reshaped(a, (*outer, m, k)), node.reshaped(b, (*outer, k, n)))
    made = "".join((*batch, *rows, *columns))
    return node.reshaped(product, [sizes[c] for c in made]), made


OPERATORS: Mapping[str, Handler] = {"Einsum": _einsum, "Gemm": _gemm, "MatMul": _matmul}
