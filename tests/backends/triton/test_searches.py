"""Kernels that search, sum along rows and write by index, against numpy."""

from __future__ import annotations

import numpy as np
import pytest
from random_shapes import SEEDS, Case, wide

from dovetail.backends.triton.interpreter import library

ROWS = {"block_rows": 2, "num_warps": 4}


@pytest.mark.parametrize("seed", SEEDS)
def test_top_k(interpreter, seed):
    """Among ties, and what is not a number last."""
    case = Case(seed)
    rows, n = case.size(7), case.size(70)
    k = case.size(min(n, 9))
    x = np.round(case.array(rows, n) * 2).astype(case.array(1).dtype)
    x[0, case.size(n) - 1] = np.nan
    tensors = {"x": x, "values": case.empty(rows, k), "indices": np.zeros((rows, k), np.int32)}
    values, places = interpreter.call(library("top_k"), tensors, ["values", "indices"], floats=True, **ROWS)
    order = np.argsort(-x.astype(np.float64), axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(places, order)
    expected = np.take_along_axis(x, order, 1)
    np.testing.assert_array_equal(values.astype(np.float32), expected.astype(np.float32))


@pytest.mark.parametrize("seed", SEEDS)
def test_arg_max(interpreter, seed):
    """In one piece and in several, of floats and of integers, with what is not a number first."""
    case = Case(seed)
    rows, n, floats = case.size(7), case.size(90), case.pick(True, True, False)
    x = case.array(rows, n) if floats else case.rng.integers(-5, 5, (rows, n)).astype(np.int32)
    if floats and case.pick(True, False):
        x[0, case.size(n) - 1] = np.nan
    tensors = {"x": x, "out": np.full((rows,), -1, np.int32)}
    (found,) = interpreter.call(
        library("arg_max", "top_k"), tensors, ["out"], floats=floats, block_n=case.pick(16, 128), **ROWS
    )
    np.testing.assert_array_equal(found, x.astype(np.float64).argmax(1))


@pytest.mark.parametrize("seed", SEEDS)
def test_cum_sum(interpreter, seed):
    case = Case(seed)
    rows, n = case.size(7), case.size(90)
    x, exclusive, reverse = case.array(rows, n), case.pick(True, False), case.pick(True, False)
    options = {"exclusive": exclusive, "reverse": reverse, "floats": True, "block_n": case.pick(16, 128)}
    (found,) = interpreter.call(library("cum_sum"), {"x": x, "out": case.empty(rows, n)}, ["out"], **options, **ROWS)
    (given,) = wide(x)
    given = given[:, ::-1] if reverse else given
    total = given.cumsum(1) - (given if exclusive else 0)
    case.check(found, total[:, ::-1] if reverse else total)


@pytest.mark.parametrize("seed", SEEDS)
def test_scatter(interpreter, seed):
    """Indices from either end; sums of rows that are written more than once."""
    case = Case(seed)
    outer, count, inner, add = case.size(3), case.size(9), case.size(40), case.pick(True, False)
    picked = case.size(count)
    places = case.rng.integers(0, count, picked) if add else case.rng.permutation(count)[:picked]
    indices = np.where(case.rng.random(picked) < 0.5, places, places - count).astype(np.int32)
    # Sums of float16 and bfloat16 are rounded at every step.
    case.dtype = "float32" if add and case.dtype == "bfloat16" else case.dtype
    table, updates = case.array(outer, count, inner), case.array(outer, picked, inner)
    (expected,) = wide(table)
    for place, update in zip(places, updates.swapaxes(0, 1), strict=True):
        expected[:, place] = update + (expected[:, place] if add else 0)
    tensors = {"table": table, "indices": indices, "updates": updates}
    (found,) = interpreter.call(library("scatter"), tensors, ["table"], add=add, floats=True, block_n=16, num_warps=4)
    case.check(found, expected)


@pytest.mark.parametrize("seed", SEEDS)
def test_gather_elements(interpreter, seed):
    case = Case(seed)
    outer, count, inner, picked = case.size(3), case.size(9), case.size(20), case.size(12)
    x, indices = case.array(outer, count, inner), case.rng.integers(-count, count, (outer, picked, inner), np.int32)
    tensors = {"x": x, "indices": indices, "out": case.empty(outer, picked, inner)}
    (found,) = interpreter.call(library("gather_elements", "scatter"), tensors, ["out"], block=32, num_warps=4)
    np.testing.assert_array_equal(found, np.take_along_axis(x, indices % count, axis=1))
