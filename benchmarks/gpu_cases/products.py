"""Cases that are products: of matrices, batches, groups, weights in few bits, and convolutions."""

from __future__ import annotations

from itertools import product
from math import sqrt
from typing import Any

import numpy as np

from dovetail.backends.triton.interpreter import library
from dovetail.backends.triton.kernels.packing import pack_weights
from dovetail.backends.triton.tiles import Work, matmul_tiles

from .case import Case, Rival, Spec, beside, compiled, size_bytes
from .machines import Machine, namespace

SHARED_K = 128
"""weights along k that share a scale"""


def matmul(on: Machine, m: int, n: int, k: int, dtype: str = "float16", batch: int = 1, fused: bool = False) -> Case:
    """a b, or tanh-gelu(a b + bias) if `fused`."""
    lead = (batch,) if batch > 1 else ()
    a, b = on.normal(*lead, m, k, dtype=dtype), on.normal(*lead, k, n, dtype=dtype)
    tensors: dict[str, Any] = {"a": a, "b": b, "out": on.empty(*lead, m, n, dtype=dtype)}
    options: dict[str, Any] = {**matmul_tiles(on.device, Work(m, n, k, batch, dtype)).options}
    moved = size_bytes(dtype, (batch, m, k), (batch, k, n), (batch, m, n))
    work = (dtype, 2.0 * batch * m * n * k, moved)
    if not fused:
        name = "cuBLAS" if batch == 1 else "cuBLAS, batched"
        rival = Rival(name, ("a", "b"), lambda torch, a, b: torch.matmul(a, b))
        return Case(library("matmul"), tensors, options, lambda xp, t: t.a @ t.b, (rival,), *work)
    bias = on.normal(n, dtype=dtype)
    tensors["operands"], options["epilogue"] = [bias], beside("bias_gelu")

    def epilogue(torch: Any, a: Any, b: Any, bias: Any) -> Any:
        return torch.nn.functional.gelu(torch.addmm(bias, a, b), approximate="tanh")

    def expected(xp: Any, t: Any) -> Any:
        y = t.a @ t.b + t.bias
        return 0.5 * y * (1.0 + xp.tanh(sqrt(2.0 / np.pi) * (y + 0.044715 * y**3)))

    rival = Rival("cuBLAS, then gelu", ("a", "b", "bias"), epilogue)
    return Case(library("matmul"), tensors, options, expected, (rival, compiled(rival)), *work, {"bias": bias})


