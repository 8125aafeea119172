"""Jitted functions that cases fuse behind products, or run as chains."""

# Triton's own type of jitted functions knows nothing of what they call:
# pyright: reportCallIssue=false

import triton
import triton.language as tl  # noqa: F401  the interpreter looks for it here

from dovetail.backends.triton.kernels.elementwise import silu, tanh_gelu


@triton.jit
def bias_gelu(x, bias):
    return tanh_gelu(x + bias)


@triton.jit
def gated(x, gate):
    return x * silu(gate)
