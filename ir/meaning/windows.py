"""Convolution and pooling: one pass over the places in the window, each a strided view of the padded input."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product

import numpy as np

from .. import nn
from .meaning import Array, Meanings


def _windows(x: Array, op: nn.WindowOp, kernel: nn.Shape, pad_value: float) -> Iterator[Array]:
    """For each place in the window, the last axis fastest, the elements that stand there as the window slides."""
    _, strides, dilations, pads = op.window(kernel)
    count, rank = nn.shape_of(op.results[0])[2:], len(kernel)
    around = [(0, 0), (0, 0), *zip(pads[:rank], pads[rank:], strict=True)]
    padded = np.pad(x, around, constant_values=pad_value)
    for place in product(*map(range, kernel)):
        first = [i * d for i, d in zip(place, dilations, strict=True)]
        last = [f + s * (n - 1) + 1 for f, s, n in zip(first, strides, count, strict=True)]
        yield padded[(..., *(slice(*view) for view in zip(first, last, strides, strict=True)))]


def _conv(op: nn.ConvOp, x: Array, w: Array, bias: Array | None = None) -> Array:
    groups, (batch, filters, *size) = nn.integer(op.groups), nn.shape_of(op.result)
    taps = w.reshape(groups, filters // groups, w.shape[1], math.prod(w.shape[2:]))
    out = np.zeros((batch, groups, filters // groups, math.prod(size)), x.dtype)
    for tap, window in enumerate(_windows(x, op, w.shape[2:], 0.0)):
        out += taps[..., tap] @ window.reshape(batch, groups, w.shape[1], math.prod(size))
    return _with_bias(out.reshape(batch, filters, *size), bias)


def _conv_transpose(op: nn.ConvTransposeOp, x: Array, w: Array, bias: Array | None = None) -> Array:
    size, strides, dilations, pads = op.window(w.shape[2:])
    groups, (batch, filters, *wanted) = nn.integer(op.groups), nn.shape_of(op.result)
    given = x.reshape(batch, groups, x.shape[1] // groups, math.prod(size))
    taps = w.reshape(groups, x.shape[1] // groups, w.shape[1], *w.shape[2:])
    # All that any tap reaches, before `pads` are cut off and up to the end that is asked for.
    whole = [
        max(s * (n - 1) + d * (k - 1) + 1, pad + o)
        for s, n, d, k, pad, o in zip(strides, size, dilations, w.shape[2:], pads, wanted, strict=False)
    ]
    out = np.zeros((batch, filters, *whole), x.dtype)
    for place in product(*map(range, w.shape[2:])):
        tap = taps[(..., *place)].swapaxes(1, 2)  # (groups, m / groups, c / groups)
        first = [i * d for i, d in zip(place, dilations, strict=True)]
        last = [f + s * (n - 1) + 1 for f, s, n in zip(first, strides, size, strict=True)]
        there = (..., *(slice(*view) for view in zip(first, last, strides, strict=True)))
        out[there] += (tap @ given).reshape(batch, filters, *size)
    inside = (..., *(slice(pad, pad + n) for pad, n in zip(pads, wanted, strict=False)))
    return _with_bias(out[inside], bias)


def _with_bias(out: Array, bias: Array | None) -> Array:
    return out if bias is None else out + bias.reshape(-1, *[1] * (out.ndim - 2))


def _max_pool(op: nn.MaxPoolOp, x: Array) -> Array:
    least, _ = nn.least_and_greatest(op.type.element_type)
    out = np.full(nn.shape_of(op.result), least, x.dtype)
    for window in _windows(x, op, nn.ints(op.kernel), least):
        np.maximum(out, window, out=out)
    return out


def _average_pool(op: nn.AveragePoolOp, x: Array) -> Array:
    kernel = nn.ints(op.kernel)
    total = sum(_windows(x, op, kernel, 0.0), start=np.zeros(nn.shape_of(op.result)))
    if nn.integer(op.count_pads):
        return total / math.prod(kernel)
    ones = np.ones((1, 1, *x.shape[2:]))
    count = sum(_windows(ones, op, kernel, 0.0), start=np.zeros((1, 1, *total.shape[2:])))
    return total / count


MEANING: Meanings = {
    nn.ConvOp: _conv,
    nn.ConvTransposeOp: _conv_transpose,
    nn.MaxPoolOp: _max_pool,
    nn.AveragePoolOp: _average_pool,
}
