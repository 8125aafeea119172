"""Normalisation, softmax and reductions."""

from __future__ import annotations

import numpy as np

from .. import nn
from .meaning import Array, Meanings


def _batch_norm(op: nn.BatchNormOp, x: Array, *parameters: Array) -> Array:
    channels = (-1, *[1] * (x.ndim - 2))
    scale, bias, mean, variance = (p.reshape(channels) for p in parameters)
    return (x - mean) / np.sqrt(variance + nn.number(op.epsilon)) * scale + bias


def _softmax(op: nn.SoftmaxOp, x: Array) -> Array:
    axis = nn.integer(op.axis)
    powers = np.exp(x - x.max(axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)


def _reduce(op: nn.ReduceOp, x: Array) -> Array:
    functions = {"sum": np.sum, "mean": np.mean, "max": np.max}
    return functions[op.kind.data](x, axis=nn.ints(op.axes), keepdims=True)


MEANING: Meanings = {nn.BatchNormOp: _batch_norm, nn.SoftmaxOp: _softmax, nn.ReduceOp: _reduce}
