"""Convolution of images as a sum of products, one for each element of the window, accumulated in float32."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu

ROWS_OF_TILE = 8
"""places are rounded up to this, so that a reshape between rows and places moves nothing"""


class Window(NamedTuple):
    """How a window of (r, s) elements moves."""

    size: tuple[int, int]
    strides: tuple[int, int]
    dilations: tuple[int, int]

    @property
    def reach(self) -> tuple[int, int]:
        """By how much a phase must be larger than the output, on each axis."""
        each = zip(self.size, self.strides, self.dilations, strict=True)
        rows, columns = ((size - 1) * dilation // stride for size, stride, dilation in each)
        return rows, columns

    def place(self, i: int, j: int) -> tuple[int, int, int]:
        """(phase, row, column) at which element (i, j) of the window meets the first output."""
        row, up = divmod(i * self.dilations[0], self.strides[0])
        column, left = divmod(j * self.dilations[1], self.strides[1])
        return up * self.strides[1] + left, row, column


@jax.enable_x64(False)  # blocks are counted in 32 bits, whatever the network holds
def convolution(
    x: Array,
    w: Array,
    bias: Array | None = None,
    *,
    blocks: Mapping[str, int],
    strides: tuple[int, int] = (1, 1),
    pads: tuple[int, int, int, int] = (0, 0, 0, 0),
    dilations: tuple[int, int] = (1, 1),
    activation: Callable[..., Array] | None = None,
    beside: Sequence[Array] = (),
    vmem_bytes: int | None = None,
    interpret: Any = False,
) -> Array:
    """
    activation(x (n, h, w, c) * w (r, s, c, k) + bias (k), *beside) as (n, p, q, k); pads: before both axes, after both.

    Each beside has the shape of the result or k elements.
    Blocks `p` of output rows, `k` of filters, `c` of channels. The image is taken apart into phases, one for each place
    modulo the strides, so that every element of the window meets one piece of one phase without steps.
    """
    (n, _, _, c), (r, s, _, k) = x.shape, w.shape
    window = Window((r, s), strides, dilations)
    whole = [x.shape[a + 1] + pads[a] + pads[a + 2] for a in (0, 1)]
    p, q = ((whole[a] - dilations[a] * (w.shape[a] - 1) - 1) // strides[a] + 1 for a in (0, 1))
    bp, bk, bc = (min(blocks[loop], size) for loop, size in zip("pkc", (p, k, c), strict=True))
    places = -(-q // ROWS_OF_TILE) * ROWS_OF_TILE
    height, width = pl.cdiv(p, bp) * bp + window.reach[0], places + window.reach[1]
    if c % bc:  # channels past the end would be anything
        x = jnp.pad(x, ((0, 0),) * 3 + ((0, -c % bc),))
        w = jnp.pad(w, ((0, 0), (0, 0), (0, -c % bc), (0, 0)))
    phases = _phases(x, strides, pads, height, width)
    image = tuple(pl.Element(size) for size in (1, phases.shape[1], bp + window.reach[0], width, bc))
    operands, specs = [], []
    for each in beside:
        vector = each.size == k
        operands.append(
            each.reshape(1, 1, 1, k) if vector else jnp.pad(each, ((0, 0), (0, 0), (0, places - q), (0, 0)))
        )
        block = (1, 1, 1, bk) if vector else (1, bp, places, bk)
        specs.append(pl.BlockSpec(block, lambda b, f, i, step, v=vector: (0, 0, 0, f) if v else (b, i, 0, f)))
    result = pl.pallas_call(
        partial(_kernel, window=window, activation=activation),
        grid=(n, pl.cdiv(k, bk), pl.cdiv(p, bp), phases.shape[4] // bc),
        in_specs=[
            pl.BlockSpec(image, lambda b, f, i, step: (b, 0, i * bp, 0, step * bc if bc < c else 0)),
            pl.BlockSpec((r, s, bc, bk), lambda b, f, i, step: (0, 0, step, f)),
            pl.BlockSpec((1, bk), lambda b, f, i, step: (0, f)),
            *specs,
        ],
        out_specs=pl.BlockSpec((1, bp, places, bk), lambda b, f, i, step: (b, i, 0, f)),
        out_shape=jax.ShapeDtypeStruct((n, p, places, k), x.dtype),
        scratch_shapes=[pltpu.VMEM((bp * places, bk), jnp.float32)],
        compiler_params=pltpu.CompilerParams(
            dimension_semantics=("parallel", "parallel", "parallel", "arbitrary"), vmem_limit_bytes=vmem_bytes
        ),
        interpret=interpret,
    )(phases, w, jnp.zeros((1, k), x.dtype) if bias is None else bias.reshape(1, k), *operands)
    return result[:, :, :q]


def convolution_nchw(
    x: Array, w: Array, bias: Array | None = None, *, beside: Sequence[Array] = (), **options: Any
) -> Array:
    """
    `convolution` of x (n, c, h, w) with w (r, s, c, k) to (n, k, p, q), and everything beside it in that order too.

    Between kernels XLA may keep images with channels last, so that turning them twice moves nothing.
    """
    last = [each.transpose(0, 2, 3, 1) if each.ndim == 4 else each for each in beside]
    y = convolution(x.transpose(0, 2, 3, 1), w, bias, beside=last, **options)
    return y.transpose(0, 3, 1, 2)


def _kernel(x: Any, w: Any, bias: Any, *refs: Any, window: Window, activation: Callable[..., Array] | None) -> None:
    """One block of rows and filters takes in one block of channels; `refs` are beside, result and sums."""
    *beside, out, sums = refs
    step, (rows, places, filters) = pl.program_id(3), out.shape[1:]
    precision = lax.Precision.HIGHEST if x.dtype == jnp.float32 else None

    @pl.when(step == 0)
    def _() -> None:
        sums[...] = jnp.zeros_like(sums)

    for i in range(window.size[0]):
        for j in range(window.size[1]):
            phase, row, column = window.place(i, j)
            piece = x[0, phase, row : row + rows, column : column + places, :].reshape(rows * places, -1)
            sums[...] += jnp.dot(piece, w[i, j], precision=precision, preferred_element_type=jnp.float32)

    @pl.when(step == pl.num_programs(3) - 1)
    def _() -> None:
        y = sums[...] + bias[...].astype(jnp.float32)
        given = [each[0].reshape(-1, filters).astype(jnp.float32) for each in beside]
        y = y if activation is None else activation(y, *given)
        out[0] = y.reshape(rows, places, filters).astype(out.dtype)


def _phases(x: Array, strides: tuple[int, int], pads: tuple[int, ...], height: int, width: int) -> Array:
    """(n, phases, height, width, c): element (y, x) of phase (a, b) is (y * strides + a, x * strides + b)."""
    n, h, w, c = x.shape
    down, right = height * strides[0] - h - pads[0], width * strides[1] - w - pads[1]
    zero = jnp.zeros((), x.dtype)
    x = lax.pad(x, zero, [(0, 0, 0), (pads[0], down, 0), (pads[1], right, 0), (0, 0, 0)])
    x = x.reshape(n, height, strides[0], width, strides[1], c).transpose(0, 2, 4, 1, 3, 5)
    return x.reshape(n, strides[0] * strides[1], height, width, c)
