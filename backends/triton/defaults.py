"""
The kernels of the library bound to usual shapes, for compiling them with no GPU at hand and for tables.

Tiles are those that the cost functions choose for a device of the target and the shape named in `what`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...costmodel.hardware import Device, find_device
from .ahead_of_time import CompiledKernel, Types, compile_kernel
from .attention_tiles import attention_tiles, decode_tiles
from .row_tiles import reduction_tiles, row_tiles
from .tiles import Tiles, Work, matmul_tiles

DEVICES = {"sm_80": "a100-sxm", "sm_90": "h100-sxm", "sm_100": "b200-sxm", "gfx942": "mi300x"}
"""target -> the device whose figures choose tiles"""
POINTERS = {"float32": "*fp32", "float16": "*fp16", "bfloat16": "*bf16", "float8_e4m3fn": "*fp8e4nv"}
I32, ROWS, IMAGES = ("i32",) * 3, ("i32", "1"), ("i32", "i32", "i32", "1")
PLANES = ("i32", "i32", "1")
"""strides of row-major tensors of rank 3"""


@dataclass(frozen=True)
class Binding:
    """A kernel and everything that it is compiled with."""

    kernel: str
    what: str
    """shape and dtype"""
    tiles: str
    function: Any
    types: Mapping[str, Types]
    constants: Mapping[str, Any]
    num_warps: int
    num_stages: int = 1

    def compile(self, target: str) -> CompiledKernel:
        """For `target`, with no GPU."""
        return compile_kernel(
            self.function, self.types, self.constants, target, num_warps=self.num_warps, num_stages=self.num_stages
        )


def bindings(target: str) -> list[Binding]:
    """Every kernel in its default configuration; without products of fp8 on sm_80, which has none."""
    device = find_device(DEVICES[target])
    assert device is not None
    kinds = (_products, _convolutions, _attentions, _rows, _searches, _movements)
    made = (b for kind in kinds for b in kind(device))
    return [b for b in made if not (target == "sm_80" and b.kernel == "fp8_matmul")]


def _product(
    kernel: str, what: str, function: Any, types: Mapping[str, Types], tiles: Tiles, **constants: Any
) -> Binding:
    from .kernels.products import identity

    blocks = {"BLOCK_M": tiles.block_m, "BLOCK_N": tiles.block_n, "BLOCK_K": tiles.block_k}
    shared = {"STRIDES": (), "EPILOGUE": identity, **blocks, **constants}
    text = f"{tiles.block_m} x {tiles.block_n} x {tiles.block_k}"
    given = {"operands": (), **types}
    return Binding(kernel, what, text, function, given, shared, tiles.num_warps, tiles.num_stages)


def _products(device: Device) -> Iterator[Binding]:
    from .kernels.fp8_matmul import fp8_matmul_kernel
    from .kernels.grouped_matmul import grouped_matmul_kernel
    from .kernels.matmul import matmul_kernel
    from .kernels.quantised_matmul import quantised_matmul_kernel

    for dtype, m in (("float16", 4096), ("bfloat16", 4096), ("float16", 16), ("float32", 4096)):
        types = dict.fromkeys(("a", "b", "out"), POINTERS[dtype]) | {"sizes": I32}
        types |= dict.fromkeys(("a_strides", "b_strides", "out_strides"), PLANES)
        tiles = matmul_tiles(device, Work(m, 4096, 4096, dtype=dtype))
        extra = {"EVEN_K": True, "PRECISION": "ieee", "GROUP": 8}
        yield _product("matmul", f"{m} x 4096 x 4096 {dtype}", matmul_kernel, types, tiles, **extra)
    types = dict.fromkeys(("a", "b", "out"), "*bf16") | {"group_sizes": "*i64", "sizes": I32}
    types |= {"a_strides": ROWS, "b_strides": PLANES, "out_strides": ROWS}
    tiles = matmul_tiles(device, Work(512, 14336, 4096, batch=8, dtype="bfloat16"))
    extra = {"EVEN_K": True, "PRECISION": "ieee", "GROUPS": 8}
    yield _product(
        "grouped_matmul", "8 groups, 4096 x 14336 x 4096 bfloat16", grouped_matmul_kernel, types, tiles, **extra
    )
    for bits, m in ((1, 16), (2, 16), (3, 16), (4, 16), (5, 16), (6, 16), (7, 16), (8, 16), (4, 512)):
        types = dict.fromkeys(("a", "scale", "zero", "out"), "*fp16") | {"words": "*i32", "sizes": I32}
        types |= {"a_strides": ROWS, "out_strides": ROWS, "words_stride": "i32", "scale_stride": "i32"}
        tiles = matmul_tiles(device, Work(m, 4096, 4096, weight_bits=bits, least_block_k=32))
        extra = {"PRECISION": "ieee", "BITS": bits, "SHARED_K": 128, "GROUP": 8}
        what = f"{m} x 4096 x 4096 float16, {bits} bits in groups of 128"
        yield _product("quantised_matmul", what, quantised_matmul_kernel, types, tiles, **extra)
    types = dict.fromkeys(("a", "b"), "*fp8e4nv") | dict.fromkeys(("a_scale", "b_scale"), "*fp32") | {"out": "*bf16"}
    types |= {"sizes": I32, "a_strides": ROWS, "b_strides": ("1", "i32"), "out_strides": ROWS}
    types |= {"a_scale_strides": ROWS, "b_scale_strides": ("1", "i32")}
    tiles = matmul_tiles(device, Work(4096, 4096, 4096, dtype="float8_e4m3fn", sums=2))
    extra = {"EVEN_K": True, "A_ROWS": 1, "B_COLUMNS": 128, "SCALE_K": 128, "GROUP": 8}
    yield _product("fp8_matmul", "4096 x 4096 x 4096 E4M3, blocks of 128", fp8_matmul_kernel, types, tiles, **extra)


def _convolutions(device: Device) -> Iterator[Binding]:
    from .kernels.conv import conv_kernel
    from .kernels.depthwise import depthwise_kernel
    from .kernels.products import identity

    for dtype, channels, size, kernel in (("float16", 128, 28, 3), ("float16", 512, 14, 1), ("float32", 64, 56, 3)):
        types: dict[str, Types] = dict.fromkeys(("x", "w", "out"), POINTERS[dtype])
        types |= dict.fromkeys(("batches", "channels", "filters"), "i32")
        work = Work(8 * size * size, channels, channels * kernel * kernel, dtype=dtype, gathered=True)
        square, ones, pad = (1, size, size), (1, 1, 1), kernel // 2
        yield _product(
            "conv", f"8 x {channels} x {size} x {size}, {channels} filters {kernel} x {kernel} {dtype}", conv_kernel,
            types, matmul_tiles(device, work), SIZE=square, KERNEL=(1, kernel, kernel), STRIDE=ones, DILATION=ones,
            PAD=(0, pad, pad), OUT=square, DEPTH=channels, GROUPS=1, PRECISION="ieee",
        )  # fmt: skip
    types = dict.fromkeys(("x", "w", "out"), "*fp16") | dict.fromkeys(("batches", "filters"), "i32") | {"operands": ()}
    constants = {
        "SIZE": (1, 28, 28), "KERNEL": (1, 3, 3), "STRIDE": (1, 1, 1), "DILATION": (1, 1, 1), "PAD": (0, 1, 1),
        "OUT": (1, 28, 28), "REPEAT": 1, "STRIDES": (), "EPILOGUE": identity, "BLOCK": 256,
    }  # fmt: skip
    yield Binding("depthwise", "8 x 256 x 28 x 28, 3 x 3 float16", "256", depthwise_kernel, types, constants, 4)


def _attentions(device: Device) -> Iterator[Binding]:
    from .kernels.attention import attention_kernel
    from .kernels.paged_attention import join_parts_kernel, paged_attention_kernel

    for dtype, d, window in (("float16", 64, 0), ("float16", 128, 0), ("bfloat16", 128, 4096), ("float32", 64, 0)):
        pointer = POINTERS[dtype]
        types: dict[str, Types] = dict.fromkeys(("q", "k", "v", "out"), pointer)
        types |= {"sizes": ("i32",) * 4, "scale": "fp32"}
        types |= dict.fromkeys(("q_strides", "k_strides", "v_strides", "out_strides"), IMAGES)
        types |= {"mask_strides": ("i32",) * 4}
        t = attention_tiles(device, 32, 4096, 4096, d, d, dtype)
        constants = {
            "mask": None, "sinks": None, "CAUSAL": True, "WINDOW": window, "CAP": 0.0, "PRECISION": "ieee", "D": d,
            "DV": d, "BLOCK_D": d, "BLOCK_DV": d, "BLOCK_M": t.block_m, "BLOCK_N": t.block_n,
        }  # fmt: skip
        what = f"32 heads of {d}, 4096 causal{f', window {window}' if window else ''} {dtype}"
        text = f"{t.block_m} x {t.block_n}"
        yield Binding("attention", what, text, attention_kernel, types, constants, t.num_warps, t.num_stages)
    t = decode_tiles(device, 1, 8, 8192, 128, 128)
    types = dict.fromkeys(("q", "k_pages", "v_pages", "out"), "*fp16")
    types |= dict.fromkeys(("table", "lengths"), "*i64")
    types |= dict.fromkeys(("q_strides", "k_strides", "v_strides", "out_strides"), IMAGES)
    types |= {
        "partial": "*fp32",
        "state": "*fp32",
        "sizes": ("i32", "i32", "1"),
        "limits": ("i32", "i32"),
        "table_stride": "i32",
        "scale": "fp32",
    }
    constants = {
        "WINDOW": 0, "CAP": 0.0, "PRECISION": "ieee", "SPLITS": t.splits, "PAGE": 16, "D": 128, "DV": 128,
        "BLOCK_D": 128, "BLOCK_DV": 128, "BLOCK_R": 16, "BLOCK_N": t.block_n,
    }  # fmt: skip
    what, text = "32 heads of 128 on 8, 8192 tokens in pages of 16 float16", f"{t.splits} parts, {t.block_n}"
    yield Binding("paged_attention", what, text, paged_attention_kernel, types, constants, t.num_warps, t.num_stages)
    joined = {"SPLITS": t.splits, "BLOCK_SPLITS": 1 << (t.splits - 1).bit_length(), "DV": 128, "BLOCK_DV": 128}
    types = {"partial": "*fp32", "state": "*fp32", "out": "*fp16", "sizes": ("i32", "i32", "1"), "out_strides": IMAGES}
    yield Binding("join_parts", f"{t.splits} parts of 128 float16", "1 row", join_parts_kernel, types, joined, 4)


def _movements(device: Device) -> Iterator[Binding]:
    from .kernels.copy import copy_kernel
    from .kernels.dispatch import combine_kernel, dispatch_kernel
    from .kernels.elementwise import elementwise, silu
    from .kernels.gather import gather_kernel
    from .kernels.pool import pool_kernel

    size = 4096 * 4096
    views = ((1, 4096, 4096, 4096, 4096, 1), (1, size, 1))
    types: dict[str, Types] = {"x": "*fp16", "out": "*fp16"}
    constants = {"SIZE": size, "VIEWS": views, "WIDE": False, "LIMITS": None, "BLOCK": 1024}
    yield Binding("copy", "transposition of 4096 x 4096 float16", "1024", copy_kernel, types, constants, 4)
    chain: dict[str, Types] = {"operands": ("*fp16",), "out": "*fp16"}
    constants = {"SIZE": size, "CHAIN": silu, "VIEWS": views[1:], "BLOCK": 1024, "FLOATS": True}
    yield Binding("elementwise", "silu of 4096 x 4096 float16", "1024", elementwise, chain, constants, 4)
    t = row_tiles(device, 4096, 4096)
    types = {"table": "*fp16", "indices": "*i32", "out": "*fp16", "count": "i32", "picked": "i32", "inner": "i32"}
    constants = {"OUTSIDE": None, "BLOCK_ROWS": t.rows, "BLOCK_N": t.columns}
    text = f"{t.rows} x {t.columns}"
    yield Binding("gather", "4096 rows of 4096 float16", text, gather_kernel, types, constants, t.num_warps)
    types = dict.fromkeys(("x", "rows"), "*fp16")
    types |= dict.fromkeys(("experts", "order", "sizes"), "*i32")
    types |= {"picks": "i32", "width": "i32", "count": "i32"}
    constants = {"K": 2, "BLOCK_P": 16, "BLOCK_ALL": 256, "BLOCK_N": 256}
    yield Binding("dispatch", "2 of 8 experts, rows of 4096 float16", "16", dispatch_kernel, types, constants, 4)
    types = dict.fromkeys(("y", "weights", "out"), "*fp16")
    types |= {"order": "*i32", "tokens": "i32", "width": "i32"}
    constants = {"K": 2, "BLOCK_ALL": 256, "BLOCK_N": 256}
    yield Binding("combine", "2 of 8 experts, rows of 4096 float16", "256", combine_kernel, types, constants, 4)
    window = {"SIZE": (1, 112, 112), "KERNEL": (1, 3, 3), "STRIDE": (1, 2, 2), "DILATION": (1, 1, 1)}
    constants = {**window, "PAD": (0, 1, 1), "OUT": (1, 56, 56), "MEAN": False, "COUNT_PADS": False, "BLOCK": 256}
    types = {"x": "*fp16", "out": "*fp16", "planes": "i32"}
    yield Binding("pool", "largest of 3 x 3, 112 x 112 float16", "256", pool_kernel, types, constants, 4)


def _searches(device: Device) -> Iterator[Binding]:
    from .kernels.cum_sum import cum_sum_kernel
    from .kernels.scatter import gather_elements_kernel, scatter_kernel
    from .kernels.top_k import arg_max_kernel, top_k_kernel

    for kernel, n, k in (("top_k", 1024, 8), ("arg_max", 128256, 1), ("cum_sum", 4096, 0)):
        t = row_tiles(device, 512, n)
        shared = {"N": n, "FLOATS": True, "BLOCK_ROWS": t.rows, "BLOCK_N": t.columns}
        types: dict[str, Types] = {"x": "*fp32", "rows": "i32"}
        if kernel == "top_k":
            function, what = top_k_kernel, f"{k} of {n}, 512 rows float32"
            types |= {"values": "*fp32", "indices": "*i32"}
            shared |= {"K": k, "BLOCK_K": k}
        elif kernel == "arg_max":
            function, what = arg_max_kernel, f"512 rows of {n} float32"
            types |= {"out": "*i32"}
        else:
            function, what = cum_sum_kernel, f"512 rows of {n} float32"
            types |= {"out": "*fp32"}
            shared |= {"EXCLUSIVE": False, "REVERSE": False}
        yield Binding(kernel, what, f"{t.rows} x {t.columns}", function, types, shared, t.num_warps)
    types = {"table": "*fp16", "indices": "*i32", "updates": "*fp16"}
    types |= dict.fromkeys(("count", "picked", "inner"), "i32")
    constants: dict[str, Any] = {"ADD": False, "FLOATS": True, "BLOCK_N": 1024}
    yield Binding("scatter", "16 rows of 4096 float16", "1024", scatter_kernel, types, constants, 4)
    types = {"x": "*fp16", "indices": "*i32", "out": "*fp16"}
    constants = {"SIZE": 4096 * 64, "COUNT": 4096, "PICKED": 64, "INNER": 1, "OUTSIDE": None, "BLOCK": 1024}
    what = "64 of 4096, 4096 rows float16"
    yield Binding("gather_elements", what, "1024", gather_elements_kernel, types, constants, 4)


def _rows(device: Device) -> Iterator[Binding]:
    from .kernels.norm import norm_kernel
    from .kernels.reduce import reduce_kernel
    from .kernels.rotary import rotary_kernel
    from .kernels.route import route_kernel
    from .kernels.softmax import softmax_kernel

    for centred, n in ((False, 4096), (True, 768), (True, 32768)):
        t = row_tiles(device, 4096, n)
        types: dict[str, Types] = dict.fromkeys(("x", "residual", "total", "scale", "bias", "out"), "*fp16")
        types |= {"rows": "i32", "n": "i32", "epsilon": "fp32"}
        constants = {"CENTRED": centred, "GROUPS": 1, "REPEAT": 1, "WHOLE": n <= t.columns}
        constants |= {"BLOCK_ROWS": t.rows, "BLOCK_N": t.columns}
        what = f"{'layer' if centred else 'RMS'} norm of 4096 x {n}, residual, float16"
        yield Binding("norm", what, f"{t.rows} x {t.columns}", norm_kernel, types, constants, t.num_warps)
    for n in (1024, 100000):
        t = row_tiles(device, 4096, n)
        rows, along = (1, 4096, n), (1, n, 1)
        constants = {"KEPT": 4096, "N": n, "VIEWS": (rows, along, rows, along), "WIDE": False}
        constants |= {"BLOCK_KEPT": t.rows, "BLOCK_N": t.columns}
        types = {"x": "*fp16", "out": "*fp16"}
        text = f"{t.rows} x {t.columns}"
        yield Binding("softmax", f"4096 x {n} float16", text, softmax_kernel, types, constants, t.num_warps)
    for kind, axis in (("sum", 1), ("max", 0)):
        t, _ = reduction_tiles(device, 4096, 4096, axis == 1)
        views = (1, 4096, 4096), (1, 4096, 1)
        constants = {"KIND": kind, "KEPT": 4096, "N": 4096, "VIEWS": views if axis else views[::-1], "WIDE": False}
        constants |= {"BLOCK_KEPT": t.rows, "BLOCK_N": t.columns}
        types = {"x": "*fp16", "out": "*fp32", "factor": "fp32", "each": "i32"}
        what, text = f"{kind} along axis {axis} of 4096 x 4096 float16", f"{t.rows} x {t.columns}"
        yield Binding("reduce", what, text, reduce_kernel, types, constants, t.num_warps)
    t = row_tiles(device, 32 * 4096, 128)
    types = dict.fromkeys(("x", "cos", "sin", "out"), "*fp16") | {"sizes": I32, "table_strides": ("i32", "i32")}
    types |= {"x_strides": IMAGES, "out_strides": IMAGES}
    constants = {"D": 128, "HALF": 64, "INTERLEAVED": False, "BLOCK_ROWS": t.rows, "BLOCK_HALF": 64, "BLOCK_REST": 1}
    what = "32 heads of 128, 4096 tokens float16"
    yield Binding("rotary", what, f"{t.rows} rows", rotary_kernel, types, constants, t.num_warps)
    t = row_tiles(device, 4096, 64)
    types = {"logits": "*fp32", "weights": "*fp32", "experts": "*i64", "tokens": "i32", "logits_stride": "i32"}
    constants = {"bias": None, "E": 64, "K": 6, "SIGMOID": False, "NORMALISE": True, "BLOCK_T": t.rows}
    constants |= {"BLOCK_E": 64, "BLOCK_K": 8}
    what = "6 of 64 experts, 4096 tokens float32"
    yield Binding("route", what, f"{t.rows} rows", route_kernel, types | {"scale": "fp32"}, constants, t.num_warps)
