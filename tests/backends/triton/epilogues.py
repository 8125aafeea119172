"""Epilogues that tests fuse behind products; the interpreter's process imports them."""

import triton
import triton.language as tl  # noqa: F401  the interpreter looks for it here

from dovetail.backends.triton.kernels.elementwise import erf_gelu, relu, silu


@triton.jit
def bias_gelu(x, bias):
    return erf_gelu(x + bias)


@triton.jit
def scale_bias_relu_residual(x, scale, bias, residual):
    return relu(x * scale + bias) + residual


@triton.jit
def gated(x, gate):
    return x * silu(gate)


@triton.jit
def bias_residual(x, bias, residual):
    return x + bias + residual
