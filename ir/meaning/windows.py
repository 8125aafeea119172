"""Convolution and pooling: one pass over the places in the window, each a strided view of the padded input."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from .. import nn
from .meaning import Array, Meanings


def _windows(x: Array, op: nn.WindowOp, kernel: nn.Shape, dilations: nn.Shape, pad_value: float) -> Iterator[Array]:
    """For each place (row by row) in the window, the elements that stand there as the window slides."""
    top, left, bottom, right = nn.ints(op.pads)
    (down, across), (rows, cols) = nn.ints(op.strides), nn.shape_of(op.results[0])[2:]
    padded = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=pad_value)
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            y0, x0 = i * dilations[0], j * dilations[1]
            yield padded[:, :, y0 : y0 + down * (rows - 1) + 1 : down, x0 : x0 + across * (cols - 1) + 1 : across]


def _conv2d(op: nn.Conv2dOp, x: Array, w: Array, bias: Array | None = None) -> Array:
    groups, (batch, filters, rows, cols) = nn.integer(op.groups), nn.shape_of(op.result)
    kernel = (w.shape[2], w.shape[3])
    taps = w.reshape(groups, filters // groups, w.shape[1], -1)
    out = np.zeros((batch, groups, filters // groups, rows * cols))
    for tap, window in enumerate(_windows(x, op, kernel, nn.ints(op.dilations), 0.0)):
        out += taps[..., tap] @ window.reshape(batch, groups, w.shape[1], rows * cols)
    out = out.reshape(batch, filters, rows, cols)
    return out if bias is None else out + bias[:, None, None]


def _max_pool(op: nn.MaxPoolOp, x: Array) -> Array:
    out = np.full(nn.shape_of(op.result), -np.inf)
    for window in _windows(x, op, nn.ints(op.kernel), (1, 1), -np.inf):
        np.maximum(out, window, out=out)
    return out


def _average_pool(op: nn.AveragePoolOp, x: Array) -> Array:
    kernel = nn.ints(op.kernel)
    total = sum(_windows(x, op, kernel, (1, 1), 0.0), start=np.zeros(nn.shape_of(op.result)))
    if nn.integer(op.count_pads):
        return total / math.prod(kernel)
    ones = np.ones((1, 1, *x.shape[2:]))
    count = sum(_windows(ones, op, kernel, (1, 1), 0.0), start=np.zeros((1, 1, *total.shape[2:])))
    return total / count


MEANING: Meanings = {nn.Conv2dOp: _conv2d, nn.MaxPoolOp: _max_pool, nn.AveragePoolOp: _average_pool}
