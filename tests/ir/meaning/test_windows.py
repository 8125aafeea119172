"""Convolutions and pools of 1 to 3 dimensions against JAX in float64, and against onnxruntime in float32."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dovetail.ir import nn

SIZES = {1: 12, 2: 7, 3: 5}
"""dimensions -> about how large the inputs are along each"""


def draw(seed: int) -> tuple[np.random.Generator, int, dict[str, tuple[int, ...]]]:
    """Odd strides, pads and dilations of a window over 1, 2 or 3 dimensions."""
    rng = np.random.default_rng(seed)
    rank = seed % 3 + 1
    many = {"strides": (1, 4), "dilations": (1, 3), "kernel": (1, 4), "pads": (0, 3)}
    window = {
        name: tuple(int(v) for v in rng.integers(*bounds, rank * (2 if name == "pads" else 1)))
        for name, bounds in many.items()
    }
    return rng, rank, window


def image(rng: np.random.Generator, rank: int, channels: int) -> np.ndarray:
    size = rng.integers(SIZES[rank], SIZES[rank] + 3, rank)
    return rng.normal(size=(int(rng.integers(1, 3)), channels, *size))


def pairs(pads: tuple[int, ...]) -> list[tuple[int, int]]:
    rank = len(pads) // 2
    return list(zip(pads[:rank], pads[rank:], strict=True))


@pytest.mark.parametrize("seed", range(12))
def test_conv_is_that_of_jax(seed: int, result, x64) -> None:
    import jax.numpy as jnp
    from jax import lax

    rng, rank, window = draw(seed)
    kernel = window.pop("kernel")
    groups = int(rng.choice([1, 2, 3]))
    x = image(rng, rank, 2 * groups)
    w, bias = rng.normal(size=(groups * 2, 2, *kernel)), rng.normal(size=groups * 2)
    expected = lax.conv_general_dilated(
        jnp.asarray(x),
        jnp.asarray(w),
        window["strides"],
        pairs(window["pads"]),
        rhs_dilation=window["dilations"],
        feature_group_count=groups,
    )
    got = result(nn.ConvOp, x, w, bias, groups=groups, **window)
    np.testing.assert_allclose(got, expected + bias.reshape(-1, *[1] * rank), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("seed", range(9))
def test_conv_transpose_is_the_conv_of_the_input_spread_out(seed: int, result, x64) -> None:
    """By JAX: the input with zeros between its elements, under the window turned round."""
    import jax.numpy as jnp
    from jax import lax

    rng, rank, window = draw(seed)
    kernel, strides, dilations = window.pop("kernel"), window["strides"], window["dilations"]
    x, w = image(rng, rank, 4), rng.normal(size=(4, 3, *kernel))
    extra = tuple(int(rng.integers(0, max(s, d))) for s, d in zip(strides, dilations, strict=True))
    around = [
        (d * (k - 1) - low, d * (k - 1) - high + more)
        for (low, high), d, k, more in zip(pairs(window["pads"]), dilations, kernel, extra, strict=True)
    ]
    turned = jnp.flip(w, tuple(range(2, 2 + rank))).swapaxes(0, 1)
    expected = lax.conv_general_dilated(
        jnp.asarray(x), turned, (1,) * rank, around, lhs_dilation=strides, rhs_dilation=dilations
    )
    got = result(nn.ConvTransposeOp, x, w, output_pads=extra, **window)
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)


def float32(*arrays: np.ndarray) -> list[np.ndarray]:
    return [a.astype(np.float32) for a in arrays]


def onnx_window(window: dict[str, Any], kernel: tuple[int, ...]) -> dict[str, list[int]]:
    return {name: list(values) for name, values in {**window, "kernel_shape": kernel}.items()}


@pytest.mark.parametrize("seed", range(30))
def test_conv_is_that_of_onnx(seed: int, result, ort) -> None:
    rng, rank, window = draw(100 + seed)
    kernel = window.pop("kernel")
    groups = int(rng.choice([1, 2, 4]))
    x, w, bias = float32(image(rng, rank, 4), rng.normal(size=(8, 4 // groups, *kernel)), rng.normal(size=8))
    (expected,) = ort("Conv", x, w, bias, group=groups, **onnx_window(window, kernel))
    np.testing.assert_allclose(result(nn.ConvOp, x, w, bias, groups=groups, **window), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("seed", range(30))
def test_conv_transpose_is_that_of_onnx(seed: int, result, ort) -> None:
    rng, rank, window = draw(200 + seed)
    kernel = window.pop("kernel")
    groups = int(rng.choice([1, 2, 4]))
    x, w, bias = float32(image(rng, rank, 4), rng.normal(size=(4, 2, *kernel)), rng.normal(size=2 * groups))
    extra = tuple(int(rng.integers(0, s)) for s in window["strides"])
    (expected,) = ort(
        "ConvTranspose", x, w, bias, group=groups, output_padding=list(extra), **onnx_window(window, kernel)
    )
    got = result(nn.ConvTransposeOp, x, w, bias, groups=groups, output_pads=extra, **window)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("count_pads", [None, 0, 1], ids=["max", "average", "average with pads"])
@pytest.mark.parametrize("seed", range(18))
def test_pools_are_those_of_onnx(seed: int, count_pads: int | None, result, ort) -> None:
    rng, rank, window = draw(300 + seed)
    kernel = window.pop("kernel")
    window["pads"] = tuple(min(pad, kernel[i % rank] - 1) for i, pad in enumerate(window["pads"]))
    (x,) = float32(image(rng, rank, 3))
    if count_pads is None:
        (expected,) = ort("MaxPool", x, **onnx_window(window, kernel))
        got = result(nn.MaxPoolOp, x, kernel=kernel, **window)
    else:
        (expected,) = ort("AveragePool", x, count_include_pad=count_pads, **onnx_window(window, kernel))
        got = result(nn.AveragePoolOp, x, kernel=kernel, count_pads=count_pads, **window)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_pools_are_those_of_jax(rank: int, result, x64) -> None:
    from jax import lax

    x = -np.random.default_rng(rank).random((2, 3, *range(5, 5 + rank)))
    kernel, strides, pads = (3,) * rank, (2,) * rank, (1,) * rank + (2,) * rank
    sizes = (1, 1, *kernel), (1, 1, *strides), [(0, 0), (0, 0), *pairs(pads)]
    largest = lax.reduce_window(x, -np.inf, lax.max, *sizes)
    np.testing.assert_array_equal(result(nn.MaxPoolOp, x, kernel=kernel, strides=strides, pads=pads), largest)
    total = lax.reduce_window(x, 0.0, lax.add, *sizes)
    got = result(nn.AveragePoolOp, x, kernel=kernel, strides=strides, pads=pads, count_pads=1)
    np.testing.assert_allclose(got, total / 3**rank, rtol=1e-12)


def test_an_empty_batch_stays_empty(result) -> None:
    x, w = np.zeros((0, 4, 5, 1)), np.zeros((6, 4, 3, 1))
    assert result(nn.ConvOp, x, w).shape == (0, 6, 3, 1)
    assert result(nn.ConvTransposeOp, x, w.swapaxes(0, 1)).shape == (0, 6, 7, 1)
    assert result(nn.AveragePoolOp, x, kernel=(2, 1)).shape == (0, 4, 4, 1)
