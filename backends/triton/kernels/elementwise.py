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
def sign(x):
    """-1, 0 or 1, of infinity too; not-a-number stays so."""
    return tl.where(x > 0, 1, tl.where(x < 0, -1, x))


@triton.jit
def nearest(x):
    """The nearest integer, of two the even one: beyond 2^23 every float is one, below it adding 2^23 rounds."""
    shift = 8388608.0
    rounded = tl.abs(x) + shift - shift
    return tl.where(tl.abs(x) < shift, tl.where(x < 0.0, -rounded, rounded), x)


@triton.jit
def expm1(x):
    """exp(x) - 1: the error of u = exp(x) is that of x, if (u - 1) is set against log(u) (Kahan)."""
    u = tl.exp(x)
    near = (u - 1.0) * (x / tl.where(u == 1.0, 1.0, tl.log(u)))
    return tl.where(u == 1.0, x, tl.where(tl.abs(x) < 1.0, near, u - 1.0))


@triton.jit
def log1p(x):
    """log(1 + x): what u = 1 + x is off by is made good by x / (u - 1) (Kahan)."""
    u = 1.0 + x
    near = tl.log(u) * (x / tl.where(u == 1.0, 1.0, u - 1.0))
    return tl.where(u == 1.0, x, tl.where(tl.abs(x) < 1.0, near, tl.log(u)))


@triton.jit
def power(x, y):
    """|x|^y with the sign of an odd power, of zeros too; not-a-number for broken powers of numbers below 0."""
    y = tl.where(x != x, y, y)  # noqa: PLR0124 -- a number in the code has no truth values of Triton's when compared
    of_log = y * tl.log(tl.abs(x))
    size = tl.exp(tl.where((y == 0.0) | (tl.abs(x) == 1.0), 0.0, of_log))
    whole = tl.floor(y) == y
    half = y * 0.5
    odd = whole & (tl.floor(half) != half)
    signed = tl.where(odd, -size, size)
    without_root = (x == 0.0) | (tl.abs(x) == float("inf")) | (tl.abs(y) == float("inf"))
    below = tl.where(whole | without_root, signed, float("nan"))
    is_below = tl.cast(x, tl.float32).to(tl.int32, bitcast=True) < 0  # the sign, of -0 too
    unknown = ((x != x) & (y != 0.0)) | ((y != y) & (x != 1.0))  # noqa: PLR0124
    return tl.where(unknown, float("nan"), tl.where(is_below, below, size))


@triton.jit
def remainder(x, y):
    """
    What is left of x / y without its fraction, with the sign of x.

    Long division of float32 in float64: a step takes the leading 29 bits of the ratio times |y| away, which is exact,
    since 29 and 24 bits make 53. The largest ratio, 2^128 / 2^-149, takes ten steps; one more takes its last bits, and
    one makes good a ratio that was rounded up.
    """
    left, by = tl.abs(tl.cast(x, tl.float64)), tl.abs(tl.cast(y, tl.float64))
    for _ in tl.static_range(12):
        leading = (left / by).to(tl.int64, bitcast=True) & -16777216
        left = left - tl.floor(leading.to(tl.float64, bitcast=True)) * by
    signed = tl.where(x < 0.0, -left, left).to(tl.float32)
    return tl.where((tl.abs(y) == float("inf")) & (tl.abs(x) != float("inf")), x, signed)


@triton.jit
def modulo(x, y):
    """What is left of x / y rounded down, with the sign of y."""
    left = remainder(x, y)
    return tl.where((left != 0.0) & ((left < 0.0) != (y < 0.0)), left + y, left)


@triton.jit
def int_relu(x):
    """max(x, 0) of integers."""
    return tl.where(x > 0, x, x * 0)


@triton.jit
def int_sign(x):
    """-1, 0 or 1 of integers; Triton takes no -1 beside those without a sign."""
    return tl.where(x < 0, x * 0 - 1, tl.where(x > 0, x * 0 + 1, x * 0))


@triton.jit
def int_div(x, y):
    """x / y of integers without the fraction."""
    return x // y


@triton.jit
def int_rem(x, y):
    """What is left of x / y without the fraction, with the sign of x."""
    return x % y


@triton.jit
def int_mod(x, y):
    """What is left of x / y rounded down, with the sign of y."""
    left = int_rem(x, y)
    return tl.where((left != 0) & ((left < 0) != (y < 0)), left + y, left)


@triton.jit
def int_pow(x, y):
    """x^y of integers, y >= 0, by squaring."""
    result = x * 0 + 1
    for bit in tl.static_range(31):
        result = tl.where(((y >> bit) & 1) == 1, result * x, result)
        x = x * x
    return result


@triton.jit
def negation(x):
    """Whether x is not so."""
    return x == 0


@triton.jit
def both(x, y):
    """Whether x and y are so."""
    return x & y


@triton.jit
def either(x, y):
    """Whether x or y is so."""
    return x | y


@triton.jit
def one_of(x, y):
    """Whether x or y is so, but not both."""
    return x ^ y


@triton.jit
def broadcast_offset(at, SIZE: tl.constexpr, VIEWS: tl.constexpr, WHICH: tl.constexpr):
    """
    Where an operand keeps the value that element `at` of the SIZE elements of the result needs.

    VIEWS[WHICH] is inner, count and stride of each run of dimensions that it varies along, one after the other:
    offset = sum(at // inner % count * stride). That of a scalar is empty.
    """
    offset = at * 0
    # Before 3.9 Triton neither passes on an element of VIEWS nor names it.
    for term in tl.static_range(0, len(VIEWS[WHICH]), 3):
        index = at // VIEWS[WHICH][term]
        # The outermost run ends with the result: without the remainder whole vectors are loaded.
        if VIEWS[WHICH][term] * VIEWS[WHICH][term + 1] < SIZE:
            index = index % VIEWS[WHICH][term + 1]
        offset += index * VIEWS[WHICH][term + 2]
    return offset


@triton.jit
def elementwise(
    operands, out, SIZE: tl.constexpr, CHAIN: tl.constexpr, VIEWS: tl.constexpr, BLOCK: tl.constexpr,
    FLOATS: tl.constexpr = True,
):  # fmt: skip
    """
    out[i] = CHAIN(operands[0][view 0 of i], operands[1][view 1 of i], ...) for i < SIZE.

    One program computes BLOCK consecutive elements. Arithmetic is in float32 if FLOATS, whatever the tensors hold,
    else in their own types; all tensors are contiguous. SIZE + BLOCK stays below 2**31, since offsets are 32-bit.
    """
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = at < SIZE
    values = ()
    for k in tl.static_range(len(operands)):
        value = tl.load(operands[k] + broadcast_offset(at, SIZE, VIEWS, k), mask=inside)
        values = values + (value.to(tl.float32) if FLOATS else value,)  # Triton cannot unpack in tuples
    tl.store(out + at, CHAIN(*values), mask=inside)
