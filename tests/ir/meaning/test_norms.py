"""Normalisation against JAX in float64 and against onnxruntime."""

from __future__ import annotations

import numpy as np
import pytest

from dovetail.ir import nn

SHAPES = [(2, 6, 5), (3, 4), (1, 6, 1, 4), (2, 2, 3, 2, 3)]


def draw(seed: int, *shapes: tuple[int, ...]) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape) * 3 + 1 for shape in shapes]


@pytest.mark.parametrize("shape", SHAPES)
def test_layer_norm_is_that_of_jax(shape, result, x64) -> None:
    import jax

    for axis in range(len(shape)):
        x, scale, bias = draw(axis, shape, shape[axis:], shape[axis:])
        axes = tuple(range(axis, len(shape)))
        expected = np.asarray(jax.nn.standardize(x, axes, epsilon=1e-3))
        np.testing.assert_allclose(result(nn.LayerNormOp, x, axis=axis, epsilon=1e-3), expected, rtol=1e-12, atol=1e-14)
        got = result(nn.LayerNormOp, x, scale, axis=axis, epsilon=1e-3)
        np.testing.assert_allclose(got, expected * scale, rtol=1e-12, atol=1e-14)
        got = result(nn.LayerNormOp, x, scale, bias, axis=axis, epsilon=1e-3)
        np.testing.assert_allclose(got, expected * scale + bias, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("shape", SHAPES)
def test_layer_norm_is_that_of_onnx(shape, result, ort) -> None:
    for axis in range(len(shape)):
        x, scale, bias = draw(axis, shape, shape[axis:], shape[axis:])
        (expected,) = ort("LayerNormalization", x, scale, bias, axis=axis, epsilon=1e-5)
        got = result(nn.LayerNormOp, x, scale, bias, axis=axis, epsilon=1e-5)
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)  # epsilon is a float32 there


@pytest.mark.parametrize("shape", SHAPES)
def test_rms_norm_is_that_of_jax_and_of_onnx(shape, result, ort, x64) -> None:
    import jax.numpy as jnp
    from jax import lax

    for axis in range(len(shape)):
        x, scale = draw(axis, shape, shape[axis:])
        axes = tuple(range(axis, len(shape)))
        expected = x * lax.rsqrt(jnp.mean(jnp.square(x), axes, keepdims=True) + 1e-6)
        np.testing.assert_allclose(result(nn.RmsNormOp, x, axis=axis, epsilon=1e-6), expected, rtol=1e-12)
        got = result(nn.RmsNormOp, x, scale, axis=axis, epsilon=1e-6)
        np.testing.assert_allclose(got, expected * scale, rtol=1e-12)
        (onnx,) = ort("RMSNormalization", x, scale, axis=axis, epsilon=1e-6, opset=23)
        np.testing.assert_allclose(got, onnx, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
def test_batch_norm_is_that_of_onnx(shape, result, ort) -> None:
    x, scale, bias, mean, variance = draw(7, shape, *[shape[1:2]] * 4)
    variance = np.abs(variance)
    (expected,) = ort("BatchNormalization", x, scale, bias, mean, variance, epsilon=0.25)
    got = result(nn.BatchNormOp, x, scale, bias, mean, variance, epsilon=0.25)
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES[:1] + SHAPES[2:])
def test_group_norm_is_that_of_onnx(shape, result, ort) -> None:
    x, scale, bias = (a.astype(np.float32) for a in draw(8, shape, shape[1:2], shape[1:2]))
    for groups in (g for g in (1, 2, 3) if shape[1] % g == 0):
        (expected,) = ort("GroupNormalization", x, scale, bias, num_groups=groups, epsilon=1e-3)
        got = result(nn.GroupNormOp, x, scale, bias, groups=groups, epsilon=1e-3)
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)
    (expected,) = ort("InstanceNormalization", x, scale, bias, epsilon=1e-3)
    got = result(nn.GroupNormOp, x, scale, bias, groups=shape[1], epsilon=1e-3)
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_group_norm_is_that_of_jax(shape, result, x64) -> None:
    import jax

    x, scale, bias = draw(9, shape, shape[1:2], shape[1:2])
    column = (-1, *[1] * (len(shape) - 2))
    for groups in (g for g in (1, 2, 3, 6) if shape[1] % g == 0):
        normal = np.asarray(jax.nn.standardize(x.reshape(shape[0], groups, -1), 2, epsilon=1e-3)).reshape(shape)
        got = result(nn.GroupNormOp, x, scale, bias, groups=groups, epsilon=1e-3)
        expected = normal * scale.reshape(column) + bias.reshape(column)
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)


def test_a_constant_row_is_normalised_to_zero(result) -> None:
    x = np.full((2, 3), 7.0)
    assert (result(nn.LayerNormOp, x, axis=1) == 0).all()
    assert result(nn.LayerNormOp, x[:0], axis=1).shape == (0, 3)
