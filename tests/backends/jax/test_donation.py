"""Caches that a network writes into and gives back: XLA writes in place, and what the caller holds stays as it is."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from dovetail.backends.jax.program import build_program
from dovetail.ir.read.jaxpr import read_jax

CACHE = np.zeros((2, 8, 4), np.float32)
NEW = np.ones((2, 1, 4), np.float32)


def decode(keys: jax.Array, values: jax.Array, new: jax.Array, place: jax.Array) -> tuple[jax.Array, ...]:
    """Both caches with `new` at `place`, and what comes of them; `new` is of no output's kind."""
    keys = jax.lax.dynamic_update_slice_in_dim(keys, new, place, axis=1)
    values = jax.lax.dynamic_update_slice_in_dim(values, 2 * new, place, axis=1)
    return (jax.nn.softmax(keys) * values).sum(axis=1), keys, values


def test_caches_are_written_in_place_and_other_inputs_are_not() -> None:
    program = build_program(read_jax(decode, (CACHE, CACHE, NEW, np.int32(3))), "decode")
    assert '@partial(jax.jit, donate_argnames=["keys", "values"])' in program.sources["decode.py"]
    namespace: dict[str, object] = {"__file__": "decode.py"}
    exec(program.sources["decode.py"], namespace)
    shapes = [jax.ShapeDtypeStruct(x.shape, x.dtype) for x in (CACHE, CACHE, NEW, np.zeros((), np.int32))]
    compiled = namespace["decode"].lower({}, *shapes).compile()  # type: ignore[attr-defined]
    (aliases,) = [line for line in compiled.as_text().splitlines() if "input_output_alias" in line]
    assert "{1}: (0, {}, may-alias), {2}: (1, {}, may-alias) }" in aliases


def test_what_the_caller_holds_stays_as_it_is() -> None:
    program = build_program(read_jax(decode, (CACHE, CACHE, NEW, np.int32(3))), "decode")
    keys, values = jnp.array(CACHE), CACHE.copy()
    for _ in range(2):
        _, made, doubled = program(keys, values, NEW, np.int32(3))
        assert made.sum() == NEW.size
        assert doubled.sum() == 2 * NEW.size
        assert np.asarray(keys).sum() == values.sum() == 0


def test_a_residual_of_the_same_shape_is_no_cache() -> None:
    source = build_program(read_jax(lambda x: x + jnp.tanh(x), (CACHE,)), "residual").sources["residual.py"]
    assert "@jax.jit\ndef residual(" in source
    assert "donate" not in source
