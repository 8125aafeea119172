"""Plans of the kernels that multiply: matmul, attention, convolution."""

from __future__ import annotations

from ...planner.scratchpad.tiling import shapes
from ..dtypes import numpy_dtype
from .plan import Blocks, KernelPlan, choose, multiples
from .vmem import LANES, Held, split, sublanes, up

MOST_OF_PRODUCT = 1024
"""of rows, columns and sums in a block of a product: at 512 FLOP a byte, bfloat16 products are bound by arithmetic on
every TPU, and larger blocks take minutes to compile (232 s for 2048 x 4096 x 256 in float32, libtpu 0.0.51)"""
MOST_PLACES = 512
"""of queries and of keys in a block of attention: blocks of which no key is seen are left out, the more the smaller"""


def plan_matmul(
    m: int, n: int, k: int, dtype: str, vmem_bytes: float, bias: bool = False, beside: int = 0
) -> KernelPlan:
    """Of `kernels/matmul.py`, with so many tensors beside the result: blocks `m`, `n`, `k`."""
    nest = shapes.matmul("x", "w", "y", m, n, k, element=numpy_dtype(dtype).itemsize)
    steps = {"m": (sublanes(dtype), m), "n": (LANES, n), "k": (LANES, k)}
    sizes = {loop: multiples(step, extent, MOST_OF_PRODUCT) for loop, (step, extent) in steps.items()}

    def held(b: Blocks) -> list[Held]:
        return matmul_held(b["m"], b["n"], b["k"], dtype, bias, beside)

    return choose("matmul", nest, ("batch", "m", "n", "k"), {"batch": [1], **sizes}, held, vmem_bytes)


def matmul_held(m: int, n: int, k: int, dtype: str, bias: bool = False, beside: int = 0) -> list[Held]:
    """What the matmul kernel holds with such blocks."""
    parts = [Held("x", (m, k), dtype), Held("w", (k, n), dtype), Held("y", (m, n), dtype)]
    parts += [Held("bias", (1, n), dtype)] if bias else []
    parts += [Held(f"beside {i}", (m, n), dtype) for i in range(beside)]
    return [*parts, Held("sums", (m, n), "float32", 1), split("x", (m, k), dtype)]


def plan_attention(
    heads: int, kv_heads: int, queries: int, keys: int, dim: int, dtype: str, vmem_bytes: float, mask: bool = False
) -> KernelPlan:
    """Of `kernels/attention.py`, for all heads of all sequences: blocks `i` of queries and `j` of keys."""
    size = numpy_dtype(dtype).itemsize
    nest = shapes.attention("q", "k", "v", "y", heads, queries, keys, dim, kv_heads, element=size)
    rows, columns = multiples(sublanes(dtype), queries, MOST_PLACES), multiples(LANES, keys, MOST_PLACES)
    sizes = {"g": [1], "h": [1], "i": rows, "j": columns}

    def held(b: Blocks) -> list[Held]:
        return attention_held(b["i"], b["j"], dim, dtype, mask)

    return choose("attention", nest, ("g", "h", "i", "j"), sizes, held, vmem_bytes)


def attention_held(i: int, j: int, dim: int, dtype: str, mask: bool = False) -> list[Held]:
    """What the attention kernel holds with such blocks."""
    moved = [Held("q", (i, dim), dtype), Held("k", (j, dim), dtype), Held("v", (j, dim), dtype)]
    moved += [Held("mask", (i, j), dtype)] if mask else []
    rows = [Held("greatest", (i, LANES), "float32", 1), Held("total", (i, LANES), "float32", 1)]
    values = [Held("sums", (i, dim), "float32", 1), Held("scores", (i, j), "float32", 1)]
    pieces = [split("q", (i, dim), dtype), split("powers", (i, j), dtype)]
    return [*moved, Held("y", (i, dim), dtype), *rows, *values, Held("powers", (i, j), "float32", 1), *pieces]


def plan_convolution(
    n: int, c: int, filters: int, rows: shapes.Slide, columns: shapes.Slide, dtype: str, vmem_bytes: float,
    beside: int = 0,
) -> KernelPlan:  # fmt: skip
    """Of `kernels/convolution.py`: blocks `p` of output rows, `k` of filters and `c` of channels."""
    size = numpy_dtype(dtype).itemsize
    nest = shapes.convolution("x", "w", "y", n, c, filters, rows, columns, element=size)
    sizes = {
        "n": [1], "g": [1], "p": multiples(1, rows.places), "k": multiples(LANES, filters), "c": multiples(LANES, c),
    }  # fmt: skip

    def held(b: Blocks) -> list[Held]:
        return convolution_held(b["p"], b["k"], b["c"], rows, columns, dtype, beside)

    return choose("convolution", nest, ("n", "g", "k", "p", "c"), sizes, held, vmem_bytes)


def convolution_held(
    p: int, k: int, c: int, rows: shapes.Slide, columns: shapes.Slide, dtype: str, beside: int = 0
) -> list[Held]:
    """What the convolution kernel holds with such blocks: `rows.stride * columns.stride` phases of the image."""
    places = up(columns.places, sublanes(dtype))
    height = p + (rows.kernel - 1) * rows.dilation // rows.stride
    width = places + (columns.kernel - 1) * columns.dilation // columns.stride
    image = Held("x", (rows.stride * columns.stride * height, width, c), dtype)
    return [
        image,
        Held("w", (rows.kernel, columns.kernel, c, k), dtype),
        Held("y", (p, places, k), dtype),
        Held("bias", (1, k), dtype),
        Held("sums", (p * places, k), "float32", 1),
        Held("patch", (p * places, c), dtype, 1),
        split("patch", (p * places, c), dtype),
        *(Held(f"beside {i}", (p, places, k), dtype) for i in range(beside)),
    ]
