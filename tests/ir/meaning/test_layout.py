"""Padding, cutting, turning and indexing against onnxruntime, in float64 and int64, and against JAX."""

from __future__ import annotations

import numpy as np
import pytest
from xdsl.dialects.builtin import f64, i64

from dovetail.ir import nn

SHAPES = [(4,), (3, 5), (2, 1, 4), (2, 3, 2, 5)]


def draw(seed: int, shape: tuple[int, ...]) -> tuple[np.random.Generator, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng, rng.normal(size=shape)


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "wrap"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", range(3))
def test_pads_are_those_of_onnx(mode: str, shape, seed: int, result, ort) -> None:
    rng, x = draw(seed, shape)
    most = [n - 1 if mode == "reflect" else n if mode == "wrap" else 4 for n in shape]
    low, high = ([int(rng.integers(0, m + 1)) for m in most] for _ in range(2))
    value = np.array(-2.5) if mode == "constant" else None
    (expected,) = ort("Pad", x, np.array([*low, *high]), value, mode=mode)
    given = [x] if value is None else [x, value]
    np.testing.assert_array_equal(result(nn.PadOp, *given, low=low, high=high, mode=mode), expected)


@pytest.mark.parametrize("mode", ["edge", "reflect", "wrap"])
def test_an_empty_axis_that_is_not_padded_stays_empty(mode: str, result) -> None:
    assert result(nn.PadOp, np.zeros((0, 3)), low=(0, 2), high=(0, 1), mode=mode).shape == (0, 6)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", range(4))
def test_slices_are_those_of_onnx(shape, seed: int, result, ort) -> None:
    rng, x = draw(seed, shape)
    limits = [int(rng.integers(0, n + 1)) for n in shape]
    starts = [int(rng.integers(0, n + 1)) for n in limits]
    steps = [int(rng.integers(1, 4)) for _ in shape]
    axes = np.arange(len(shape))
    (expected,) = ort("Slice", x, np.array(starts), np.array(limits), axes, np.array(steps))
    np.testing.assert_array_equal(result(nn.SliceOp, x, starts=starts, limits=limits, steps=steps), expected)
    (expected,) = ort("Slice", x, np.array(starts), np.array([nn.END] * len(shape)), axes, np.array(steps))
    got = result(nn.SliceOp, x, starts=starts, limits=[nn.END] * len(shape), steps=steps)
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("shape", SHAPES)
def test_splits_are_those_of_onnx(shape, results, ort) -> None:
    for axis, size in enumerate(shape):
        sizes = [size - size // 2, 0, size // 2]
        _, x = draw(axis, shape)
        expected = ort("Split", x, np.array(sizes), axis=axis, outputs=3)
        for got, want in zip(results(nn.SplitOp, x, axis=axis, sizes=sizes), expected, strict=True):
            np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("shape", SHAPES)
def test_reverse_transpose_concat_and_broadcast_are_those_of_jax(shape, result, x64) -> None:
    import jax.numpy as jnp
    from jax import lax

    rng, x = draw(5, shape)
    axes = tuple(sorted({0, len(shape) - 1}))
    np.testing.assert_array_equal(result(nn.ReverseOp, x, axes=axes), lax.rev(x, axes))
    order = tuple(rng.permutation(len(shape)).tolist())
    np.testing.assert_array_equal(result(nn.TransposeOp, x, permutation=order), jnp.transpose(x, order))
    got = result(nn.ConcatOp, x, x[..., :0], -x, axis=len(shape) - 1)
    np.testing.assert_array_equal(got, jnp.concatenate([x, x[..., :0], -x], -1))
    wide = (2, *shape)
    np.testing.assert_array_equal(result(nn.BroadcastOp, x, type=nn.tensor(f64, wide)), jnp.broadcast_to(x, wide))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("places", [(), (1,), (2, 3), (0,)])
def test_gather_is_that_of_onnx(shape, places, result, ort) -> None:
    for axis, size in enumerate(shape):
        rng, x = draw(axis, shape)
        indices = rng.integers(-size, size, places)
        (expected,) = ort("Gather", x, np.asarray(indices), axis=axis)
        np.testing.assert_array_equal(result(nn.GatherOp, x, np.asarray(indices), axis=axis), expected)


@pytest.mark.parametrize("shape", SHAPES)
def test_gather_elements_is_that_of_onnx(shape, result, ort) -> None:
    for axis, size in enumerate(shape):
        rng, x = draw(axis, shape)
        wanted = [int(rng.integers(1, n + 1)) if i != axis else 6 for i, n in enumerate(shape)]
        indices = rng.integers(-size, size, wanted)
        (expected,) = ort("GatherElements", x, indices, axis=axis)
        np.testing.assert_array_equal(result(nn.GatherElementsOp, x, indices, axis=axis), expected)


@pytest.mark.parametrize("kind", ["set", "add"])
@pytest.mark.parametrize("shape", SHAPES)
def test_scatter_is_that_of_jax(kind: str, shape, result, x64) -> None:
    import jax.numpy as jnp

    for axis, size in enumerate(shape):
        rng, x = draw(axis, shape)
        once = rng.permutation(size)[: max(1, size // 2)]
        indices = once - size * rng.integers(0, 2, once.shape) if kind == "set" else rng.integers(-size, size, (2, 3))
        updates = rng.normal(size=(*shape[:axis], *indices.shape, *shape[axis + 1 :]))
        there = jnp.asarray(x).at[(slice(None),) * axis + (indices,)]
        expected = there.set(updates) if kind == "set" else there.add(updates)
        got = result(nn.ScatterOp, x, indices, updates, axis=axis, kind=kind)
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(("kind", "outside"), [(np.float64, np.nan), (np.int32, -(2**31)), (np.bool_, 1)])
def test_an_index_outside_the_axis_reads_what_is_no_element_and_writes_nothing(kind, outside, result) -> None:
    x, places = np.zeros((3, 2), kind), np.array([2, 3, -4, -1, 2**40, -(2**63)])
    expected = np.array([[0, 0], [outside] * 2, [outside] * 2, [0, 0], [outside] * 2, [outside] * 2])
    np.testing.assert_array_equal(result(nn.GatherOp, x, places, axis=0), expected)
    elements = result(nn.GatherElementsOp, x, np.stack([places, places[::-1]], 1), axis=0)
    np.testing.assert_array_equal(elements, np.stack([expected[:, 0], expected[::-1, 0]], 1))
    written = result(nn.ScatterOp, x, places[1:], np.ones((5, 2), kind), axis=0)
    np.testing.assert_array_equal(written, [[0, 0], [0, 0], [1, 1]])
    assert result(nn.GatherOp, x[:0], places, axis=0).shape == (6, 2)


@pytest.mark.parametrize("shape", [*SHAPES, (3, 0)])
def test_iota_is_that_of_jax(shape, result, x64) -> None:
    from jax import lax

    for axis in range(len(shape)):
        got = result(nn.IotaOp, type=nn.tensor(i64, shape), axis=axis)
        np.testing.assert_array_equal(got, lax.broadcasted_iota("int64", shape, axis))
