"""The kernel of matrix products against numpy in float64."""

from __future__ import annotations

from math import erf

import numpy as np
import pytest
from random_shapes import SEEDS, Case, wide

from dovetail.backends.triton.interpreter import Named, library

ERF = np.vectorize(erf, otypes=[float])


def tiles(case: Case) -> dict[str, int]:
    return {
        "block_m": case.pick(16, 32, 64), "block_n": case.pick(16, 32, 64), "block_k": case.pick(16, 32),
        "num_warps": 4, "num_stages": 2, "group": case.pick(1, 2, 8),
    }  # fmt: skip


FIXED = {"block_m": 16, "block_n": 16, "block_k": 16, "num_warps": 4, "num_stages": 2}


def gelu(x):
    return 0.5 * x * (1.0 + ERF(x / np.sqrt(2.0)))


def epilogue(case: Case, batch: int, m: int, n: int):
    """A jitted epilogue, its operands, and what it means."""
    full, bias, scale = case.array(batch, m, n), case.array(n), case.array(m, 1)
    kind = case.pick("none", "bias_gelu", "scale_bias_relu_residual", "gated")
    if kind == "none":
        return {}, [], lambda x: x
    operands = {"bias_gelu": [bias], "scale_bias_relu_residual": [scale, bias, full], "gated": [full]}[kind]
    means = {
        "bias_gelu": lambda x, b: gelu(x + b),
        "scale_bias_relu_residual": lambda x, s, b, r: np.maximum(x * s + b, 0.0) + r,
        "gated": lambda x, g: x * g / (1.0 + np.exp(-g)),
    }[kind]
    return {"epilogue": Named("epilogues", kind)}, operands, lambda x: means(x, *wide(*operands))


@pytest.mark.parametrize("seed", SEEDS)
def test_product_with_an_epilogue(interpreter, seed):
    """Ragged sizes, either matrix transposed, either one shared by the batch."""
    case = Case(seed)
    batch, m, n, k = case.size(3), case.size(90), case.size(90), case.size(120)
    a = case.array(case.pick(1, batch), m, k)
    b = case.array(k, n) if case.pick(True, False) else case.array(case.pick(1, batch), k, n)
    a, b = (np.asfortranarray(x) if case.pick(True, False) else x for x in (a, b))
    fused, operands, means = epilogue(case, batch, m, n)
    tensors = {"a": a, "b": b, "out": case.empty(batch, m, n), "operands": operands}
    (found,) = interpreter.call(library("matmul"), tensors, ["out"], **tiles(case), **fused)
    wide_a, wide_b = wide(a, b)
    case.check(found, means(np.broadcast_to(wide_a @ wide_b, (batch, m, n))))


def test_nothing_is_summed_to_zero_and_nothing_is_written_nowhere(interpreter):
    case = Case(0)
    tensors = {"a": case.array(5, 0), "b": case.array(0, 7), "out": case.empty(5, 7), "operands": [case.array(7)]}
    found = interpreter.call(library("matmul"), tensors, ["out"], epilogue=Named("epilogues", "bias_gelu"), **FIXED)[0]
    np.testing.assert_allclose(found, np.broadcast_to(gelu(tensors["operands"][0]), (5, 7)), rtol=1e-5, atol=1e-6)
    empty = {"a": case.array(0, 4), "b": case.array(4, 7), "out": case.empty(0, 7)}
    assert interpreter.call(library("matmul"), empty, ["out"], **FIXED)[0].shape == (0, 7)


def test_not_a_number_and_infinity_stay_in_their_rows_and_columns(interpreter):
    case = Case(0)
    a, b = np.abs(case.array(20, 18)), np.abs(case.array(18, 19))
    a[3, 4], b[2, 5] = np.nan, np.inf
    (found,) = interpreter.call(library("matmul"), {"a": a, "b": b, "out": case.empty(20, 19)}, ["out"], **FIXED)
    np.testing.assert_allclose(found, a.astype(np.float64) @ b, rtol=1e-5)


def test_shapes_that_do_not_fit_are_refused(interpreter):
    case = Case(0)
    bad = {"a": case.array(4, 5), "b": case.array(6, 7), "out": case.empty(4, 7)}
    with pytest.raises(ValueError, match=r"\(4, 5\) by \(6, 7\) does not give \(4, 7\)"):
        interpreter.call(library("matmul"), bad, ["out"], **FIXED)
    good = {"a": case.array(4, 6), "b": case.array(6, 7), "out": case.empty(4, 7), "operands": [case.array(3)]}
    with pytest.raises(ValueError, match=r"\(3,\) does not broadcast to \(1, 4, 7\)"):
        interpreter.call(library("matmul"), good, ["out"], epilogue=Named("epilogues", "gated"), **FIXED)
