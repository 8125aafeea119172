"""Resizing against onnxruntime in all its modes, and against JAX in float64."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from dovetail.ir import nn

MODES, COORDINATES, ROUNDINGS = nn.resize.RESIZE_MODES, nn.resize.COORDINATES, nn.resize.ROUNDINGS
WAYS = [*product(MODES[1:], COORDINATES, ROUNDINGS[:1]), *product(MODES[:1], COORDINATES, ROUNDINGS)]
SIZES = [(4, 5, 9, 2), (5, 4, 1, 1), (3, 6, 7, 12), (1, 8, 5, 8)]
"""(h, w) before and after; none puts an element on an integer, where float32 decides what floor and ceil give"""


@pytest.mark.parametrize(("mode", "coordinates", "rounding"), WAYS)
def test_resize_is_that_of_onnx(mode: str, coordinates: str, rounding: str, result, ort) -> None:
    for h, w, *sizes in SIZES:
        x = np.random.default_rng(h).normal(size=(2, 3, h, w)).astype(np.float32)
        ways = {"mode": mode, "coordinate_transformation_mode": coordinates, "nearest_mode": rounding}
        (expected,) = ort("Resize", x, None, None, np.array([2, 3, *sizes]), **ways)
        given = {"mode": mode, "coordinates": coordinates, "rounding": rounding}
        got = result(nn.ResizeOp, x, axes=(2, 3), sizes=sizes, **given)
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("scale", [0.6, 1.0, 1.3, 2.0, 2.6])
def test_scales_are_taken_as_they_are_given(mode: str, scale: float, result, ort) -> None:
    x = np.random.default_rng(3).normal(size=(1, 2, 5, 7)).astype(np.float32)
    (expected,) = ort("Resize", x, None, np.array([1, 1, scale, 1], np.float32), mode=mode)
    got = result(nn.ResizeOp, x, axes=(2,), sizes=(int(5 * scale),), scales=(float(np.float32(scale)),), mode=mode)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


def test_the_coefficient_of_the_cubic_kernel(result, ort) -> None:
    x = np.random.default_rng(4).normal(size=(1, 1, 6, 6)).astype(np.float32)
    (expected,) = ort("Resize", x, None, None, np.array([1, 1, 9, 9]), mode="cubic", cubic_coeff_a=-0.5)
    got = result(nn.ResizeOp, x, axes=(2, 3), sizes=(9, 9), mode="cubic", cubic=-0.5)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("size", [(7, 9), (4, 5), (2, 3)])
def test_linear_is_that_of_jax(size: tuple[int, int], result, x64) -> None:
    import jax

    x = np.random.default_rng(5).normal(size=(2, 4, 5))
    expected = jax.image.resize(x, (2, *size), "linear", antialias=False)
    got = result(nn.ResizeOp, x, axes=(1, 2), sizes=size, mode="linear")
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)


def test_the_nearest_integer_of_three_dimensions(result) -> None:
    x = np.arange(8).reshape(2, 2, 2)
    got = result(nn.ResizeOp, x, axes=(0, 1, 2), sizes=(4, 4, 4), coordinates="asymmetric", rounding="floor")
    np.testing.assert_array_equal(got, x.repeat(2, 0).repeat(2, 1).repeat(2, 2))
    assert result(nn.ResizeOp, x[:0], axes=(1,), sizes=(4,)).shape == (0, 4, 2)
