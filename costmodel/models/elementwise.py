"""Minimum and maximum of figures that are single numbers or numpy arrays, without numpy where they are numbers."""

from __future__ import annotations

from typing import Any, TypeAlias

Values: TypeAlias = Any
"""a number, or a numpy array of them"""


def least(a: Values, b: Values) -> Values:
    """The smaller of two figures, element by element where they are arrays."""
    if isinstance(a, int | float) and isinstance(b, int | float):
        return min(a, b)
    import numpy as np  # slow to import; plain numbers do without

    return np.minimum(a, b)


def most(a: Values, b: Values) -> Values:
    """The larger of two figures, element by element where they are arrays."""
    if isinstance(a, int | float) and isinstance(b, int | float):
        return max(a, b)
    import numpy as np

    return np.maximum(a, b)
