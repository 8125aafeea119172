"""Any chain of elementwise functions, in one pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
from jax import Array
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu


@jax.enable_x64(False)  # blocks are counted in 32 bits, whatever the network holds
def elementwise(
    chain: Callable[..., Array],
    *operands: Array,
    blocks: Mapping[str, int],
    dtype: Any = None,
    vmem_bytes: int | None = None,
    interpret: Any = False,
) -> Array:
    """chain(operands): each (rows, n), a row (1, n), a column (rows, 1), or (1, 1). Blocks `row` of rows."""
    rows, n = (max(o.shape[axis] for o in operands) for axis in (0, 1))
    block = min(blocks["row"], rows)

    def spec(operand: Array) -> pl.BlockSpec:
        height, width = operand.shape
        if height == rows:
            return pl.BlockSpec((block, width), lambda i: (i, 0))
        return pl.BlockSpec((1, width), lambda i: (0, 0))

    def kernel(*refs: Any) -> None:
        *given, out = refs
        out[...] = chain(*(ref[...] for ref in given)).astype(out.dtype)

    return pl.pallas_call(
        kernel,
        grid=(pl.cdiv(rows, block),),
        in_specs=[spec(operand) for operand in operands],
        out_specs=pl.BlockSpec((block, n), lambda i: (i, 0)),
        out_shape=jax.ShapeDtypeStruct((rows, n), dtype or operands[0].dtype),
        compiler_params=pltpu.CompilerParams(dimension_semantics=("parallel",), vmem_limit_bytes=vmem_bytes),
        interpret=interpret,
    )(*operands)
