"""Kernels in Pallas's interpreter, two cores side by side, with races looked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest


@pytest.fixture
def interpreted() -> Callable[..., np.ndarray]:
    """`interpreted(kernel, *arrays, **given)`: what the kernel gives; fails where two cores race."""
    from jax._src.pallas.mosaic.interpret import interpret_pallas_call as interpreter
    from jax.experimental.pallas import tpu as pltpu

    def run(kernel: Callable[..., Any], *arrays: Any, races: bool = False, **given: Any) -> np.ndarray:
        params = pltpu.InterpretParams(detect_races=True, num_cores_or_threads=2)
        found = np.asarray(kernel(*arrays, interpret=params, **given))
        assert interpreter.races is not None
        assert interpreter.races.races_found == races
        return found

    return run
