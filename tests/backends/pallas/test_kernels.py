"""Kernels in Pallas's interpreter against float64, ragged shapes included, with races between two cores looked for."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu
from xdsl.dialects.builtin import bf16, f32
from xdsl.ir import Block, SSAValue

from dovetail.backends.pallas.kernels.attention import flash_attention
from dovetail.backends.pallas.kernels.convolution import convolution
from dovetail.backends.pallas.kernels.elementwise import elementwise
from dovetail.backends.pallas.kernels.matmul import matmul
from dovetail.backends.pallas.kernels.norm import norm
from dovetail.ir import meaning, nn

TOLERANCE = {"float32": 2e-5, "bfloat16": 2e-2}
"""of the largest element"""


def draw(rng: np.random.Generator, dtype: str, *shape: int) -> np.ndarray:
    return np.asarray(jnp.asarray(rng.standard_normal(shape), dtype))


def arguments(dtype: str, *arrays: np.ndarray) -> Sequence[SSAValue]:
    """Values of the types of `arrays`, to make an op of."""
    element = {"float32": f32, "bfloat16": bf16}[dtype]
    return Block(arg_types=[nn.tensor(element, each.shape) for each in arrays]).args


def hold(found: np.ndarray, must: np.ndarray, dtype: str) -> None:
    assert found.shape == must.shape
    assert found.dtype == np.dtype(dtype)
    error = np.abs(found.astype(np.float64) - must).max(initial=0.0)
    assert error <= TOLERANCE[dtype] * np.abs(must).max(initial=1e-3)


MATMULS = [("float32", 20, 200, 300), pytest.param("bfloat16", 16, 128, 256, marks=pytest.mark.slow)]
SLOW = range(50)


def check_matmul(interpreted, rng: np.random.Generator, dtype: str, m: int, n: int, k: int) -> None:
    x, w, bias = draw(rng, dtype, m, k), draw(rng, dtype, k, n), draw(rng, dtype, n)
    blocks = {"m": 16, "n": 128, "k": 128}
    found = interpreted(matmul, x, w, bias, blocks=blocks, activation=jax.nn.relu)
    wide = [each.astype(np.float64) for each in (x, w, bias)]
    hold(found, np.maximum(wide[0] @ wide[1] + wide[2], 0), dtype)


@pytest.mark.parametrize(("dtype", "m", "n", "k"), MATMULS)
def test_matmul(interpreted, dtype: str, m: int, n: int, k: int) -> None:
    check_matmul(interpreted, np.random.default_rng(m), dtype, m, n, k)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SLOW)
def test_matmul_of_random_shape(interpreted, seed: int) -> None:
    rng = np.random.default_rng(seed)
    dtype = ("float32", "bfloat16")[seed % 2]
    check_matmul(interpreted, rng, dtype, *(int(rng.integers(1, most)) for most in (40, 300, 400)))


def check_attention(interpreted, rng: np.random.Generator, shape: tuple[int, ...], dtype: str, **given: Any) -> None:
    b, heads, kv_heads, m, n, d = shape
    q, k, v = draw(rng, dtype, b, heads, m, d), draw(rng, dtype, b, kv_heads, n, d), draw(rng, dtype, b, kv_heads, n, d)
    found = interpreted(flash_attention, q, k, v, blocks={"i": 16, "j": 128}, scale=0.3, **given)
    op = nn.AttentionOp.make(*arguments(dtype, q, k, v), scale=0.3, **given)
    must = meaning.MEANING[nn.AttentionOp](op, *(each.astype(np.float64) for each in (q, k, v)))
    hold(found, must, dtype)


@pytest.mark.parametrize(
    ("shape", "dtype", "given"),
    [
        ((1, 4, 2, 13, 150, 8), "float32", {"causal": 1}),
        ((1, 2, 1, 20, 20, 16), "float32", {"causal": 1, "window": 5}),
        pytest.param((2, 2, 2, 3, 130, 8), "bfloat16", {"softcap": 2.0}, marks=pytest.mark.slow),
    ],
)
def test_attention(interpreted, shape, dtype: str, given: dict[str, Any]) -> None:
    check_attention(interpreted, np.random.default_rng(1), shape, dtype, **given)


@pytest.mark.parametrize("shape", [(2, 1, 1, 150), (2, 4, 13, 150), (13, 1)])
def test_attention_with_a_mask(interpreted, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(5)
    q, k, v = draw(rng, "float32", 2, 4, 13, 8), draw(rng, "float32", 2, 2, 150, 8), draw(rng, "float32", 2, 2, 150, 8)
    mask = rng.standard_normal(shape).astype(np.float32)
    if shape[-1] > 1:  # a row without keys would be what float32 leaves of its scores
        mask[rng.random(shape) < 0.3] = -1e9
    found = interpreted(flash_attention, q, k, v, mask, blocks={"i": 8, "j": 128}, scale=0.3)
    op = nn.AttentionOp.make(*arguments("float32", q, k, v, mask), scale=0.3)
    must = meaning.MEANING[nn.AttentionOp](op, *(each.astype(np.float64) for each in (q, k, v, mask)))
    hold(found, must, "float32")


def test_products_take_tensors_beside_them(interpreted) -> None:
    rng = np.random.default_rng(6)
    x, w = draw(rng, "float32", 2, 10, 30), draw(rng, "float32", 30, 140)
    gate, shift = draw(rng, "float32", 2, 10, 140), draw(rng, "float32", 140)
    given = {"blocks": {"m": 8, "n": 128, "k": 128}, "beside": (gate, shift)}
    found = interpreted(matmul, x, w, activation=lambda y, a, b: y * a + b, **given)
    hold(found, (x.astype(np.float64) @ w) * gate + shift, "float32")


@pytest.mark.slow
@pytest.mark.parametrize("seed", SLOW)
def test_attention_of_random_shape(interpreted, seed: int) -> None:
    rng = np.random.default_rng(seed)
    m, kv = int(rng.integers(1, 40)), int(rng.integers(1, 3))
    shape = (1, kv * int(rng.integers(1, 4)), kv, m, m + int(rng.integers(0, 300)), int(rng.choice([8, 24, 64])))
    given = {"causal": int(rng.random() < 0.7)}
    given |= {"window": int(rng.integers(1, 200))} if given["causal"] and rng.random() < 0.5 else {}
    check_attention(interpreted, rng, shape, ("float32", "bfloat16")[seed % 2], **given)


def check_norm(interpreted, rng: np.random.Generator, rows: int, width: int, centred: bool, dtype: str) -> None:
    x, scale, bias = draw(rng, dtype, rows, width), draw(rng, dtype, width), draw(rng, dtype, width)
    vectors = (scale, bias) if centred else (scale,)
    found = interpreted(norm, x, *vectors, blocks={"row": 16}, epsilon=1e-5, centred=centred)
    wide = x.astype(np.float64)
    wide = wide - wide.mean(1, keepdims=True) if centred else wide
    must = wide / np.sqrt(np.square(wide).mean(1, keepdims=True) + 1e-5) * scale.astype(np.float64)
    hold(found, must + bias.astype(np.float64) if centred else must, dtype)


@pytest.mark.parametrize(("rows", "width", "centred"), [(19, 100, True), (16, 256, False)])
def test_norm(interpreted, rows: int, width: int, centred: bool) -> None:
    check_norm(interpreted, np.random.default_rng(2), rows, width, centred, "float32")


@pytest.mark.slow
@pytest.mark.parametrize("seed", SLOW)
def test_norm_of_random_shape(interpreted, seed: int) -> None:
    rng = np.random.default_rng(seed)
    dtype = ("float32", "bfloat16")[seed % 2]
    check_norm(interpreted, rng, int(rng.integers(1, 60)), int(rng.integers(2, 600)), bool(rng.random() < 0.5), dtype)


def check_elementwise(interpreted, rng: np.random.Generator, rows: int, width: int) -> None:
    x, row, column = (draw(rng, "float32", *shape) for shape in ((rows, width), (1, width), (rows, 1)))
    found = interpreted(elementwise, lambda a, b, c: jnp.tanh(a) * b + c, x, row, column, blocks={"row": 8})
    hold(found, np.tanh(x.astype(np.float64)) * row + column, "float32")


def test_elementwise(interpreted) -> None:
    check_elementwise(interpreted, np.random.default_rng(3), 21, 70)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SLOW)
def test_elementwise_of_random_shape(interpreted, seed: int) -> None:
    rng = np.random.default_rng(seed)
    check_elementwise(interpreted, rng, int(rng.integers(2, 60)), int(rng.integers(2, 600)))


def check_convolution(interpreted, rng: np.random.Generator, sizes: tuple[int, ...], **given: Any) -> None:
    n, h, w, c, r, s, k = sizes
    x, kernel, bias = draw(rng, "float32", n, h, w, c), draw(rng, "float32", r, s, c, k), draw(rng, "float32", k)
    found = interpreted(convolution, x, kernel, bias, blocks={"p": 3, "k": 128, "c": 128}, **given)
    images = x.transpose(0, 3, 1, 2), kernel.transpose(3, 2, 0, 1), bias
    op = nn.ConvOp.make(*arguments("float32", *images), **given)
    must = meaning.MEANING[nn.ConvOp](op, *(each.astype(np.float64) for each in images))
    hold(found, must.transpose(0, 2, 3, 1), "float32")


@pytest.mark.parametrize(
    ("sizes", "given"),
    [
        ((1, 11, 12, 130, 3, 3, 7), {"strides": (1, 1), "pads": (1, 1, 1, 1)}),
        ((2, 9, 10, 5, 3, 2, 6), {"strides": (2, 3), "pads": (1, 0, 0, 1), "dilations": (2, 1)}),
    ],
)
def test_convolution(interpreted, sizes, given: dict[str, Any]) -> None:
    check_convolution(interpreted, np.random.default_rng(4), sizes, **given)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SLOW)
def test_convolution_of_random_shape(interpreted, seed: int) -> None:
    rng = np.random.default_rng(seed)
    pick = partial(rng.integers, endpoint=True)
    sizes = (
        1,
        int(pick(7, 20)),
        int(pick(7, 20)),
        int(pick(1, 150)),
        int(pick(1, 3)),
        int(pick(1, 3)),
        int(pick(1, 140)),
    )
    given = {name: tuple(int(x) for x in pick(1, 2, 2)) for name in ("strides", "dilations")}
    check_convolution(interpreted, rng, sizes, pads=tuple(int(x) for x in pick(0, 2, 4)), **given)


def test_a_race_is_found(interpreted) -> None:
    """Two cores that add to one block: what `dimension_semantics` would cause where it says too much."""

    def kernel(x: Any, out: Any) -> None:
        out[...] = x[...]

    def racing(x: Any, interpret: Any) -> Any:
        return pl.pallas_call(
            kernel,
            grid=(4,),
            in_specs=[pl.BlockSpec((8, 128), lambda i: (i, 0))],
            out_specs=pl.BlockSpec((8, 128), lambda i: (0, 0)),
            out_shape=jax.ShapeDtypeStruct((8, 128), jnp.float32),
            compiler_params=pltpu.CompilerParams(dimension_semantics=("parallel",)),
            interpret=interpret,
        )(x)

    interpreted(racing, np.zeros((32, 128), np.float32), races=True)
