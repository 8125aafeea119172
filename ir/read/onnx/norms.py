"""Normalisation and softmax."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from xdsl.ir import SSAValue

from ... import nn
from .node import Handler, Node, Result, Unreadable


def _epsilon(node: Node) -> float:
    return float(node.attribute("epsilon", 1e-5))


def _batch_norm(node: Node) -> Result:
    if node.attribute("training_mode", 0):
        raise Unreadable("`training_mode` is not supported")
    return node.emit(nn.BatchNormOp, *node.tensors(), epsilon=_epsilon(node))


def _layer_norm(node: Node) -> Result:
    """The mean and one over the deviation are computed beside it where they are asked for."""
    x, axis, epsilon = node.tensor(0), node.axis(node.attribute("axis", -1)), _epsilon(node)
    y = node.emit(nn.LayerNormOp, x, node.tensor(1), node.optional(2), axis=axis, epsilon=epsilon)
    if not any(node.proto.output[1:]):
        return y
    axes = tuple(range(axis, len(nn.shape_of(x))))
    mean = node.emit(nn.ReduceOp, x, kind="mean", axes=axes)
    off = node.emit(nn.SubOp, x, mean)
    variance = node.emit(nn.ReduceOp, node.emit(nn.MulOp, off, off), kind="mean", axes=axes)
    return [y, mean, node.emit(nn.RsqrtOp, node.emit(nn.AddOp, variance, node.fill(x, epsilon)))]


def _rms_norm(node: Node) -> Result:
    axis = node.axis(node.attribute("axis", -1))
    return node.emit(nn.RmsNormOp, node.tensor(0), node.tensor(1), axis=axis, epsilon=_epsilon(node))


def _instance_norm(node: Node) -> Result:
    channels = node.shape()[1]
    return node.emit(nn.GroupNormOp, *node.tensors(), groups=channels, epsilon=_epsilon(node))


def _group_norm(node: Node) -> Result:
    if node.opset < 21 and node.shape(1) != node.shape()[1:2]:
        raise Unreadable("a scale for each group (before opset 21) is not supported")
    return node.emit(nn.GroupNormOp, *node.tensors(), groups=node.attribute("num_groups"), epsilon=_epsilon(node))


def _lp_norm(node: Node) -> Result:
    """x over the sum of absolutes, or the root of the sum of squares, along an axis."""
    x, axis = node.tensor(0), node.axis(node.attribute("axis", -1))
    if node.attribute("p", 2) == 1:
        size = node.emit(nn.ReduceOp, node.emit(nn.AbsOp, x), kind="sum", axes=(axis,))
    else:
        squares = node.emit(nn.ReduceOp, node.emit(nn.MulOp, x, x), kind="sum", axes=(axis,))
        size = node.emit(nn.SqrtOp, squares)
    whole = node.emit(nn.EqualOp, size, node.fill(size, 0.0))
    return node.emit(nn.DivOp, x, node.emit(nn.WhereOp, whole, node.fill(size, 1.0), size))


def _local_response_norm(node: Node) -> Result:
    """x / (bias + alpha mean)^beta, with the mean of squares over `size` neighbouring channels, 0 outside."""
    x, size = node.tensor(0), node.attribute("size")
    batch, channels, *places = nn.shape_of(x)
    squares = node.reshaped(node.emit(nn.MulOp, x, x), (batch, 1, channels, prod(places)))
    pads = ((size - 1) // 2, 0, size // 2, 0)
    mean = node.emit(nn.AveragePoolOp, squares, kernel=(size, 1), pads=pads, count_pads=1)
    scaled = node.emit(nn.MulOp, mean, node.fill(x, node.attribute("alpha", 1e-4)))
    base = node.emit(nn.AddOp, scaled, node.fill(x, node.attribute("bias", 1.0)))
    power = node.emit(nn.PowOp, base, node.fill(x, node.attribute("beta", 0.75)))
    return node.emit(nn.DivOp, x, node.reshaped(power, nn.shape_of(x)))


def _along(node: Node, make: str) -> Result:
    """Before opset 13 the axes from `axis` on are one; from 13 on `axis` is the only one."""
    x = node.tensor(0)
    shape = nn.shape_of(x)
    axis = node.axis(node.attribute("axis", 1 if node.opset < 13 else -1)) if shape else 0
    if node.opset >= 13 or axis == len(shape) - 1:
        return _softmax_of(node, x, axis, make)
    flat = node.reshaped(x, (prod(shape[:axis]), prod(shape[axis:])))
    return node.reshaped(_softmax_of(node, flat, 1, make), shape)


def _softmax_of(node: Node, x: SSAValue, axis: int, make: str) -> SSAValue:
    if make == "softmax":
        return node.emit(nn.SoftmaxOp, x, axis=axis)
    low = node.emit(nn.SubOp, x, node.emit(nn.ReduceOp, x, kind="max", axes=(axis,)))
    total = node.emit(nn.ReduceOp, node.emit(nn.ExpOp, low), kind="sum", axes=(axis,))
    return node.emit(nn.SubOp, low, node.emit(nn.LogOp, total))


OPERATORS: Mapping[str, Handler] = {
    "BatchNormalization": _batch_norm,
    "GroupNormalization": _group_norm,
    "InstanceNormalization": _instance_norm,
    "LRN": _local_response_norm,
    "LayerNormalization": _layer_norm,
    "LogSoftmax": lambda node: _along(node, "log_softmax"),
    "LpNormalization": _lp_norm,
    "RMSNormalization": _rms_norm,
    "Softmax": lambda node: _along(node, "softmax"),
}
