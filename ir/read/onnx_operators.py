"""What each ONNX operator becomes in the nn dialect; attributes mean what the ONNX operator pages say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np
from xdsl.ir import SSAValue

from .. import nn
from .onnx import Node, Unreadable

LARGEST_CONSTANT = 2**28
"""elements of a constant that is made while reading"""

Result = SSAValue | np.ndarray
Handler = Callable[[Node], Result]


def _elementwise(op: type[nn.TensorOp]) -> Handler:
    return lambda node: node.emit(op, *node.tensors())


def _chain(op: type[nn.TensorOp]) -> Handler:
    """Sum, Max and Min take any number of inputs; ours take two."""

    def read(node: Node) -> Result:
        result, *rest = node.tensors()
        for value in rest:
            result = node.emit(op, result, value)
        return result

    return read


def _fill_like(node: Node, like: SSAValue, value: float) -> SSAValue:
    return node.emit(nn.FillOp, type=nn.with_shape(like, ()), value=float(value))


def _clip(node: Node) -> Result:
    result = node.tensor(0)
    for index, name, op in ((1, "min", nn.MaxOp), (2, "max", nn.MinOp)):
        bound = node.attribute(name)
        if node.has(index):
            result = node.emit(op, result, node.tensor(index))
        elif bound is not None:
            result = node.emit(op, result, _fill_like(node, result, bound))
    return result


def _leaky_relu(node: Node) -> Result:
    x, slope = node.tensor(0), node.attribute("alpha", 0.01)
    if not 0 <= slope <= 1:
        raise Unreadable(f"alpha {slope} is outside 0..1")
    return node.emit(nn.MaxOp, x, node.emit(nn.MulOp, x, _fill_like(node, x, slope)))


def _axis(axis: int, rank: int) -> int:
    """`axis` counted from the front; Unreadable where a tensor of `rank` has none such."""
    if not -rank <= axis < rank:
        raise Unreadable(f"axis {axis} is outside rank {rank}")
    return axis % rank


def _pads(node: Node, size: nn.Shape, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]) -> Any:
    """The four pads that `auto_pad` or `pads` ask for."""
    mode = node.attribute("auto_pad", b"NOTSET").decode()
    if mode in ("NOTSET", ""):
        return tuple(node.attribute("pads", (0, 0, 0, 0)))
    if mode == "VALID":
        return (0, 0, 0, 0)
    if mode not in ("SAME_UPPER", "SAME_LOWER"):
        raise Unreadable(f"`auto_pad` {mode} is not known")
    if not (len(size) == len(kernel) == len(strides) == len(dilations) and min(strides) >= 1):
        raise Unreadable(f"a window {tuple(kernel)} with strides {tuple(strides)} does not slide over an image")
    before, after = [], []
    for n, k, s, d in zip(size, kernel, strides, dilations, strict=True):
        total = max((-(-n // s) - 1) * s + d * (k - 1) + 1 - n, 0)
        less, more = total // 2, total - total // 2
        before.append(more if mode == "SAME_LOWER" else less)
        after.append(less if mode == "SAME_LOWER" else more)
    return (*before, *after)


def _image_size(node: Node) -> nn.Shape:
    shape = nn.shape_of(node.tensor(0))
    if len(shape) != 4:
        raise Unreadable(f"its input has rank {len(shape)}, only images (n, c, h, w) are supported")
    return shape[2:]


def _conv(node: Node) -> Result:
    weights = node.tensor(1)
    size, kernel = _image_size(node), nn.shape_of(weights)[2:]
    strides, dilations = node.attribute("strides", (1, 1)), node.attribute("dilations", (1, 1))
    return node.emit(
        nn.ConvOp,
        node.tensor(0),
        weights,
        node.tensor(2) if node.has(2) else None,
        strides=strides,
        pads=_pads(node, size, kernel, strides, dilations),
        dilations=dilations,
        groups=node.attribute("group", 1),
    )


def _pool(op: type[nn.PoolOp]) -> Handler:
    def read(node: Node) -> Result:
        size, kernel = _image_size(node), node.attribute("kernel_shape")
        strides = node.attribute("strides", (1, 1))
        if node.attribute("ceil_mode", 0):
            raise Unreadable("`ceil_mode` is not supported")
        if tuple(node.attribute("dilations", (1, 1))) != (1, 1):
            raise Unreadable("`dilations` are not supported")
        given: dict[str, Any] = {"kernel": kernel, "strides": strides}
        if op is nn.AveragePoolOp:
            given["count_pads"] = node.attribute("count_include_pad", 0)
        return node.emit(op, node.tensor(0), pads=_pads(node, size, kernel, strides, (1, 1)), **given)

    return read


def _global_pool(kind: str) -> Handler:
    def read(node: Node) -> Result:
        rank = len(nn.shape_of(node.tensor(0)))
        return node.emit(nn.ReduceOp, node.tensor(0), kind=kind, axes=range(2, rank))

    return read


def _gemm(node: Node) -> Result:
    a, b, bias = node.tensor(0), node.tensor(1), node.tensor(2) if node.has(2) else None
    alpha, beta = node.attribute("alpha", 1.0), node.attribute("beta", 1.0)
    if alpha != 1.0:
        a = node.emit(nn.MulOp, a, _fill_like(node, a, alpha))
    if bias is not None and beta != 1.0:
        bias = node.emit(nn.MulOp, bias, _fill_like(node, bias, beta))
    transposes = {"transpose_a": node.attribute("transA", 0), "transpose_b": node.attribute("transB", 0)}
    return node.emit(nn.GemmOp, a, b, bias, **transposes)


def _batch_norm(node: Node) -> Result:
    if node.attribute("training_mode", 0):
        raise Unreadable("`training_mode` is not supported")
    return node.emit(nn.BatchNormOp, *node.tensors(), epsilon=float(node.attribute("epsilon", 1e-5)))


def _softmax(node: Node) -> Result:
    """Before opset 13 the axes from `axis` on are one; from 13 on `axis` is the only one."""
    x = node.tensor(0)
    shape = nn.shape_of(x)
    axis = _axis(node.attribute("axis", 1 if node.opset < 13 else -1), len(shape))
    if node.opset >= 13 or axis == len(shape) - 1:
        return node.emit(nn.SoftmaxOp, x, axis=axis)
    flat = _reshape_to(node, x, (prod(shape[:axis]), prod(shape[axis:])))
    return _reshape_to(node, node.emit(nn.SoftmaxOp, flat, axis=1), shape)


def _reduce(kind: str) -> Handler:
    def read(node: Node) -> Result:
        x = node.tensor(0)
        shape = nn.shape_of(x)
        axes = _axes(node, len(shape))
        if not axes and not node.attribute("noop_with_empty_axes", 0):
            axes = tuple(range(len(shape)))
        reduced = node.emit(nn.ReduceOp, x, kind=kind, axes=axes)
        if node.attribute("keepdims", 1):
            return reduced
        return _reshape_to(node, reduced, [size for i, size in enumerate(shape) if i not in axes])

    return read


def _axes(node: Node, rank: int) -> nn.Shape:
    """The axes an operator names, as an attribute in old opsets and as an input in new ones."""
    given = node.constant(1).tolist() if node.has(1) else node.attribute("axes", ())
    return tuple(sorted(_axis(int(a), rank) for a in given))


def _reshape_to(node: Node, x: SSAValue, shape: Sequence[int]) -> SSAValue:
    return node.emit(nn.ReshapeOp, x, type=nn.with_shape(x, shape))


def _reshape(node: Node) -> Result:
    x, wanted = node.tensor(0), [int(n) for n in node.constant(1).ravel()]
    old = nn.shape_of(x)
    if not node.attribute("allowzero", 0):
        wanted = [old[i] if n == 0 and i < len(old) else n for i, n in enumerate(wanted)]
    known = prod(n for n in wanted if n != -1)
    return _reshape_to(node, x, [prod(old) // max(known, 1) if n == -1 else n for n in wanted])


def _flatten(node: Node) -> Result:
    x = node.tensor(0)
    shape = nn.shape_of(x)
    axis = node.attribute("axis", 1)
    axis = axis if axis == len(shape) else _axis(axis, len(shape))
    return _reshape_to(node, x, (prod(shape[:axis]), prod(shape[axis:])))


def _squeeze(node: Node) -> Result:
    x = node.tensor(0)
    shape = nn.shape_of(x)
    axes = _axes(node, len(shape)) or tuple(i for i, size in enumerate(shape) if size == 1)
    return _reshape_to(node, x, [size for i, size in enumerate(shape) if i not in axes])


def _unsqueeze(node: Node) -> Result:
    x = node.tensor(0)
    given = node.constant(1).tolist() if node.has(1) else node.attribute("axes", ())
    shape = list(nn.shape_of(x))
    rank = len(shape) + len(given)
    for axis in sorted(_axis(int(a), rank) for a in given):
        shape.insert(axis, 1)
    return _reshape_to(node, x, shape)


def _transpose(node: Node) -> Result:
    rank = len(nn.shape_of(node.tensor(0)))
    return node.emit(nn.TransposeOp, node.tensor(0), permutation=node.attribute("perm", range(rank - 1, -1, -1)))


def _concat(node: Node) -> Result:
    rank = len(nn.shape_of(node.tensor(0)))
    return node.emit(nn.ConcatOp, *node.tensors(), axis=_axis(node.attribute("axis"), rank))


def _constant(node: Node) -> Result:
    from onnx import numpy_helper

    tensor = node.attribute("value")
    if tensor is None:
        raise Unreadable("only constants given as a tensor are supported")
    return numpy_helper.to_array(tensor)


def _constant_of_shape(node: Node) -> Result:
    from onnx import numpy_helper

    tensor = node.attribute("value")
    value = np.zeros(1, np.float32) if tensor is None else numpy_helper.to_array(tensor)
    shape = tuple(int(n) for n in node.constant(0))
    if any(n < 0 for n in shape) or prod(shape) > LARGEST_CONSTANT:
        raise Unreadable(f"a constant of shape {shape} cannot be made")
    return np.full(shape, value.ravel()[0], value.dtype)


OPERATORS: dict[str, Handler] = {
    "Add": _elementwise(nn.AddOp),
    "AveragePool": _pool(nn.AveragePoolOp),
    "BatchNormalization": _batch_norm,
    "Clip": _clip,
    "Concat": _concat,
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "Conv": _conv,
    "Div": _elementwise(nn.DivOp),
    "Dropout": lambda node: node.tensor(0),
    "Erf": _elementwise(nn.ErfOp),
    "Exp": _elementwise(nn.ExpOp),
    "Flatten": _flatten,
    "Gemm": _gemm,
    "GlobalAveragePool": _global_pool("mean"),
    "GlobalMaxPool": _global_pool("max"),
    "Identity": lambda node: node.tensor(0),
    "LeakyRelu": _leaky_relu,
    "Log": _elementwise(nn.LogOp),
    "MatMul": _elementwise(nn.MatmulOp),
    "Max": _chain(nn.MaxOp),
    "MaxPool": _pool(nn.MaxPoolOp),
    "Min": _chain(nn.MinOp),
    "Mul": _elementwise(nn.MulOp),
    "Neg": _elementwise(nn.NegOp),
    "ReduceMax": _reduce("max"),
    "ReduceMean": _reduce("mean"),
    "ReduceSum": _reduce("sum"),
    "Relu": _elementwise(nn.ReluOp),
    "Reshape": _reshape,
    "Sigmoid": _elementwise(nn.SigmoidOp),
    "Softmax": _softmax,
    "Sqrt": _elementwise(nn.SqrtOp),
    "Squeeze": _squeeze,
    "Sub": _elementwise(nn.SubOp),
    "Sum": _chain(nn.AddOp),
    "Tanh": _elementwise(nn.TanhOp),
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
"""ONNX operator -> what reads it."""
