"""Reductions, searches and running sums against onnxruntime in float64 and against JAX."""

from __future__ import annotations

import numpy as np
import pytest

from dovetail.ir import nn

SHAPES = [(4,), (3, 5), (2, 1, 4), (2, 3, 1, 5)]


def ties(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    """Few different numbers, so that many are equal."""
    return np.random.default_rng(seed).integers(-2, 3, shape).astype(np.float64)


@pytest.mark.parametrize("kind", ["sum", "mean", "max", "min", "prod"])
@pytest.mark.parametrize("shape", SHAPES)
def test_reductions_are_those_of_onnx(kind: str, shape, result, ort) -> None:
    rng = np.random.default_rng(len(shape))
    x = rng.normal(size=shape)
    axes = tuple(sorted(rng.permutation(len(shape))[: rng.integers(1, len(shape) + 1)].tolist()))
    (expected,) = ort(f"Reduce{kind.title()}", x, np.array(axes))
    np.testing.assert_allclose(result(nn.ReduceOp, x, kind=kind, axes=axes), expected, rtol=1e-12, atol=1e-15)
    np.testing.assert_array_equal(result(nn.ReduceOp, x, kind=kind, axes=()), x)


@pytest.mark.parametrize("kind", ["sum", "max", "min", "prod"])
def test_nothing_reduces_to_what_changes_nothing(kind: str, result, x64) -> None:
    import jax.numpy as jnp

    x = np.zeros((3, 0))
    start = {"max": {"initial": -np.inf}, "min": {"initial": np.inf}}.get(kind, {})
    expected = getattr(jnp, kind)(x, axis=1, keepdims=True, **start)
    np.testing.assert_array_equal(result(nn.ReduceOp, x, kind=kind, axes=(1,)), expected)


@pytest.mark.parametrize(("kind", "named"), [("max", "any"), ("min", "all")])
def test_largest_and_smallest_truth_are_any_and_all(kind: str, named: str, result, x64) -> None:
    import jax.numpy as jnp

    x = np.array([[0, 0, 1], [0, 0, 0], [1, 1, 1]], dtype=bool)
    expected = getattr(jnp, named)(x, axis=1, keepdims=True)
    np.testing.assert_array_equal(result(nn.ReduceOp, x, kind=kind, axes=(1,)), expected)


@pytest.mark.parametrize("shape", SHAPES)
def test_softmax_is_that_of_jax_and_of_onnx(shape, result, ort, x64) -> None:
    import jax

    x = np.random.default_rng(1).normal(size=shape) * 30
    for axis in range(len(shape)):
        got = result(nn.SoftmaxOp, x, axis=axis)
        np.testing.assert_allclose(got, jax.nn.softmax(x, axis), rtol=1e-12)
        np.testing.assert_allclose(got, ort("Softmax", x, axis=axis)[0], rtol=1e-12)
    assert result(nn.SoftmaxOp, x[:0], axis=0).shape == (0, *shape[1:])


@pytest.mark.parametrize("shape", SHAPES)
def test_arg_max_takes_the_first_of_equal_ones(shape, result, ort) -> None:
    for axis in range(len(shape)):
        x = ties(axis, shape)
        (expected,) = ort("ArgMax", x, axis=axis)
        np.testing.assert_array_equal(result(nn.ArgMaxOp, x, axis=axis), expected)


@pytest.mark.parametrize("shape", SHAPES)
def test_top_k_is_that_of_onnx_and_of_jax_with_ties(shape, results, ort, x64) -> None:
    from jax import lax

    for axis in range(len(shape)):
        x = ties(axis, shape)
        for k in range(1, shape[axis] + 1):
            values, indices = results(nn.TopKOp, x, axis=axis, k=k)
            by_onnx = ort("TopK", x, np.array([k]), axis=axis, outputs=2)
            by_jax = (np.asarray(a).swapaxes(-1, axis) for a in lax.top_k(x.swapaxes(-1, axis), k))
            for expected in (by_onnx, by_jax):
                for got, want in zip((values, indices), expected, strict=True):
                    np.testing.assert_array_equal(got, want)
    assert [a.shape for a in results(nn.TopKOp, np.zeros(shape), axis=0, k=0)] == [(0, *shape[1:])] * 2


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("exclusive", [0, 1])
@pytest.mark.parametrize("reverse", [0, 1])
def test_running_sums_are_those_of_onnx(shape, exclusive: int, reverse: int, result, ort) -> None:
    x = np.random.default_rng(2).normal(size=shape)
    for axis in range(len(shape)):
        (expected,) = ort("CumSum", x, np.array(axis), exclusive=exclusive, reverse=reverse)
        got = result(nn.CumSumOp, x, axis=axis, exclusive=exclusive, reverse=reverse)
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-14)
    assert result(nn.CumSumOp, x[:0], axis=0, exclusive=exclusive, reverse=reverse).shape == (0, *shape[1:])
