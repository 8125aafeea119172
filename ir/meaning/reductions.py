"""Reductions, searches and running sums."""

from __future__ import annotations

import numpy as np

from .. import nn
from .meaning import Array, Meanings


def _softmax(op: nn.SoftmaxOp, x: Array) -> Array:
    axis = nn.integer(op.axis)
    powers = np.exp(x - x.max(axis=axis, keepdims=True, initial=-np.inf))
    return powers / powers.sum(axis=axis, keepdims=True)


def _reduce(op: nn.ReduceOp, x: Array) -> Array:
    axes = nn.ints(op.axes)
    least, greatest = nn.least_and_greatest(op.type.element_type)
    match op.kind.data:
        case "max":
            return x.max(axis=axes, keepdims=True, initial=least)
        case "min":
            return x.min(axis=axes, keepdims=True, initial=greatest)
        case kind:
            return {"sum": np.sum, "mean": np.mean, "prod": np.prod}[kind](x, axis=axes, keepdims=True)


def _arg_max(op: nn.ArgMaxOp, x: Array) -> Array:
    return x.argmax(axis=nn.integer(op.axis), keepdims=True)


def _top_k(op: nn.TopKOp, x: Array) -> tuple[Array, Array]:
    axis, k = nn.integer(op.axis), nn.integer(op.k)
    falling = -x if x.dtype.kind == "f" else ~x  # of integers one has no negative
    order = np.argsort(falling, axis=axis, kind="stable")  # equal elements stay in order
    chosen = order.take(range(k), axis=axis)
    return np.take_along_axis(x, chosen, axis), chosen


def _cum_sum(op: nn.CumSumOp, x: Array) -> Array:
    axis = nn.integer(op.axis)
    x = np.flip(x, axis) if nn.integer(op.reverse) else x
    if nn.integer(op.exclusive) and x.shape[axis]:
        nothing = np.zeros_like(x.take([0], axis=axis))
        x = np.concatenate([nothing, x.take(range(x.shape[axis] - 1), axis=axis)], axis=axis)
    total = x.cumsum(axis=axis)
    return np.flip(total, axis) if nn.integer(op.reverse) else total


MEANING: Meanings = {
    nn.SoftmaxOp: _softmax,
    nn.ReduceOp: _reduce,
    nn.ArgMaxOp: _arg_max,
    nn.TopKOp: _top_k,
    nn.CumSumOp: _cum_sum,
}
