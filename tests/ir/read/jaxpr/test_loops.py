"""Loops of no turns, and of turns that are known, are what JAX makes of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from dovetail.ir.diagnostics import InputError
from dovetail.ir.interpret import interpret
from dovetail.ir.read.jaxpr import read_jax

X = np.arange(6, dtype=np.float32).reshape(2, 3)
LOOPS: dict[str, Callable[[Any], Any]] = {
    "scan of no length": lambda x: lax.scan(lambda c, _: (c + 1, c * 2), x, None, length=0),
    "scan over nothing": lambda x: lax.scan(lambda c, v: (c + v, (v, jnp.int32(3))), x[0], x[:0]),
    "map over nothing": lambda x: lax.map(lambda v: v * 2, x[:0]),
    "loop of no turns": lambda x: lax.fori_loop(3, 1, lambda i, c: c + i, x),
    "while of no turns": lambda x: lax.while_loop(lambda c: c[0] < 0, lambda c: (c[0] + 1, c[1] * 2), (0, x)),
    "while of three turns": lambda x: lax.while_loop(lambda c: c[0] < 3, lambda c: (c[0] + 1, c[1] * 2), (0, x)),
}


@pytest.mark.parametrize("name", LOOPS)
def test_loops_of_known_turns(name: str) -> None:
    network = read_jax(LOOPS[name], (X,))
    expected = jax.tree_util.tree_leaves(LOOPS[name](X))
    found = interpret(network.module, [X], network.weights)
    for array, wanted in zip(found, expected, strict=True):
        assert array.shape == wanted.shape
        np.testing.assert_allclose(array, wanted, rtol=1e-6)


@pytest.mark.parametrize(
    ("loop", "message"),
    [
        (lambda x: lax.while_loop(lambda c: c.sum() < 99, lambda c: c * 2 + 1, x), "depends on the input"),
        (lambda x: lax.while_loop(lambda c: c[0] < 999, lambda c: (c[0] + 1, c[1]), (0, x))[1], "more than 256 times"),
        (lambda x: None, "returns no array"),
    ],
)
def test_what_cannot_be_read_of_loops_is_told(loop: Callable[[Any], Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_jax(loop, (X,))
