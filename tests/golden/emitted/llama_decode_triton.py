"""The network llama_decode in Triton: the kernels that it launches, in order."""

import triton
import triton.language as tl  # noqa: F401  the interpreter looks for it here
from kernels.attention import attention
from kernels.copy import copy
from kernels.elementwise import silu
from kernels.matmul import matmul
from kernels.norm import norm
from kernels.pointwise import pointwise
from kernels.rotary import rotary

INPUTS = {
    "x": ((1, 1, 32), "float32"),
    "k": ((1, 2, 8, 8), "float32"),
    "v": ((1, 2, 8, 8), "float32"),
}
OUTPUTS = ["y0", "y1.0", "y1.1"]


@triton.jit
def epilogue_1(x1, x2):
    return x2 + x1


@triton.jit
def chain_1(x1, x2):
    return silu(x1) * x2


def llama_decode(w, empty, x, k, v):
    """
    The outputs for these inputs; `empty(shape, dtype)` makes a buffer.

    x: float32 (1, 1, 32)
    k: float32 (1, 2, 8, 8)
    v: float32 (1, 2, 8, 8)
    """
    norm_1 = empty((1, 1, 32), "float32")
    norm(
        x.as_strided((1, 32), (32, 1)),
        norm_1.as_strided((1, 32), (32, 1)),
        w["weight_0"],
        centred=False,
        epsilon=9.999999747378752e-06,
        block_rows=1,
        block_n=32,
        num_warps=1,
    )  # (1, 1, 32)
    matmul_1 = empty((1, 1, 64), "float32")
    matmul(
        norm_1.as_strided((1, 32), (32, 1)),
        w["weight_weight_weight"],
        matmul_1.as_strided((1, 64), (64, 1)),
        block_m=16,
        block_n=16,
        block_k=32,
        num_warps=4,
        num_stages=4,
    )  # (1, 32) (32, 64) -> (1, 64)
    rotary_1 = empty((1, 4, 1, 8), "float32")
    rotary(
        matmul_1.as_strided((1, 4, 1, 8), (32, 8, 8, 1)),
        w["constant_9"].as_strided((1, 4), (4, 1)),
        w["constant_10"].as_strided((1, 4), (4, 1)),
        rotary_1,
        block_rows=1,
        num_warps=1,
    )  # (1, 4, 1, 8)
    rotary_2 = empty((1, 2, 1, 8), "float32")
    rotary(
        matmul_1.as_strided((1, 2, 1, 8), (16, 8, 8, 1), 32),
        w["constant_9"].as_strided((1, 4), (4, 1)),
        w["constant_10"].as_strided((1, 4), (4, 1)),
        rotary_2,
        block_rows=1,
        num_warps=1,
    )  # (1, 2, 1, 8)
    concat_1 = empty((1, 2, 9, 8), "float32")
    copy(
        k, concat_1.as_strided((1, 2, 8, 8), (144, 72, 8, 1)), block=1024, num_warps=4
    )  # (1, 2, 8, 8)
    copy(
        rotary_2,
        concat_1.as_strided((1, 2, 1, 8), (144, 72, 8, 1), 64),
        block=1024,
        num_warps=4,
    )  # (1, 2, 1, 8)
    concat_2 = empty((1, 2, 9, 8), "float32")
    copy(
        v, concat_2.as_strided((1, 2, 8, 8), (144, 72, 8, 1)), block=1024, num_warps=4
    )  # (1, 2, 8, 8)
    copy(
        matmul_1.as_strided((1, 2, 1, 8), (16, 8, 8, 1), 48),
        concat_2.as_strided((1, 2, 1, 8), (144, 72, 8, 1), 64),
        block=1024,
        num_warps=4,
    )  # (1, 2, 1, 8)
    attention_1 = empty((1, 4, 1, 8), "float32")
    attention(
        rotary_1,
        concat_1,
        concat_2,
        attention_1,
        scale=0.3535533966440824,
        block_m=16,
        block_n=16,
        num_warps=4,
        num_stages=4,
    )  # (1, 4, 1, 8) over (1, 2, 9, 8)
    matmul_2 = empty((1, 1, 32), "float32")
    matmul(
        attention_1.as_strided((1, 32), (32, 1)),
        w["weight_4"],
        matmul_2.as_strided((1, 32), (32, 1)),
        [x.as_strided((1, 32), (32, 1))],
        epilogue_1,
        block_m=16,
        block_n=16,
        block_k=32,
        num_warps=4,
        num_stages=4,
    )  # (1, 32) (32, 32) -> (1, 32)
    norm_2 = empty((1, 1, 32), "float32")
    norm(
        matmul_2.as_strided((1, 32), (32, 1)),
        norm_2.as_strided((1, 32), (32, 1)),
        w["weight_5"],
        centred=False,
        epsilon=9.999999747378752e-06,
        block_rows=1,
        block_n=32,
        num_warps=1,
    )  # (1, 1, 32)
    matmul_3 = empty((1, 1, 96), "float32")
    matmul(
        norm_2.as_strided((1, 32), (32, 1)),
        w["weight_weight"],
        matmul_3.as_strided((1, 96), (96, 1)),
        block_m=16,
        block_n=16,
        block_k=32,
        num_warps=4,
        num_stages=4,
    )  # (1, 32) (32, 96) -> (1, 96)
    fused_1 = empty((1, 1, 48), "float32")
    pointwise(
        (
            matmul_3.as_strided((1, 1, 48), (96, 96, 1)),
            matmul_3.as_strided((1, 1, 48), (96, 96, 1), 48),
        ),
        fused_1,
        chain_1,
        block=1024,
        num_warps=4,
    )  # (1, 1, 48)
    matmul_4 = empty((1, 1, 32), "float32")
    matmul(
        fused_1.as_strided((1, 48), (48, 1)),
        w["weight_8"],
        matmul_4.as_strided((1, 32), (32, 1)),
        [matmul_2.as_strided((1, 32), (32, 1))],
        epilogue_1,
        block_m=16,
        block_n=16,
        block_k=64,
        num_warps=4,
        num_stages=4,
    )  # (1, 48) (48, 32) -> (1, 32)
    return (matmul_4, concat_1, concat_2)
