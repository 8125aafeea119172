"""Layer norm, RMS norm and group norm, with a residual added before."""

# Triton's own types of static_range and constexpr promise less than jitted functions may do with them:
# pyright: reportGeneralTypeIssues=false, reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false

import triton
import triton.language as tl

from .tensors import Tensor, is_empty, require, require_narrow


@triton.jit
def row_part(x, residual, at, inside):
    """x, plus the residual if there is one, in float32."""
    value = tl.load(x + at, mask=inside, other=0.0).to(tl.float32)
    if residual is not None:
        value += tl.load(residual + at, mask=inside, other=0.0).to(tl.float32)
    return value


@triton.jit
def scaled(normal, scale, bias, at, inside):
    """normal * scale + bias, as far as they are there."""
    if scale is not None:
        normal *= tl.load(scale + at, mask=inside, other=0.0).to(tl.float32)
    if bias is not None:
        normal += tl.load(bias + at, mask=inside, other=0.0).to(tl.float32)
    return normal


@triton.jit
def norm_kernel(
    x, residual, total, scale, bias, out, rows, n, epsilon,
    CENTRED: tl.constexpr, GROUPS: tl.constexpr, REPEAT: tl.constexpr, WHOLE: tl.constexpr,
    BLOCK_ROWS: tl.constexpr, BLOCK_N: tl.constexpr,
):  # fmt: skip
    """
    One program normalises BLOCK_ROWS rows of n elements, in one piece if WHOLE, that is if n fits into BLOCK_N.

    Element j of row r has the gain (r % GROUPS) * (n // REPEAT) + j // REPEAT.
    """
    first = tl.program_id(0).to(tl.int64) * BLOCK_ROWS * n
    local = tl.arange(0, BLOCK_ROWS)
    row = tl.program_id(0) * BLOCK_ROWS + local
    exists = (row < rows)[:, None]
    columns = tl.arange(0, BLOCK_N)
    x += first
    out += first
    if residual is not None:
        residual += first
    if total is not None:
        total += first
    gain = (row % GROUPS * (n // REPEAT))[:, None]
    if WHOLE:
        inside = exists & (columns < n)[None, :]
        at = local[:, None] * n + columns[None, :]
        value = row_part(x, residual, at, inside)
        if total is not None:
            tl.store(total + at, value.to(total.dtype.element_ty), mask=inside)
        if CENTRED:
            value = tl.where(inside, value - (tl.sum(value, 1) / n)[:, None], 0.0)
        inverse = tl.rsqrt(tl.sum(value * value, 1) / n + epsilon)
        result = scaled(value * inverse[:, None], scale, bias, gain + (columns // REPEAT)[None, :], inside)
        tl.store(out + at, result.to(out.dtype.element_ty), mask=inside)
    else:
        mean = tl.zeros((BLOCK_ROWS,), tl.float32)
        if CENTRED:
            for start in range(0, n, BLOCK_N):
                inside = exists & (start + columns < n)[None, :]
                mean += tl.sum(row_part(x, residual, local[:, None] * n + (start + columns)[None, :], inside), 1)
            mean = mean / n
        square = tl.zeros((BLOCK_ROWS,), tl.float32)
        for start in range(0, n, BLOCK_N):
            inside = exists & (start + columns < n)[None, :]
            value = row_part(x, residual, local[:, None] * n + (start + columns)[None, :], inside)
            value = tl.where(inside, value - mean[:, None], 0.0)
            square += tl.sum(value * value, 1)
        inverse = tl.rsqrt(square / n + epsilon)
        for start in range(0, n, BLOCK_N):
            inside = exists & (start + columns < n)[None, :]
            at = local[:, None] * n + (start + columns)[None, :]
            value = row_part(x, residual, at, inside)
            if total is not None:
                tl.store(total + at, value.to(total.dtype.element_ty), mask=inside)
            normal = (value - mean[:, None]) * inverse[:, None]
            result = scaled(normal, scale, bias, gain + ((start + columns) // REPEAT)[None, :], inside)
            tl.store(out + at, result.to(out.dtype.element_ty), mask=inside)


def norm(
    x: Tensor,
    out: Tensor,
    scale: Tensor | None = None,
    bias: Tensor | None = None,
    residual: Tensor | None = None,
    total: Tensor | None = None,
    *,
    centred: bool,
    epsilon: float,
    groups: int = 1,
    repeat: int = 1,
    block_rows: int,
    block_n: int,
    num_warps: int,
) -> None:
    """
    Rows of y = x + residual (which is written to `total` if given), normalised: layer norm if `centred`, else RMS norm.

        reference, in float64: c = y - y.mean(1) if centred else y;
        out = c / sqrt((c * c).mean(1) + epsilon) * scale + bias

    All of shape (rows, n) and contiguous; scale and bias, of n elements, may be absent. For group norm, rows are the
    groups of channels of a batch of images, `groups` of them an image, and each element of scale and bias, of all
    channels, is that of `repeat` neighbours. Rows longer than `block_n` are read two or three times.
    """
    rows, n = x.size()
    shapes = {tuple(t.size()) for t in (x, out, residual, total) if t is not None}
    require(len(shapes) == 1, f"x, out, residual and total differ in shape: {shapes}")
    gains = groups * n // max(1, repeat)
    for name, gain in (("scale", scale), ("bias", bias)):
        require(gain is None or tuple(gain.size()) == (gains,), f"the {name} is not one of {gains} elements")
    contiguous = all(t.stride()[1] == 1 and t.stride()[0] == n for t in (x, out, residual, total) if t is not None)
    require(contiguous or is_empty(x) or rows == 1, "x, out, residual and total must be contiguous")
    if is_empty(out):
        return
    require_narrow("x", block_rows * n + block_n)
    norm_kernel[(triton.cdiv(rows, block_rows),)](
        x, residual, total, scale, bias, out, rows, n, epsilon, CENTRED=centred, GROUPS=groups, REPEAT=repeat,
        WHOLE=n <= block_n, BLOCK_ROWS=block_rows, BLOCK_N=block_n, num_warps=num_warps,
    )  # fmt: skip
