"""What kernels with a window over one to three dimensions share: sizes, and where a window reads."""

# Triton's own types of static_range and constexpr promise less than jitted functions may do with them:
# pyright: reportGeneralTypeIssues=false, reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false

from collections.abc import Sequence

import triton
import triton.language as tl

from .tensors import Tensor, require


@triton.jit
def window_offset(place, k, SIZE: tl.constexpr, KERNEL: tl.constexpr, STRIDE: tl.constexpr, DILATION: tl.constexpr,
                  PAD: tl.constexpr, OUT: tl.constexpr):  # fmt: skip
    """Where output pixels `place` read for the window elements `k` in one channel, and whether that is in the image."""
    depth = place // (OUT[1] * OUT[2]) * STRIDE[0] - PAD[0] + k // (KERNEL[1] * KERNEL[2]) * DILATION[0]
    height = place // OUT[2] % OUT[1] * STRIDE[1] - PAD[1] + k // KERNEL[2] % KERNEL[1] * DILATION[1]
    width = place % OUT[2] * STRIDE[2] - PAD[2] + k % KERNEL[2] * DILATION[2]
    inside = (depth >= 0) & (depth < SIZE[0]) & (height >= 0) & (height < SIZE[1]) & (width >= 0) & (width < SIZE[2])
    return (depth * SIZE[1] + height) * SIZE[2] + width, inside


@triton.jit
def operand_offset(batch, filter, place, STRIDES: tl.constexpr, OUT: tl.constexpr):
    """Where an operand that broadcasts to the output has pixel `place` of a filter of an image."""
    spatial = place // (OUT[1] * OUT[2]) * STRIDES[2] + place // OUT[2] % OUT[1] * STRIDES[3]
    return batch * STRIDES[0] + filter * STRIDES[1] + (spatial + place % OUT[2] * STRIDES[4])


def lifted(values: Sequence[int], filling: int) -> tuple[int, ...]:
    """What is said of one or two dimensions, of three: the first have `filling`."""
    return (filling,) * (3 - len(values)) + tuple(values)


def require_window(
    x: Tensor, out: Tensor, filters: int, kernel: Sequence[int], strides: Sequence[int], pads: Sequence[int],
    dilations: Sequence[int],
) -> tuple[int, ...]:  # fmt: skip
    """
    The sizes of `out`, (batch, filters, ...), of a window over x (batch, channels, ...); ValueError for other ones.

    Pads are those before each axis, and then those after.
    """
    batch, _, *size = x.size()
    rank = len(size)
    require(1 <= rank <= 3 and rank == len(kernel) == len(strides) == len(dilations), f"no window for {x.size()}")
    room = [s + pads[i] + pads[i + rank] - dilations[i] * (kernel[i] - 1) - 1 for i, s in enumerate(size)]
    wanted = (batch, filters, *(r // strides[i] + 1 for i, r in enumerate(room)))
    require(tuple(out.size()) == wanted, f"out {out.size()} is not {wanted}")
    return wanted
