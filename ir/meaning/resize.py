"""Interpolation, one axis after another: each element of the result is a sum of weighted elements of the input."""

from __future__ import annotations

import numpy as np

from .. import nn
from .meaning import Array, Meanings


def _resize(op: nn.ResizeOp, x: Array) -> Array:
    for axis, size, scale in zip(nn.ints(op.axes), nn.ints(op.sizes), op.factors(), strict=True):
        at = _places(op.coordinates.data, x.shape[axis], size, scale)
        places, weights = _taps(op, at)
        shape = (-1, *[1] * (x.ndim - axis - 1))
        parts = [
            x.take(np.clip(place, 0, x.shape[axis] - 1), axis=axis) * weight.reshape(shape)
            for place, weight in zip(places, weights, strict=True)
        ]
        x = sum(parts[1:], start=parts[0])
    return x


def _places(coordinates: str, n: int, m: int, scale: float) -> Array:
    """Where in an axis of `n` each of `m` elements lies."""
    i = np.arange(m, dtype=np.float64)
    match coordinates:
        case "asymmetric":
            return i / scale
        case "align_corners":
            return i * (n - 1) / (m - 1) if m > 1 else 0.0 * i
        case "pytorch_half_pixel" if m == 1:
            return 0.0 * i
        case "half_pixel_symmetric":
            middle = n / 2 * (1 - m / (n * scale))
            return middle + (i + 0.5) / scale - 0.5
        case _:
            return (i + 0.5) / scale - 0.5


def _taps(op: nn.ResizeOp, at: Array) -> tuple[list[Array], list[Array]]:
    """The places that each element of the result is made of, and the weights of what stands there."""
    floor = np.floor(at)
    low, t = floor.astype(np.int64), at - floor
    match op.mode.data:
        case "linear":
            return [low, low + 1], [1 - t, t]
        case "cubic":
            a = nn.number(op.cubic)
            return [low - 1, low, low + 1, low + 2], [_far(1 + t, a), _near(t, a), _near(1 - t, a), _far(2 - t, a)]
        case _:
            return [_rounded(op.rounding.data, at).astype(np.int64)], [np.ones_like(at)]


def _near(d: Array, a: float) -> Array:
    """The cubic kernel at distance d <= 1 (Keys 1981, eq. 15)."""
    return ((a + 2) * d - (a + 3)) * d * d + 1


def _far(d: Array, a: float) -> Array:
    """The cubic kernel at distance 1 <= d <= 2."""
    return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a


def _rounded(rounding: str, at: Array) -> Array:
    match rounding:
        case "floor":
            return np.floor(at)
        case "ceil":
            return np.ceil(at)
        case "round_prefer_ceil":
            return np.floor(at + 0.5)
        case _:
            return np.ceil(at - 0.5)


MEANING: Meanings = {nn.ResizeOp: _resize}
