"""Products of matrices against JAX in float64."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from dovetail.ir import nn


@pytest.mark.parametrize(
    ("a", "b"),
    [((2, 3), (3, 4)), ((2, 1, 3, 4), (5, 4, 6)), ((1, 0), (0, 2)), ((0, 3, 4), (4, 1)), ((4, 1), (2, 1, 3))],
)
def test_matmul_is_that_of_jax(a, b, result, x64) -> None:
    import jax.numpy as jnp

    rng = np.random.default_rng(1)
    x, y = rng.normal(size=a), rng.normal(size=b)
    np.testing.assert_allclose(result(nn.MatmulOp, x, y), jnp.matmul(x, y), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(("transpose_a", "transpose_b"), list(product((0, 1), (0, 1))))
def test_gemm_is_that_of_onnx(transpose_a: int, transpose_b: int, result, ort) -> None:
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(4, 3) if transpose_a else (3, 4)), rng.normal(size=(5, 4) if transpose_b else (4, 5))
    for bias in ((), (1,), (5,), (3, 1), (3, 5)):
        c = rng.normal(size=bias)
        (expected,) = ort("Gemm", a, b, c, transA=transpose_a, transB=transpose_b)
        got = result(nn.GemmOp, a, b, c, transpose_a=transpose_a, transpose_b=transpose_b)
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-14)
