"""The network small_cnn in Triton: the kernels that it launches, in order."""

import triton
import triton.language as tl  # noqa: F401  the interpreter looks for it here
from kernels.conv import conv
from kernels.elementwise import relu
from kernels.matmul import matmul
from kernels.pool import pool
from kernels.reduce import reduce
from kernels.softmax import softmax

INPUTS = {
    "image": ((1, 3, 16, 16), "float32"),
}
OUTPUTS = ["y"]


@triton.jit
def epilogue_1(x1):
    return relu(x1)


@triton.jit
def epilogue_2(x1, x2):
    return x2 + relu(x1)


def small_cnn(w, empty, image):
    """
    The outputs for these inputs; `empty(shape, dtype)` makes a buffer.

    image: float32 (1, 3, 16, 16)
    """
    conv_1 = empty((1, 8, 8, 8), "float32")
    conv(
        image,
        w["weight_0"],
        conv_1,
        (),
        epilogue_1,
        strides=(2, 2),
        pads=(0, 0, 1, 1),
        dilations=(1, 1),
        groups=1,
        block_m=16,
        block_n=16,
        block_k=32,
        num_warps=4,
        num_stages=4,
    )  # (1, 3, 16, 16) (8, 3, 3, 3) -> (1, 8, 8, 8)
    conv_2 = empty((1, 8, 8, 8), "float32")
    conv(
        conv_1,
        w["weight_1"],
        conv_2,
        [conv_1],
        epilogue_2,
        strides=(1, 1),
        pads=(1, 1, 1, 1),
        dilations=(1, 1),
        groups=1,
        block_m=16,
        block_n=16,
        block_k=64,
        num_warps=4,
        num_stages=4,
    )  # (1, 8, 8, 8) (8, 8, 3, 3) -> (1, 8, 8, 8)
    pool_1 = empty((1, 8, 4, 4), "float32")
    pool(
        conv_2,
        pool_1,
        mean=False,
        kernel=(2, 2),
        strides=(2, 2),
        pads=(0, 0, 0, 0),
        dilations=(1, 1),
        block=256,
        num_warps=4,
    )  # (1, 8, 8, 8) -> (1, 8, 4, 4)
    mean_1 = empty((1, 8, 1, 1), "float32")
    reduce(
        pool_1, mean_1, axes=(2, 3), kind="mean", block_kept=1, block_n=16, num_warps=1
    )  # (1, 8, 4, 4) -> (1, 8, 1, 1)
    matmul_1 = empty((1, 10), "float32")
    matmul(
        mean_1.as_strided((1, 8), (8, 1)),
        w["weight_2"],
        matmul_1,
        block_m=16,
        block_n=16,
        block_k=16,
        num_warps=4,
        num_stages=4,
    )  # (1, 8) (8, 10) -> (1, 10)
    softmax_1 = empty((1, 10), "float32")
    softmax(
        matmul_1, softmax_1, axis=1, block_kept=1, block_n=16, num_warps=1
    )  # (1, 10)
    return (softmax_1,)
