"""Every ONNX operator that is read, and what reads it."""

from __future__ import annotations

from collections.abc import Mapping

from . import constants, indexing, layout, norms, products, quantise, reductions, scalars, windows
from .node import Handler

OPERATORS: Mapping[str, Handler] = {
    **constants.OPERATORS,
    **scalars.OPERATORS,
    **windows.OPERATORS,
    **products.OPERATORS,
    **norms.OPERATORS,
    **reductions.OPERATORS,
    **layout.OPERATORS,
    **indexing.OPERATORS,
    **quantise.OPERATORS,
}
