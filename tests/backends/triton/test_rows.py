"""Kernels of norms, softmax, reductions, rotary embedding and gating against numpy in float64."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from random_shapes import SEEDS, Case, wide

from dovetail.backends.triton.interpreter import library


@pytest.mark.parametrize("seed", SEEDS)
def test_norm(interpreter, seed):
    """Layer norm and RMS norm, with what is given of scale, bias and residual, rows in one piece or several."""
    case = Case(seed)
    rows, n, centred = case.size(20), case.size(150), case.pick(True, False)
    x, scale, bias = case.array(rows, n), case.pick(None, case.array(n)), case.pick(None, case.array(n))
    residual = case.pick(None, case.array(rows, n))
    tensors = {"x": x, "scale": scale, "bias": bias, "residual": residual, "out": case.empty(rows, n)}
    tensors["total"] = None if residual is None else case.empty(rows, n)
    blocks = {"block_rows": case.pick(1, 4, 8), "block_n": case.pick(32, 256), "num_warps": 4}
    found, total = interpreter.call(library("norm"), tensors, ["out", "total"], centred=centred, epsilon=1e-3, **blocks)
    y = x.astype(np.float64) + (0.0 if residual is None else wide(residual)[0])
    if residual is not None:
        case.check(total, y)
    centre = y - y.mean(1, keepdims=True) if centred else y
    normal = centre / np.sqrt((centre * centre).mean(1, keepdims=True) + 1e-3)
    normal = normal * (1.0 if scale is None else wide(scale)[0]) + (0.0 if bias is None else wide(bias)[0])
    case.check(found, normal)


@pytest.mark.parametrize("block_n", [32, 1024])
def test_group_norm(interpreter, block_n):
    """Groups of 3 channels of 6 x 7 pixels, 4 groups an image."""
    case = Case(0)
    x, scale, bias = case.array(2, 12, 6, 7), case.array(12), case.array(12)
    tensors = {"x": x.reshape(8, 126), "scale": scale, "bias": bias, "out": case.empty(8, 126)}
    blocks = {"block_rows": 2, "block_n": block_n, "num_warps": 4}
    (found,) = interpreter.call(
        library("norm"), tensors, ["out"], centred=True, epsilon=1e-5, groups=4, repeat=42, **blocks
    )
    apart = x.astype(np.float64).reshape(2, 4, -1)
    centre = apart - apart.mean(2, keepdims=True)
    normal = (centre / np.sqrt((centre**2).mean(2, keepdims=True) + 1e-5)).reshape(x.shape)
    case.check(found.reshape(x.shape), normal * scale[:, None, None] + bias[:, None, None])


def softmax_of(x, axis):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        powers = np.exp(x - x.max(axis, keepdims=True))
        return powers / powers.sum(axis, keepdims=True)


@pytest.mark.parametrize("seed", SEEDS)
def test_softmax(interpreter, seed):
    """Along every axis of tensors of rank 1 to 4, stored in either order, axes in one piece or several."""
    case = Case(seed)
    shape = [case.size(5) for _ in range(case.size(4))]
    axis = case.size(len(shape)) - 1
    shape[axis] = case.size(100)
    x = case.array(*shape) * np.asarray(10.0, case.array().dtype)
    x = np.asfortranarray(x) if case.pick(True, False) else x
    blocks = {"block_kept": case.pick(4, 16), "block_n": case.pick(32, 128), "num_warps": 4}
    (found,) = interpreter.call(library("softmax"), {"x": x, "out": case.empty(*shape)}, ["out"], axis=axis, **blocks)
    case.check(found, softmax_of(x.astype(np.float64), axis))


@pytest.mark.parametrize("block_n", [4, 16])
def test_softmax_of_what_is_not_finite(interpreter, block_n):
    x = np.zeros((5, 11), np.float32)
    x[0, 3], x[1, 4], x[2, :], x[3, :7] = np.nan, np.inf, -np.inf, -np.inf
    tensors = {"x": x, "out": np.zeros_like(x)}
    (found,) = interpreter.call(
        library("softmax"), tensors, ["out"], axis=1, block_kept=2, block_n=block_n, num_warps=4
    )
    np.testing.assert_allclose(found, softmax_of(x.astype(np.float64), 1), rtol=1e-6)


@pytest.mark.parametrize("seed", SEEDS)
def test_reduce(interpreter, seed):
    """Every kind along any set of axes, by one program or by several."""
    case = Case(seed)
    shape = [case.size(6) for _ in range(case.size(4))]
    axes = tuple(i for i in range(len(shape)) if case.pick(True, False))
    kind, splits = case.pick("sum", "mean", "max", "min", "prod"), case.pick(1, 1, 3)
    x = case.array(*shape)
    x = np.asfortranarray(x) if case.pick(True, False) else x
    kept = [s for i, s in enumerate(shape) if i not in axes]
    count = int(np.prod(kept))
    tensors = {"x": x, "out": case.empty(*kept), "partial": case.empty(splits, count, dtype="float32")}
    blocks = {"block_kept": case.pick(4, 16), "block_n": case.pick(4, 16, 64), "num_warps": 4}
    if kind == "prod":
        blocks = {"block_kept": 4, "block_n": 4, "num_warps": 4}  # Triton interprets products one by one.
    (found,) = interpreter.call(library("reduce"), tensors, ["out"], axes=axes, kind=kind, splits=splits, **blocks)
    case.check(found, np.asarray(getattr(np, kind)(x.astype(np.float64), axis=axes)))


@pytest.mark.parametrize("kind", ["sum", "mean", "max", "min"])
def test_not_a_number_shows_in_what_is_reduced(interpreter, kind):
    x = np.arange(40, dtype=np.float32).reshape(4, 10)
    x[1, 7], x[2, 3], x[3] = np.nan, np.inf, -np.inf
    tensors = {"x": x, "out": np.zeros(4, np.float32)}
    blocks = {"block_kept": 2, "block_n": 4, "num_warps": 4}
    (found,) = interpreter.call(library("reduce"), tensors, ["out"], axes=(1,), kind=kind, **blocks)
    np.testing.assert_allclose(found, getattr(np, kind)(x, axis=1), rtol=1e-6)


def test_reductions_of_nothing(interpreter):
    blocks = {"axes": (1,), "block_kept": 2, "block_n": 4, "num_warps": 4}
    for kind, expected in (("sum", 0.0), ("mean", np.nan), ("prod", 1.0)):
        tensors = {"x": np.zeros((3, 0), np.float32), "out": np.full(3, 7, np.float32)}
        (found,) = interpreter.call(library("reduce"), tensors, ["out"], kind=kind, **blocks)
        np.testing.assert_array_equal(found, np.full(3, expected, np.float32))
    with pytest.raises(ValueError, match="there is no max of no elements"):
        interpreter.call(library("reduce"), tensors, ["out"], kind="max", **blocks)
    empty = {"x": np.zeros((0, 3), np.float32), "out": np.zeros((0, 3), np.float32)}
    rows = {"block_rows": 1, "block_n": 4, "num_warps": 4}
    interpreter.call(library("norm"), empty, ["out"], centred=True, epsilon=1e-5, **rows)
    interpreter.call(library("softmax"), empty, ["out"], axis=1, block_kept=1, block_n=4, num_warps=4)


@pytest.mark.parametrize("seed", SEEDS)
def test_rotary(interpreter, seed):
    """Halves or interleaved pairs, the whole head or a part of it, one table or one for each sequence."""
    case = Case(seed)
    batch, heads, tokens, half = case.size(3), case.size(4), case.size(20), case.size(16)
    d, interleaved = 2 * half + case.pick(0, 0, case.size(9)), case.pick(True, False)
    x = case.array(batch, heads, tokens, d)
    x = np.asfortranarray(x) if case.pick(True, False) else x
    shape = case.pick((tokens, half), (batch, tokens, half))
    cos, sin = case.array(*shape), case.array(*shape)
    tensors = {"x": x, "cos": cos, "sin": sin, "out": case.empty(*x.shape)}
    blocks = {"block_rows": case.pick(1, 8, 32), "num_warps": 4}
    (found,) = interpreter.call(library("rotary"), tensors, ["out"], interleaved=interleaved, **blocks)
    wide_x, wide_cos, wide_sin = wide(x, cos, sin)
    if len(shape) == 3:
        wide_cos, wide_sin = wide_cos[:, None], wide_sin[:, None]
    at = np.arange(half)
    first, second = (2 * at, 2 * at + 1) if interleaved else (at, at + half)
    expected = wide_x.copy()
    expected[..., first] = wide_x[..., first] * wide_cos - wide_x[..., second] * wide_sin
    expected[..., second] = wide_x[..., second] * wide_cos + wide_x[..., first] * wide_sin
    case.check(found, expected)


@pytest.mark.parametrize("seed", SEEDS)
def test_route(interpreter, seed):
    """Scores of either kind, with a bias or none, equal experts among them."""
    case = Case(seed)
    tokens, count = case.size(30), case.size(70)
    k, sigmoid, normalise = case.size(min(8, count)), case.pick(True, False), case.pick(True, False)
    # Few levels, far enough apart that float32 and float64 agree which are equal.
    logits = (case.rng.integers(-20, 20, (tokens, count)) / 8).astype(case.array().dtype)
    bias = case.pick(None, (case.rng.integers(-3, 3, count) * 4.0).astype(logits.dtype))
    tensors = {"logits": logits, "bias": bias, "weights": case.empty(tokens, k)}
    tensors["experts"] = np.full((tokens, k), -1, np.int64)
    options = {"sigmoid": sigmoid, "normalise": normalise, "scale": 1.5, "block_t": case.pick(4, 8), "num_warps": 4}
    found, experts = interpreter.call(library("route"), tensors, ["weights", "experts"], **options)
    x = logits.astype(np.float64)
    scores = 1.0 / (1.0 + np.exp(-x)) if sigmoid else softmax_of(x, 1)
    liked = (scores if bias is None else scores + bias.astype(np.float64)).astype(np.float32)
    expected = np.argsort(-liked, axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(np.take_along_axis(liked, experts, 1), np.take_along_axis(liked, expected, 1))
    if bias is None:
        np.testing.assert_array_equal(experts, expected)
    weights = np.take_along_axis(scores, experts, axis=1)
    case.check(found, 1.5 * (weights / weights.sum(1, keepdims=True) if normalise else weights))


def test_experts_whose_score_is_not_a_number_come_last(interpreter):
    logits = np.zeros((2, 5), np.float32)
    logits[0, 1], logits[1, :] = np.nan, [0, np.inf, -np.inf, 1, -0.0]
    tensors = {"logits": logits, "weights": np.zeros((2, 5), np.float32), "experts": np.zeros((2, 5), np.int32)}
    weights, experts = interpreter.call(
        library("route"), tensors, ["weights", "experts"], sigmoid=True, normalise=False, block_t=2, num_warps=4
    )
    np.testing.assert_array_equal(experts, [[0, 2, 3, 4, 1], [1, 3, 0, 4, 2]])
    np.testing.assert_allclose(weights[0], [0.5, 0.5, 0.5, 0.5, np.nan])
