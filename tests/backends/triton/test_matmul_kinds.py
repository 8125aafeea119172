"""Grouped, quantised and fp8 products against numpy in float64."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from random_shapes import SEEDS, Case, wide

from dovetail.backends.triton.interpreter import Named, library
from dovetail.backends.triton.kernels.packing import pack_weights, planes


def tiles(case: Case, *inner: int) -> dict[str, int]:
    return {
        "block_m": case.pick(16, 32, 64), "block_n": case.pick(16, 32, 64), "block_k": case.pick(*inner),
        "num_warps": 4, "num_stages": 2,
    }  # fmt: skip


FIXED = {"block_m": 16, "block_n": 16, "block_k": 32, "num_warps": 4, "num_stages": 2}


@pytest.mark.parametrize("seed", SEEDS)
def test_grouped_product(interpreter, seed):
    """Groups of every size, empty ones too, and weights that are stored transposed."""
    case = Case(seed)
    groups, n, k = case.size(9), case.size(70), case.size(90)
    sizes = case.rng.integers(0, 40, groups) * case.rng.integers(0, 2, groups)
    rows = int(sizes.sum())
    a, b, bias = case.array(rows, k), case.array(groups, k, n), case.array(n)
    if case.pick(True, False):
        b = np.ascontiguousarray(b.swapaxes(1, 2)).swapaxes(1, 2)
    tensors = {
        "a": a,
        "b": b,
        "group_sizes": sizes,
        "out": case.empty(rows, n),
        "operands": [bias, case.array(rows, n)],
    }
    (found,) = interpreter.call(
        library("grouped_matmul"), tensors, ["out"], epilogue=Named("epilogues", "bias_residual"), **tiles(case, 16, 32)
    )
    wide_a, wide_b, wide_bias, residual = wide(a, b, *tensors["operands"])
    ends = np.cumsum(sizes)
    products = [wide_a[end - size : end] @ wide_b[g] for g, (end, size) in enumerate(zip(ends, sizes, strict=True))]
    case.check(found, np.concatenate(products) + wide_bias + residual)


@pytest.mark.parametrize("seed", SEEDS)
def test_quantised_product(interpreter, seed):
    """Every width from 1 to 8 bits, groups of scales of any size."""
    case = Case(seed)
    bits, m, n, k = seed % 8 + 1, case.size(40), case.size(70), case.size(130)
    shared_k = case.pick(16, 32, 48, 128, k)
    groups = -(-k // shared_k)
    codes = case.rng.integers(0, 1 << bits, (k, n))
    a, scale = case.array(m, k), case.array(groups, n)
    zero = case.rng.integers(0, 1 << bits, (groups, n)).astype(scale.dtype)
    tensors = {"a": a, "words": pack_weights(codes, bits), "scale": scale, "zero": zero, "out": case.empty(m, n)}
    (found,) = interpreter.call(
        library("quantised_matmul"), tensors, ["out"], bits=bits, shared_k=shared_k, **tiles(case, 32, 64)
    )
    wide_a, wide_scale, wide_zero = (
        np.repeat(x, r, 0) for x, r in zip(wide(a, scale, zero), (1, shared_k, shared_k), strict=True)
    )
    case.check(found, wide_a @ ((codes - wide_zero[:k]) * wide_scale[:k]))


@pytest.mark.parametrize("bits", range(1, 9))
def test_packed_weights_take_their_bits_and_come_back(bits):
    codes = np.random.default_rng(bits).integers(0, 1 << bits, (45, 3))
    words = pack_weights(codes, bits).view(np.uint32)
    assert words.shape == (bits * 2, 3)
    found = np.zeros_like(codes)
    first = low = 0
    for width in planes(bits):
        for k in range(45):
            word = words[first + k // (32 // width)]
            found[k] |= ((word >> (k % (32 // width) * width)) & ((1 << width) - 1)).astype(np.int64) << low
        first, low = first + 2 * width, low + width
    np.testing.assert_array_equal(found, codes)


def test_codes_of_more_bits_are_refused():
    with pytest.raises(ValueError, match="do not fit into 3 bits"):
        pack_weights(np.array([[8]]), 3)


@pytest.mark.parametrize("seed", SEEDS)
def test_fp8_product(interpreter, seed):
    """E4M3 and E5M2, a scale for the tensor, for rows and columns, and for blocks."""
    case = Case(seed)
    m, n, k = case.size(70), case.size(70), case.size(130)
    kind = case.pick(ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2)
    a, b = (case.rng.standard_normal(shape).astype(kind) for shape in ((m, k), (k, n)))
    block = case.pick((m, n, k), (1, 1, k), (1, 32, 32), (64, 64, 64))
    counts = (-(-m // block[0]), -(-k // block[2])), (-(-k // block[2]), -(-n // block[1]))
    a_scale, b_scale = (np.abs(case.array(*shape, dtype="float32")) + 0.1 for shape in counts)
    tensors = {"a": a, "b": b, "a_scale": a_scale, "b_scale": b_scale, "out": case.empty(m, n)}
    (found,) = interpreter.call(library("fp8_matmul"), tensors, ["out"], scale_block=block, **tiles(case, 32))
    wide_a, wide_b, of_a, of_b = wide(a, b, a_scale, b_scale)
    spread_a = of_a.repeat(block[0], 0)[:m].repeat(block[2], 1)[:, :k]
    spread_b = of_b.repeat(block[2], 0)[:k].repeat(block[1], 1)[:, :n]
    case.check(found, (wide_a * spread_a) @ (wide_b * spread_b))


def test_what_does_not_fit_is_refused(interpreter):
    case = Case(0)
    a, out = case.array(4, 40), case.empty(4, 8)
    scales = {"scale": case.array(2, 8), "zero": case.array(2, 8)}
    tensors = {"a": a, "words": np.zeros((4, 8), np.int32), "out": out, **scales}
    with pytest.raises(ValueError, match=r"are not \(6, 8\) of 3 bits"):
        interpreter.call(library("quantised_matmul"), tensors, ["out"], bits=3, shared_k=32, **FIXED)
    tensors = {"a": a, "b": case.array(3, 40, 8), "group_sizes": np.array([2, 2]), "out": out}
    with pytest.raises(ValueError, match=r"\(2,\) is not a size for each of 3 groups"):
        interpreter.call(library("grouped_matmul"), tensors, ["out"], **FIXED)
    tensors = {"a": a, "b": case.array(40, 8), "a_scale": case.array(4, 3), "b_scale": case.array(3, 8), "out": out}
    with pytest.raises(ValueError, match="block_k 32 does not divide the 16"):
        interpreter.call(library("fp8_matmul"), tensors, ["out"], scale_block=(1, 1, 16), **FIXED)


def test_not_a_number_in_a_scale_stays_in_its_column(interpreter):
    case = Case(0)
    a, codes, scale = case.array(5, 40), case.rng.integers(0, 8, (40, 9)), case.array(2, 9)
    scale[1, 3] = np.nan
    tensors = {"a": a, "words": pack_weights(codes, 3), "scale": scale, "zero": 0 * scale, "out": case.empty(5, 9)}
    tensors["zero"][:] = 4.0
    (found,) = interpreter.call(library("quantised_matmul"), tensors, ["out"], bits=3, shared_k=32, **FIXED)
    expected = a.astype(np.float64) @ ((codes - 4.0) * np.repeat(scale, 32, 0)[:40])
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
