"""Layer norm and RMS norm of rows, worked out in float32."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu


@jax.enable_x64(False)  # blocks are counted in 32 bits, whatever the network holds
def norm(
    x: Array,
    scale: Array | None = None,
    bias: Array | None = None,
    *,
    blocks: Mapping[str, int],
    epsilon: float,
    centred: bool,
    axes: int = 1,
    vmem_bytes: int | None = None,
    interpret: Any = False,
) -> Array:
    """
    Normalise the last `axes` axes of x together: with the mean taken off if `centred` (layer norm), else as they
    are (RMS norm).

    Scale and bias have the shape of these axes. Blocks `row` of rows, which are all that lies before them.
    """
    rows, n = prod(x.shape[:-axes]), prod(x.shape[-axes:])
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

    result = pl.pallas_call(
        kernel,
        grid=(pl.cdiv(rows, block),),
        in_specs=[row_block, *[vector_block] * len(vectors)],
        out_specs=row_block,
        out_shape=jax.ShapeDtypeStruct((rows, n), x.dtype),
        compiler_params=pltpu.CompilerParams(dimension_semantics=("parallel",), vmem_limit_bytes=vmem_bytes),
        interpret=interpret,
    )(x.reshape(rows, n), *vectors)
    return result.reshape(x.shape)
