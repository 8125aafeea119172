"""Indices out of range: what is read means what JAX computes, in each of its modes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dovetail.ir import nn
from dovetail.ir.interpret import interpret
from dovetail.ir.read.jaxpr import read_jax

X = np.arange(1, 25, dtype=np.float32).reshape(6, 4)
PLACES = np.array([0, 5, 6, -1, -6, -7, 100, -100], np.int32)
PAIRS = np.array([[0, 3, 4], [-4, -5, 9]], np.int32)
U = np.arange(32, dtype=np.float32).reshape(8, 4)
ENDS = np.array([3, -(2**31), 2**31 - 1, 0, -5], np.int32)

CASES: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "brackets": (lambda x, i, p, k: (x[i], x[:, p], x[k], x[-k]), (X, PLACES, PAIRS, np.int32(9))),
    "take": (
        lambda x, i, p: (jnp.take(x, i, axis=0), jnp.take(x, p, axis=1), jnp.take(x > 3, i, axis=0)),
        (X, PLACES, PAIRS),
    ),
    "modes": (lambda x, i: tuple(jnp.take(x, i, axis=0, mode=mode) for mode in ("clip", "wrap", "fill")), (X, PLACES)),
    "fill": (
        lambda x, i, p: (jnp.take(x, p, axis=1, fill_value=-7.0), x.at[i].get(mode="fill", fill_value=3)),
        (X, PLACES, PAIRS),
    ),
    "integers": (lambda x, i: (jnp.take(x, i, axis=0), x.at[i].get(mode="clip")), (X.astype(np.int32), PLACES)),
    "no sign": (lambda x, i: (jnp.take(x, i, axis=0), x[i]), (X.astype(np.uint8), np.array([0, 5, 6, 255], np.uint8))),
    "narrow": (
        lambda x, i: x[i],
        (np.arange(200.0, dtype=np.float32), np.array([0, 199, 200, -1, -200, -201], np.int16)),
    ),
    "along": (
        lambda x, p: tuple(jnp.take_along_axis(x, p, 1, mode=mode) for mode in ("fill", "clip", "promise_in_bounds")),
        (X[:2], PAIRS),
    ),
    "along filled": (lambda x, p: jnp.take_along_axis(x, p, 1, mode="fill", fill_value=9.0), (X[:2], PAIRS)),
    "known": (lambda x: (x[:, jnp.array([1, 9])], jnp.take(x, jnp.array([9, 0, -1, -5]), axis=1)), (X,)),
    "written": (
        lambda x, i, u: (x.at[PLACES[2:5]].set(u[2:5]), x.at[i].add(u), x.at[i].add(u, mode="clip")),
        (X, PLACES, U),
    ),
    "windows": (lambda x, k: jax.lax.dynamic_slice_in_dim(x, k, 3, axis=0), (X, np.uint8(5))),
    "order": (lambda x: (jnp.sort(x), jnp.argmin(x), jnp.argsort(x)), (ENDS,)),
    "order without sign": (lambda x: (jnp.sort(x), jnp.argmin(x)), (np.array([3, 0, 255, 128, 127], np.uint8),)),
    "casts": (
        lambda x: tuple(x.astype(kind) for kind in (jnp.int8, jnp.uint8, jnp.int32)),
        (np.array([300, -300, np.nan, np.inf, -np.inf, 1e20, -1.5], np.float32),),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_out_of_range_is_what_jax_makes_of_it(name: str) -> None:
    function, inputs = CASES[name]
    network = read_jax(function, inputs)
    found = interpret(network.module, inputs, network.weights)
    for got, expected in zip(found, jax.tree.leaves(jax.jit(function)(*inputs)), strict=True):
        np.testing.assert_array_equal(got, np.asarray(expected).astype(got.dtype))


def test_an_index_that_jax_counts_from_the_end_is_one_gather() -> None:
    from dovetail.passes.nn import run

    network, _ = run(read_jax(lambda x, i: jnp.take(x, i, axis=0), (X, PLACES)), ["canonicalise", "remove-dead-code"])
    assert {op.name for op in nn.body_of(network.module)} <= {"nn.reshape", "nn.gather"}
