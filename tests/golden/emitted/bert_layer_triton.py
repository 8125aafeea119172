"""The network bert_layer in Triton: the kernels that it launches, in order."""

import triton
import triton.language as tl  # noqa: F401  the interpreter looks for it here
from kernels.attention import attention
from kernels.copy import copy
from kernels.elementwise import erf_gelu, maximum, minimum, tanh
from kernels.gather import gather
from kernels.matmul import matmul
from kernels.norm import norm
from kernels.pointwise import pointwise

INPUTS = {
    "tokens": ((1, 8), "int32"),
}
OUTPUTS = ["y0", "y1"]


@triton.jit
def chain_1(x1, x2):
    return maximum(x1, x2)


@triton.jit
def chain_2(x1, x2):
    return minimum(x1, x2)


@triton.jit
def chain_3(x1, x2, x3):
    return x1 + x2 + x3


@triton.jit
def chain_4(x1, x2):
    return x1 + x2


@triton.jit
def epilogue_1(x1, x2, x3):
    return x3 + (x1 + x2)


@triton.jit
def epilogue_2(x1, x2):
    return erf_gelu(x1 + x2)


@triton.jit
def epilogue_3(x1, x2):
    return tanh(x1 + x2)


def bert_layer(w, empty, tokens):
    """
    The outputs for these inputs; `empty(shape, dtype)` makes a buffer.

    tokens: int32 (1, 8)
    """
    max_1 = empty((1, 8), "int32")
    pointwise(
        (tokens, w["fill_1"].as_strided((), ())),
        max_1,
        chain_1,
        floats=False,
        block=1024,
        num_warps=4,
    )  # (1, 8)
    min_1 = empty((1, 8), "int32")
    pointwise(
        (max_1, w["fill_2"].as_strided((), ())),
        min_1,
        chain_2,
        floats=False,
        block=1024,
        num_warps=4,
    )  # (1, 8)
    gather_1 = empty((1, 8, 32), "float32")
    gather(
        w["weight_0"].as_strided((1, 50, 32), (1600, 32, 1)),
        min_1.as_strided((8,), (1,)),
        gather_1,
        block_rows=1,
        block_n=32,
        num_warps=1,
    )  # (1, 8, 32)
    fused_1 = empty((1, 8, 32), "float32")
    pointwise(
        (gather_1, w["reshape"], w["reshape_2"]),
        fused_1,
        chain_3,
        block=1024,
        num_warps=4,
    )  # (1, 8, 32)
    norm_1 = empty((1, 8, 32), "float32")
    norm(
        fused_1.as_strided((8, 32), (32, 1)),
        norm_1.as_strided((8, 32), (32, 1)),
        w["weight_3"],
        w["weight_4"],
        centred=True,
        epsilon=9.999999960041972e-13,
        block_rows=1,
        block_n=32,
        num_warps=1,
    )  # (1, 8, 32)
    matmul_1 = empty((1, 8, 96), "float32")
    matmul(
        norm_1.as_strided((8, 32), (32, 1)),
        w["weight_weight_weight"],
        matmul_1.as_strided((8, 96), (96, 1)),
        block_m=16,
        block_n=16,
        block_k=32,
        num_warps=4,
        num_stages=4,
    )  # (8, 32) (32, 96) -> (8, 96)
    add_1 = empty((1, 8, 32), "float32")
    pointwise(
        (
            matmul_1.as_strided((1, 8, 32), (768, 96, 1)),
            w["weight_6"].as_strided((1, 1, 32), (32, 32, 1)),
        ),
        add_1,
        chain_4,
        block=1024,
        num_warps=4,
    )  # (1, 8, 32)
    add_2 = empty((1, 8, 32), "float32")
    pointwise(
        (
            matmul_1.as_strided((1, 8, 32), (768, 96, 1), 32),
            w["weight_8"].as_strided((1, 1, 32), (32, 32, 1)),
        ),
        add_2,
        chain_4,
        block=1024,
        num_warps=4,
    )  # (1, 8, 32)
    add_3 = empty((1, 8, 32), "float32")
    pointwise(
        (
            matmul_1.as_strided((1, 8, 32), (768, 96, 1), 64),
            w["weight_10"].as_strided((1, 1, 32), (32, 32, 1)),
        ),
        add_3,
        chain_4,
        block=1024,
        num_warps=4,
    )  # (1, 8, 32)
    attention_1 = empty((1, 4, 8, 8), "float32")
    attention(
        add_1.as_strided((1, 4, 8, 8), (256, 8, 32, 1)),
        add_2.as_strided((1, 4, 8, 8), (256, 8, 32, 1)),
        add_3.as_strided((1, 4, 8, 8), (256, 8, 32, 1)),
        attention_1,
        scale=0.3535533966440824,
        block_m=16,
        block_n=16,
        num_warps=4,
        num_stages=4,
    )  # (1, 4, 8, 8) over (1, 4, 8, 8)
    copy_1 = empty((1, 8, 4, 8), "float32")
    copy(
        attention_1.as_strided((1, 8, 4, 8), (256, 8, 64, 1)),
        copy_1,
        block=1024,
        num_warps=4,
    )  # (1, 8, 4, 8)
    matmul_2 = empty((1, 8, 32), "float32")
    matmul(
        copy_1.as_strided((8, 32), (32, 1)),
        w["weight_11"],
        matmul_2.as_strided((8, 32), (32, 1)),
        [
            w["weight_12"].as_strided((8, 32), (0, 1)),
            norm_1.as_strided((8, 32), (32, 1)),
        ],
        epilogue_1,
        block_m=16,
        block_n=16,
        block_k=32,
        num_warps=4,
        num_stages=4,
    )  # (8, 32) (32, 32) -> (8, 32)
    norm_2 = empty((1, 8, 32), "float32")
    norm(
        matmul_2.as_strided((8, 32), (32, 1)),
        norm_2.as_strided((8, 32), (32, 1)),
        w["weight_13"],
        w["weight_14"],
        centred=True,
        epsilon=9.999999960041972e-13,
        block_rows=1,
        block_n=32,
        num_warps=1,
    )  # (1, 8, 32)
    matmul_3 = empty((1, 8, 128), "float32")
    matmul(
        norm_2.as_strided((8, 32), (32, 1)),
        w["weight_15"],
        matmul_3.as_strided((8, 128), (128, 1)),
        [w["weight_16"].as_strided((8, 128), (0, 1))],
        epilogue_2,
        block_m=16,
        block_n=16,
        block_k=32,
        num_warps=4,
        num_stages=4,
    )  # (8, 32) (32, 128) -> (8, 128)
    matmul_4 = empty((1, 8, 32), "float32")
    matmul(
        matmul_3.as_strided((8, 128), (128, 1)),
        w["weight_17"],
        matmul_4.as_strided((8, 32), (32, 1)),
        [
            w["weight_18"].as_strided((8, 32), (0, 1)),
            norm_2.as_strided((8, 32), (32, 1)),
        ],
        epilogue_1,
        block_m=16,
        block_n=16,
        block_k=128,
        num_warps=8,
        num_stages=4,
    )  # (8, 128) (128, 32) -> (8, 32)
    norm_3 = empty((1, 8, 32), "float32")
    norm(
        matmul_4.as_strided((8, 32), (32, 1)),
        norm_3.as_strided((8, 32), (32, 1)),
        w["weight_19"],
        w["weight_20"],
        centred=True,
        epsilon=9.999999960041972e-13,
        block_rows=1,
        block_n=32,
        num_warps=1,
    )  # (1, 8, 32)
    matmul_5 = empty((1, 32), "float32")
    matmul(
        norm_3.as_strided((1, 32), (32, 1)),
        w["weight_21"],
        matmul_5,
        [w["weight_22"].as_strided((1, 32), (32, 1))],
        epilogue_3,
        block_m=16,
        block_n=16,
        block_k=32,
        num_warps=4,
        num_stages=4,
    )  # (1, 32) (32, 32) -> (1, 32)
    return (norm_3, matmul_5)
