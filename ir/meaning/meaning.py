"""What a meaning is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from xdsl.ir import Operation

Array = np.ndarray
Meaning = Callable[..., Any]
"""Called with the op and its operands in float64; gives the result, or a tuple where there are several."""
Meanings = Mapping[type[Operation], Meaning]
