"""Interpolation along an axis as places that are read and what they weigh, known when code is emitted."""

from __future__ import annotations

import numpy as np

from ...ir import nn

Tap = tuple[np.ndarray, np.ndarray]
"""for each element of the result a place of the input, and its weight"""


def taps(op: nn.ResizeOp, n: int, m: int, scale: float) -> list[Tap]:
    """The taps of an axis that grows from n to m, as ONNX's Resize has them; those past the ends are at the edge."""
    at = _coordinates(op.coordinates.data, n, m, scale)
    below = np.floor(at)
    t = at - below
    match op.mode.data:
        case "linear":
            found = [(below, 1 - t), (below + 1, t)]
        case "cubic":
            found = [(below + j, _keys(np.abs(t - j), nn.number(op.cubic))) for j in (-1, 0, 1, 2)]
        case _:
            found = [(_nearest(op.rounding.data, at), np.ones(m))]
    return [(np.clip(place, 0, n - 1).astype(np.int64), weight) for place, weight in found]


def _coordinates(kind: str, n: int, m: int, scale: float) -> np.ndarray:
    i = np.arange(m, dtype=np.float64)
    if kind == "asymmetric":
        return i / scale
    if kind == "align_corners":
        return i * ((n - 1) / max(1, m - 1))
    if kind == "pytorch_half_pixel" and m == 1:
        return np.zeros(1)
    moved = (n - m / scale) / 2 if kind == "half_pixel_symmetric" else 0.0
    return (i + 0.5) / scale - 0.5 + moved


def _keys(d: np.ndarray, a: float) -> np.ndarray:
    """The cubic kernel at distance d (Keys 1981, eq. 15)."""
    inner = (a + 2) * d**3 - (a + 3) * d**2 + 1
    outer = a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a
    return np.where(d <= 1, inner, outer)


def _nearest(rounding: str, at: np.ndarray) -> np.ndarray:
    ways = {"floor": np.floor(at), "ceil": np.ceil(at), "round_prefer_ceil": np.floor(at + 0.5)}
    return ways.get(rounding, np.ceil(at - 0.5))
