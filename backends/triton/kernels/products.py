"""What kernels of matrix products share: the loop over k, the order of tiles, and the epilogue."""

# Triton's own types of static_range and constexpr promise less than jitted functions may do with them:
# pyright: reportGeneralTypeIssues=false, reportArgumentType=false, reportCallIssue=false

import triton
import triton.language as tl
from triton import knobs

INTERPRETED = tl.constexpr(bool(knobs.runtime.interpret))


@triton.jit
def identity(x):
    """The epilogue that changes nothing."""
    return x


@triton.jit
def dot(a, b, total, PRECISION: tl.constexpr):
    """total + a b in float32; PRECISION is what a product of float32 is computed in: ieee, tf32x3 or tf32."""
    if INTERPRETED:
        # The interpreter keeps bf16 as integers and would multiply those.
        a = a.to(tl.float32)
        b = b.to(tl.float32)
    return tl.dot(a, b, total, input_precision=PRECISION)


@triton.jit
def place_of_tile(tile, tiles_m, tiles_n, GROUP: tl.constexpr):
    """
    (row, column) of a tile: GROUP rows of tiles are walked column by column.

    Programs that run at the same time then read few rows and few columns, which stay in the L2 cache.
    """
    wide = GROUP * tiles_n
    first = tile // wide * GROUP
    high = tl.minimum(tiles_m - first, GROUP)
    within = tile % wide
    return first + within % high, within // high


@triton.jit
def product(
    a, b, m, n, k, a_strides, b_strides,
    EVEN_K: tl.constexpr, PRECISION: tl.constexpr,
    BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr,
):  # fmt: skip
    """
    The tile a[:BLOCK_M, :] b[:, :BLOCK_N] in float32; a and b point at its first row and column.

    m rows of a and n columns of b exist, what is beyond counts as 0. EVEN_K says that BLOCK_K divides k.
    """
    rows = tl.arange(0, BLOCK_M)
    columns = tl.arange(0, BLOCK_N)
    inner = tl.arange(0, BLOCK_K)
    a_at = a + rows[:, None] * a_strides[0] + inner[None, :] * a_strides[1]
    b_at = b + inner[:, None] * b_strides[0] + columns[None, :] * b_strides[1]
    total = tl.zeros((BLOCK_M, BLOCK_N), tl.float32)
    for start in range(0, k, BLOCK_K):
        a_mask = rows[:, None] < m
        b_mask = columns[None, :] < n
        if not EVEN_K:
            a_mask &= inner[None, :] < k - start
            b_mask &= inner[:, None] < k - start
        a_tile = tl.load(a_at, mask=a_mask, other=0.0)
        b_tile = tl.load(b_at, mask=b_mask, other=0.0)
        total = dot(a_tile, b_tile, total, PRECISION)
        a_at += BLOCK_K * a_strides[1]
        b_at += BLOCK_K * b_strides[0]
    return total


@triton.jit
def finish(total, operands, batch, first_row, first_column, m, n, STRIDES: tl.constexpr, EPILOGUE: tl.constexpr):
    """
    EPILOGUE(total, *operands) of the tile that starts at (batch, first_row, first_column) of a (batches, m, n) tensor.

    STRIDES has (batch, row, column) strides of each operand, 0 where it broadcasts, and then it is read once.
    """
    rows = first_row + tl.arange(0, total.shape[0])
    columns = first_column + tl.arange(0, total.shape[1])
    values = ()
    for i in tl.static_range(len(operands)):
        at = operands[i] + batch.to(tl.int64) * STRIDES[i][0] + tl.zeros((1, 1), tl.int64)
        inside = tl.full((1, 1), 1, tl.int1)
        if STRIDES[i][1] != 0:
            at += rows[:, None].to(tl.int64) * STRIDES[i][1]
            inside = inside & (rows[:, None] < m)
        if STRIDES[i][2] != 0:
            at += columns[None, :].to(tl.int64) * STRIDES[i][2]
            inside = inside & (columns[None, :] < n)
        values = values + (tl.load(at, mask=inside).to(tl.float32),)  # Triton cannot unpack inside a tuple
    return EPILOGUE(total, *values)


@triton.jit
def store_tile(out, total, first_row, first_column, m, n, row_stride, column_stride):
    """Write the tile to rows `first_row` and on and columns `first_column` and on of the (m, n) matrix `out`."""
    rows = first_row + tl.arange(0, total.shape[0])
    columns = first_column + tl.arange(0, total.shape[1])
    at = out + rows[:, None].to(tl.int64) * row_stride + columns[None, :].to(tl.int64) * column_stride
    tl.store(at, total.to(out.dtype.element_ty), mask=(rows[:, None] < m) & (columns[None, :] < n))
