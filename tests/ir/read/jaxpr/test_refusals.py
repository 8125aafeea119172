"""What cannot be read of a function is told, all of it at once, with the lines it stands in."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dovetail.ir.diagnostics import InputError
from dovetail.ir.read.jaxpr import read_jax

X = np.ones((4, 4), np.float32)
KEY = jax.random.key(0)


def test_all_primitives_that_cannot_be_read_are_listed_with_their_lines() -> None:
    def function(x):
        triangle = jnp.linalg.cholesky(x)
        waves = jnp.fft.fft(x).real
        return triangle + waves

    with pytest.raises(InputError) as raised:
        read_jax(function, (X,))
    text = str(raised.value)
    assert "`cholesky` in `function` cannot be read" in text
    assert "`fft` in `function` cannot be read" in text
    assert f"{__file__}:" in text


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (lambda x: jax.lax.while_loop(lambda c: c.sum() < 9, lambda c: c + 1, x), "turns depends on the input"),
        (lambda x: jax.lax.cond(x.sum() > 0, jnp.sin, jnp.cos, x), "which branch is taken depends on the input"),
        (lambda x: x[jnp.arange(2), jnp.arange(2)] + x[(x > 0).argmax(0)[:2], jnp.arange(2)], "several axes at once"),
        (lambda x: jax.lax.scan(lambda c, _: (c + 1, None), x, length=1000)[0], "more than 256"),
        (lambda x: jax.lax.pad(x, 0.0, ((0, 0, 1), (0, 0, 0))), "pads between elements"),
        (lambda x: x + jax.random.normal(jax.random.PRNGKey(0), x.shape), "`random_bits` .* no nn operator"),
        (lambda x: x + jax.random.normal(KEY, x.shape), "no array of numbers: key"),
        (lambda x: jax.lax.reduce_precision(x, 8, 7), "8 bits of exponents and 7 of mantissas: use `astype`"),
        (lambda x: x.astype(jnp.int32) // 0, "`div` .* it divides integers by 0"),
        (lambda x: jax.lax.rem(x.astype(jnp.int32), np.array([[1, 2, 0, 3]] * 4)), "`rem` .* it divides integers by 0"),
        (lambda x: jnp.searchsorted(jnp.arange(5.0), x), "`gather` .* reads windows"),
    ],
)
def test_what_has_no_counterpart_says_why(function, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        read_jax(function, (X,))


def test_a_function_that_cannot_be_traced_is_told_without_a_traceback() -> None:
    def broken(x):
        return x @ jnp.ones((3, 3))

    with pytest.raises(InputError, match=r"JAX cannot trace `broken`: dot_general requires"):
        read_jax(broken, (X,))


def test_a_random_key_as_input_is_told() -> None:
    with pytest.raises(InputError, match="no elements of type key"):
        read_jax(lambda key: jax.random.normal(key, (3,)), (KEY,))


def test_an_input_of_elements_that_nn_lacks_is_told() -> None:
    with pytest.raises(InputError, match="no elements of type complex64"):
        read_jax(lambda x: x, (X.astype(np.complex64),))
