"""Matrix product with bias, activation and residual, accumulated in float32."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu


@jax.enable_x64(False)  # blocks are counted in 32 bits, whatever the network holds
def matmul(
    x: Array,
    w: Array,
    bias: Array | None = None,
    *,
    blocks: Mapping[str, int],
    activation: Callable[..., Array] | None = None,
    beside: Sequence[Array] = (),
    vmem_bytes: int | None = None,
    interpret: Any = False,
) -> Array:
    """
    activation(x (..., k) @ w (k, n) + bias (n), *beside), each beside having the shape of the result or n elements.

    Blocks `m`, `n`, `k` of the three loops; m are all rows of x.
    """
    *leading, k = x.shape
    m, n = prod(leading), w.shape[1]
    bm, bn, bk = (min(blocks[loop], size) for loop, size in zip("mnk", (m, n, k), strict=True))
    operands, specs = [x.reshape(m, k), w], [
        pl.BlockSpec((bm, bk), lambda i, j, step: (i, step)),
        pl.BlockSpec((bk, bn), lambda i, j, step: (step, j)),
    ]  # fmt: skip
    if bias is not None:
        operands.append(bias.reshape(1, n))
        specs.append(pl.BlockSpec((1, bn), lambda i, j, step: (0, j)))
    for each in beside:
        vector = each.size == n
        operands.append(each.reshape(1 if vector else m, n))
        specs.append(pl.BlockSpec((1, bn) if vector else (bm, bn), lambda i, j, step, v=vector: (0 if v else i, j)))
    result = pl.pallas_call(
        partial(_kernel, k=k, biased=bias is not None, activation=activation),
        grid=(pl.cdiv(m, bm), pl.cdiv(n, bn), pl.cdiv(k, bk)),
        in_specs=specs,
        out_specs=pl.BlockSpec((bm, bn), lambda i, j, step: (i, j)),
        out_shape=jax.ShapeDtypeStruct((m, n), x.dtype),
        scratch_shapes=[pltpu.VMEM((bm, bn), jnp.float32)],
        compiler_params=pltpu.CompilerParams(
            dimension_semantics=("parallel", "parallel", "arbitrary"), vmem_limit_bytes=vmem_bytes
        ),
        interpret=interpret,
    )(*operands)
    return result.reshape(*leading, n)


def _kernel(x: Any, w: Any, *refs: Any, k: int, biased: bool, activation: Callable[..., Array] | None) -> None:
    """One block of the result takes in one block of the k rows of w; `refs` are bias, beside, result and sums."""
    *more, out, sums = refs
    step, size = pl.program_id(2), x.shape[1]
    precision = lax.Precision.HIGHEST if x.dtype == jnp.float32 else None

    @pl.when(step == 0)
    def _() -> None:
        sums[...] = jnp.zeros_like(sums)

    a, b = x[...], w[...]
    if k % size:  # what lies past the end of the last block is anything, not a number too
        left = k - step * size
        a = jnp.where(lax.broadcasted_iota(jnp.int32, a.shape, 1) < left, a, 0)
        b = jnp.where(lax.broadcasted_iota(jnp.int32, b.shape, 0) < left, b, 0)
    sums[...] += jnp.dot(a, b, preferred_element_type=jnp.float32, precision=precision)

    @pl.when(step == pl.num_programs(2) - 1)
    def _() -> None:
        given = [each[...].astype(jnp.float32) for each in more]
        y = sums[...] + given.pop(0) if biased else sums[...]
        out[...] = (y if activation is None else activation(y, *given)).astype(out.dtype)
