"""Networks written by hand in JAX, and a way to hold what was read of a function against the function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dovetail.ir.interpret import interpret
from dovetail.ir.read.jaxpr import read_jax


@pytest.fixture
def agrees() -> Callable[..., Any]:
    """Reads a function, verifies the module, and compares the meaning with what JAX computes."""

    def check(function: Callable[..., Any], *inputs: Any, tolerance: float = 2e-5) -> Any:
        import jax

        network = read_jax(function, inputs)
        network.module.verify()
        leaves = [np.asarray(each) for each in jax.tree.leaves(inputs)]
        found = interpret(network.module, leaves, network.weights)
        wanted = [np.asarray(each, dtype=np.float64) for each in jax.tree.leaves(jax.jit(function)(*inputs))]
        assert len(found) == len(wanted) == len(network.output_names)
        for ours, theirs in zip(found, wanted, strict=True):
            assert ours.shape == theirs.shape
            np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)
        return network

    return check
