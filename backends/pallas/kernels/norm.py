"""Layer norm and RMS norm of rows, worked out in float32."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu


def norm(
    x: Array,
    scale: Array | None = None,
    bias: Array | None = None,
    *,
    blocks: Mapping[str, int],
    epsilon: float,
    centred: bool,
    vmem_bytes: int | None = None,
    interpret: Any = False,
) -> Array:
    """
    Normalise each row of (rows, n): with its mean taken off if `centred` (layer norm), else as it is (RMS norm).

    Blocks `row` of rows.
    """
    rows, n = x.shape
    vectors = [v.reshape(1, n) for v in (scale, bias) if v is not None]
    block = min(blocks["row"], rows)
    row_block, vector_block = pl.BlockSpec((block, n), lambda i: (i, 0)), pl.BlockSpec((1, n), lambda i: (0, 0))

    def kernel(x: Any, *refs: Any) -> None:
        *vectors, out = refs
        value = x[...].astype(jnp.float32)
        if centred:
            value = value - value.mean(axis=1, keepdims=True)
        value = value * lax.rsqrt((value * value).mean(axis=1, keepdims=True) + epsilon)
        given = iter(vectors)
        if scale is not None:
            value = value * next(given)[...].astype(jnp.float32)
        if bias is not None:
            value = value + next(given)[...].astype(jnp.float32)
        out[...] = value.astype(out.dtype)

    return pl.pallas_call(
        kernel,
        grid=(pl.cdiv(rows, block),),
        in_specs=[row_block, *[vector_block] * len(vectors)],
        out_specs=row_block,
        out_shape=jax.ShapeDtypeStruct(x.shape, x.dtype),
        compiler_params=pltpu.CompilerParams(dimension_semantics=("parallel",), vmem_limit_bytes=vmem_bytes),
        interpret=interpret,
    )(x, *vectors)
