"""Normalisation."""

from __future__ import annotations

import numpy as np

from .. import nn
from .meaning import Array, Meanings


def _batch_norm(op: nn.BatchNormOp, x: Array, *parameters: Array) -> Array:
    scale, bias, mean, variance = (_by_channel(p, x) for p in parameters)
    return (x - mean) / np.sqrt(variance + nn.number(op.epsilon)) * scale + bias


def _layer_norm(op: nn.LayerNormOp, x: Array, scale: Array | None = None, bias: Array | None = None) -> Array:
    normal = _normal(x, tuple(range(nn.integer(op.axis), x.ndim)), nn.number(op.epsilon))
    normal = normal if scale is None else normal * scale
    return normal if bias is None else normal + bias


def _rms_norm(op: nn.RmsNormOp, x: Array, scale: Array | None = None) -> Array:
    square = np.mean(x * x, axis=tuple(range(nn.integer(op.axis), x.ndim)), keepdims=True)
    normal = x / np.sqrt(square + nn.number(op.epsilon))
    return normal if scale is None else normal * scale


def _group_norm(op: nn.GroupNormOp, x: Array, scale: Array, bias: Array) -> Array:
    batch, channels, *rest = x.shape
    groups = nn.integer(op.groups)
    apart = x.reshape(batch, groups, channels // groups, *rest)
    normal = _normal(apart, tuple(range(2, apart.ndim)), nn.number(op.epsilon)).reshape(x.shape)
    return normal * _by_channel(scale, x) + _by_channel(bias, x)


def _normal(x: Array, axes: tuple[int, ...], epsilon: float) -> Array:
    """`x` with mean 0 and variance 1 along `axes`, but for `epsilon`."""
    mean = x.mean(axis=axes, keepdims=True)
    variance = np.mean((x - mean) ** 2, axis=axes, keepdims=True)
    return (x - mean) / np.sqrt(variance + epsilon)


def _by_channel(vector: Array, x: Array) -> Array:
    """`vector` (c) as it broadcasts to `x` (n, c, ...)."""
    return vector.reshape(-1, *[1] * (x.ndim - 2))


MEANING: Meanings = {
    nn.BatchNormOp: _batch_norm,
    nn.LayerNormOp: _layer_norm,
    nn.RmsNormOp: _rms_norm,
    nn.GroupNormOp: _group_norm,
}
