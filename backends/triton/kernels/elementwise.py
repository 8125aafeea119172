"""Triton frame for chains of elementwise operators: every operand is read once, the result written once."""

# Triton's own types of static_range and constexpr promise less than jitted functions may do with them:
# pyright: reportGeneralTypeIssues=false, reportArgumentType=false, reportCallIssue=false

import triton
import triton.language as tl


@triton.jit
def relu(x):
    """max(x, 0); not-a-number stays so."""
    return tl.maximum(x, 0.0, propagate_nan=tl.PropagateNan.ALL)


@triton.jit
def maximum(x, y):
    """The larger of x and y; not-a-number wins."""
    return tl.maximum(x, y, propagate_nan=tl.PropagateNan.ALL)


@triton.jit
def minimum(x, y):
    """The smaller of x and y; not-a-number wins."""
    return tl.minimum(x, y, propagate_nan=tl.PropagateNan.ALL)


@triton.jit
def tanh(x):
    """The hyperbolic tangent: near 0 its series, since 1 - exp(-2 |x|) loses digits there."""
    square = x * x
    series = x * (1.0 - square * (1.0 / 3.0 - square * (2.0 / 15.0)))
    small = tl.exp(-2.0 * tl.abs(x))
    far = (1.0 - small) / (1.0 + small)
    return tl.where(square < 0.01, series, tl.where(x < 0.0, -far, far))


@triton.jit
def erf_gelu(x):
    """x / 2 (1 + erf(x / sqrt(2)))."""
    return 0.5 * x * (1.0 + tl.erf(x * 0.7071067811865476))


@triton.jit
def tanh_gelu(x):
    """x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))."""
    return 0.5 * x * (1.0 + tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)))


@triton.jit
def silu(x):
    """x / (1 + exp(-x))."""
    return x * tl.sigmoid(x)


@triton.jit
def softplus(x):
    """log(1 + exp(x)), of which exp cannot overflow."""
    return tl.maximum(x, 0.0, propagate_nan=tl.PropagateNan.ALL) + tl.log(1.0 + tl.exp(-tl.abs(x)))


@triton.jit
def mish(x):
    """x tanh(softplus(x))."""
    return x * tanh(softplus(x))


@triton.jit
def hard_sigmoid(x):
    """x / 6 + 1 / 2, cut off below 0 and above 1."""
    return minimum(maximum(x * (1.0 / 6.0) + 0.5, 0.0), 1.0)


@triton.jit
def hard_swish(x):
    """x hard_sigmoid(x)."""
    return x * hard_sigmoid(x)


@triton.jit
def broadcast_offset(at, SIZE: tl.constexpr, VIEW: tl.constexpr):
    """
    Where an operand keeps the value that element `at` of the SIZE elements of the result needs.

    VIEW is a tuple of terms (inner, count, stride), one for each run of dimensions that the operand varies along:
    offset = sum(at // inner % count * stride). A scalar has no term.
    """
    offset = at * 0
    for term in tl.static_range(len(VIEW)):
        index = at // VIEW[term][0]
        # The outermost run ends with the result: without the remainder whole vectors are loaded.
        if VIEW[term][0] * VIEW[term][1] < SIZE:
            index = index % VIEW[term][1]
        offset += index * VIEW[term][2]
    return offset


@triton.jit
def elementwise(operands, out, SIZE: tl.constexpr, CHAIN: tl.constexpr, VIEWS: tl.constexpr, BLOCK: tl.constexpr):
    """
    out[i] = CHAIN(operands[0][view 0 of i], operands[1][view 1 of i], ...) for i < SIZE.

    One program computes BLOCK consecutive elements. Arithmetic is in float32, whatever the tensors hold; all
    tensors are contiguous. SIZE + BLOCK stays below 2**31, since offsets are 32-bit.
    """
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = at < SIZE
    values = ()
    for k in tl.static_range(len(operands)):
        value = tl.load(operands[k] + broadcast_offset(at, SIZE, VIEWS[k]), mask=inside)
        values = values + (value.to(tl.float32),)  # noqa: RUF005  Triton cannot unpack inside a tuple
    tl.store(out + at, CHAIN(*values), mask=inside)