def grouped(on: Machine, groups: int, rows: int, n: int, k: int, dtype: str = "bfloat16") -> Case:
    """Rows in groups of 0, 1, 2, ... parts of them, each times its own matrix."""
    shares = np.arange(groups)
    sizes = rows * shares // shares.sum()
    sizes[-1] += rows - sizes.sum()
    ends = np.cumsum(sizes)
    spans = [(int(end - size), int(end)) for size, end in zip(sizes, ends, strict=True)]
    a, b = on.normal(rows, k, dtype=dtype), on.normal(groups, k, n, dtype=dtype)
    tensors = {"a": a, "b": b, "group_sizes": on.given(sizes), "out": on.empty(rows, n, dtype=dtype)}

    def expected(xp: Any, t: Any) -> Any:
        return xp.concatenate([t.a[start:end] @ t.b[g] for g, (start, end) in enumerate(spans)])

    def one_by_one(torch: Any, a: Any, b: Any) -> Any:
        out = a.new_empty(rows, n)
        for g, (start, end) in enumerate(spans):
            torch.mm(a[start:end], b[g], out=out[start:end])
        return out

    def together(torch: Any, a: Any, b: Any, ends: Any) -> Any:
        return torch.nn.functional.grouped_mm(a, b, offs=ends)

    rivals = (Rival("cuBLAS, one by one", ("a", "b"), one_by_one), Rival("grouped_mm", ("a", "b", "ends"), together))
    moved = size_bytes(dtype, (rows, k), (groups - 1, k, n), (rows, n))
    tiles = matmul_tiles(on.device, Work(max(1, rows // groups), n, k, groups, dtype)).options
    also = {"ends": on.given(ends.astype(np.int32))}
    work = (dtype, 2.0 * rows * n * k, moved)
    return Case(library("grouped_matmul"), tensors, tiles, expected, rivals, *work, also)


def quantised(on: Machine, bits: int, m: int, n: int, k: int, dtype: str = "float16") -> Case:
    """Weights of `bits` bits with a scale and a zero for each 128 along k, against cuBLAS with them in float16."""
    parts, middle = k // SHARED_K, 2 ** (bits - 1)
    codes = np.random.default_rng(bits).integers(0, 1 << bits, (k, n), np.uint8)
    drawn = on.wide(on.normal(parts, n, dtype=dtype))
    scale, zero = on.narrow((abs(drawn) + 0.5) / middle, dtype), on.narrow(0.0 * drawn + middle, dtype)
    also = {"codes": on.given(codes)}

    def weights(t: Any) -> Any:
        apart = t.codes.reshape(parts, SHARED_K, n) - t.zero[:, None]
        return (apart * t.scale[:, None]).reshape(k, n)

    also["dense"] = on.narrow(weights(namespace(on, {**also, "scale": scale, "zero": zero})), dtype)
    tensors = {"a": on.normal(m, k, dtype=dtype), "words": on.given(pack_weights(codes, bits))}
    tensors |= {"scale": scale, "zero": zero, "out": on.empty(m, n, dtype=dtype)}
    tiles = matmul_tiles(on.device, Work(m, n, k, dtype=dtype, weight_bits=bits, least_block_k=32))
    rival = Rival("cuBLAS, float16", ("a", "dense"), lambda torch, a, dense: torch.matmul(a, dense))
    moved = size_bytes(dtype, (m, k), (parts, n), (parts, n), (m, n)) + k * n * bits / 8
    return Case(
        library("quantised_matmul"), tensors, {"bits": bits, "shared_k": SHARED_K, **tiles.options},
        lambda xp, t: t.a @ weights(t), (rival,), dtype, 2.0 * m * n * k, moved, also,
    )  # fmt: skip


def conv(on: Machine, images: int, channels: int, size: int, kernel: int, dtype: str = "float16") -> Case:
    """As many filters as channels over square images, padded so that their size stays."""
    shape, window = (images, channels, size, size), (channels, channels, kernel, kernel)
    x, w, pad = on.normal(*shape, dtype=dtype), on.normal(*window, dtype=dtype), kernel // 2
    w = on.narrow(on.wide(w) / sqrt(channels * kernel * kernel), dtype)
    work = Work(images * size * size, channels, channels * kernel * kernel, dtype=dtype, gathered=True)
    options = {"strides": (1, 1), "pads": (pad,) * 4, "dilations": (1, 1), **matmul_tiles(on.device, work).options}

    def expected(xp: Any, t: Any) -> Any:
        out = 0.0 * t.x
        for i, j in product(range(-pad, pad + 1), repeat=2):
            # What this place of the window adds to every pixel whose neighbour (i, j) is in the image.
            (to_h, of_h), (to_w, of_w) = (
                (slice(max(0, -d), size - max(0, d)), slice(max(0, d), size + min(0, d))) for d in (i, j)
            )
            out[:, :, to_h, to_w] += xp.einsum("bchw,fc->bfhw", t.x[:, :, of_h, of_w], t.w[:, :, i + pad, j + pad])
        return out

    rival = Rival("cuDNN", ("x", "w"), lambda torch, x, w: torch.nn.functional.conv2d(x, w, padding=pad))
    tensors = {"x": x, "w": w, "out": on.empty(*shape, dtype=dtype)}
    flops = 2.0 * images * size * size * channels * channels * kernel * kernel
    return Case(
        library("conv"), tensors, options, expected, (rival,), dtype, flops, size_bytes(dtype, shape, window, shape)
    )


def _matmul(m: int, n: int, k: int, small: tuple[int, int, int], **options: Any) -> Spec:
    """A product by its sizes."""
    batch = f"{options['batch']} of " if "batch" in options else ""
    fused = ", gelu(a b + bias)" if options.get("fused") else ""
    name = f"matmul, {batch}{m} x {n} x {k} {options.get('dtype', 'float16')}{fused}"
    sizes = dict(zip("mnk", small, strict=True))
    fewer = {"batch": 3} if batch else {}
    return Spec(name, "matmul", matmul, {"m": m, "n": n, "k": k, **options}, {**sizes, **options, **fewer})


def _quantised(bits: int, m: int) -> Spec:
    name = f"quantised_matmul, {bits} bits, {m} x 14336 x 4096 float16"
    full, small = {"bits": bits, "m": m, "n": 14336, "k": 4096}, {"bits": bits, "m": m, "n": 70, "k": 256}
    return Spec(name, "quantised", quantised, full, small)


def _conv(images: int, channels: int, size: int, kernel: int, small: dict[str, int]) -> Spec:
    name = f"conv, {images} x {channels} x {size} x {size}, {channels} filters {kernel} x {kernel} float16"
    full = {"images": images, "channels": channels, "size": size, "kernel": kernel}
    return Spec(name, "conv", conv, full, {**full, **small})


SPECS = (
    _matmul(4096, 4096, 4096, (70, 50, 90)),
    _matmul(8192, 8192, 8192, (50, 70, 64), dtype="bfloat16"),
    _matmul(16, 14336, 4096, (16, 70, 130)),
    _matmul(4096, 4096, 4096, (40, 50, 60), dtype="float32"),
    _matmul(4096, 16384, 4096, (70, 50, 40), fused=True),
    _matmul(1024, 1024, 1024, (30, 40, 50), batch=32),
    Spec(
        "grouped_matmul, 8 experts, 4096 rows, 4096 x 4096 bfloat16", "matmul", grouped,
        {"groups": 8, "rows": 4096, "n": 4096, "k": 4096}, {"groups": 4, "rows": 48, "n": 64, "k": 40},
    ),
    *(_quantised(bits, m) for bits, m in ((4, 1), (2, 16), (3, 16), (4, 16), (6, 16), (8, 16))),
    _conv(32, 128, 28, 3, {"images": 2, "channels": 20, "size": 9}),
    _conv(32, 512, 14, 1, {"images": 2, "channels": 30, "size": 7}),
)  # fmt: skip
