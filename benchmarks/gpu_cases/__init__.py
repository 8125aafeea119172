"""The cases of `gpu.py`: what kernels are given, what that means in float64, and what torch has for it."""

from __future__ import annotations

from . import attention, products, rows
from .case import Case, Rival, Spec

SPECS = (*products.SPECS, *attention.SPECS, *rows.SPECS)

__all__ = ["SPECS", "Case", "Rival", "Spec"]
