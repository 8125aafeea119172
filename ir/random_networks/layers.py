"""Random layers: products, windows, reductions, norms, attention and experts, each as the one op that it is."""

from __future__ import annotations

from typing import Any

import numpy as np
from xdsl.dialects.builtin import i64
from xdsl.ir import SSAValue

from .. import nn
from .author import Author


def matmul(a: Author) -> None:
    """A product, of batches that broadcast now and then, perhaps with a bias, an activation and a residual."""
    x = a.tensor(2, 4, lambda v: nn.shape_of(v)[-1] <= 12)
    inner, columns = nn.shape_of(x)[-1], a.pick((1, 2, 3, 5, 6))
    batch = nn.shape_of(x)[:-2] if a.chance(0.3) else ()
    y = a("Matmul", x, a.fresh((*batch, inner, columns), trained=a.chance(0.7)))
    a.offer(epilogue(a, y))


def epilogue(a: Author, y: SSAValue) -> SSAValue:
    """Some of bias, activation, scale and residual behind a product."""
    if a.chance(0.6):
        y = a.either("Add", y, a.fresh(nn.shape_of(y)[-1:], trained=True))
    if a.chance(0.5):
        y = a(a.pick(("Relu", "Gelu", "GeluTanh", "Silu", "Tanh", "HardSwish", "Mish", "Softplus")), y)
    if a.chance(0.3):
        y = a.either("Mul", y, 0.5)
    return a.either("Add", y, a.fresh(nn.shape_of(y), trained=False)) if a.chance(0.4) else y


def gemm(a: Author) -> None:
    """A product of two matrices, either turned."""
    m, k, n, turn_a, turn_b = (*(a.pick((1, 2, 3, 5)) for _ in range(3)), a.pick((0, 1)), a.pick((0, 1)))
    x = a.shaped(*((k, m) if turn_a else (m, k)))
    w = a.fresh((n, k) if turn_b else (k, n))
    bias = a.fresh(a.pick(((n,), (m, n), (1, n), (m, 1), ()))) if a.chance(0.6) else None
    a.offer(epilogue(a, a("Gemm", x, w, bias, transpose_a=turn_a, transpose_b=turn_b)))


def window(a: Author, x: SSAValue, kernel: tuple[int, ...]) -> dict[str, Any]:
    """Strides, pads and dilations for a window over `x`."""
    rank = len(kernel)
    pads = [int(p) for p in a.rng.integers(0, 2, 2 * rank)]
    strides, dilations = ([a.pick((1, 1, 2)) for _ in range(rank)] for _ in range(2))
    return {"strides": strides, "pads": pads, "dilations": dilations if a.chance(0.4) else [1] * rank}


def image(a: Author, channels: int) -> SSAValue:
    """(n, c, ...) with one to three axes to slide over."""
    places = [a.pick((3, 4, 5, 6)) for _ in range(a.pick((1, 2, 2, 2, 3)))]
    return a.shaped(a.pick((1, 2)), channels, *places)


def conv(a: Author) -> None:
    """A convolution, in groups now and then, perhaps with a batch norm and an activation behind it."""
    groups = a.pick((1, 1, 2))
    channels, filters = groups * a.pick((1, 2, 3)), groups * a.pick((1, 2, 3))
    x = image(a, channels)
    kernel = tuple(a.pick((1, 2, 3)) for _ in nn.shape_of(x)[2:])
    w = a.fresh((filters, channels // groups, *kernel), trained=a.chance(0.85))
    bias = a.fresh((filters,), trained=a.chance(0.85)) if a.chance(0.5) else None
    y = a("Conv", x, w, bias, groups=groups, **window(a, x, kernel))
    if a.chance(0.6):
        seen = y
        y = a("BatchNorm", y, *batch_norm_parameters(a, filters), epsilon=a.pick((1e-5, 1e-3, 0.1)))
        if a.chance(0.1):
            a.offer(seen)
    if a.chance(0.5):
        y = a(a.pick(("Relu", "Silu", "HardSwish")), y)
    a.offer(a.either("Add", y, a.fresh(nn.shape_of(y), trained=False)) if a.chance(0.3) else y)


def batch_norm_parameters(a: Author, channels: int) -> list[SSAValue]:
    """Scale, bias, mean and variance, weights nearly always."""
    trained = a.chance(0.9)
    drawn = [a.rng.normal(size=channels) for _ in range(3)] + [a.rng.uniform(0.3, 2.0, channels)]
    return [a.weight(each) if trained else a.input([each] * a.ranks) for each in drawn]


def conv_transpose(a: Author) -> None:
    """A transposed convolution."""
    groups = a.pick((1, 1, 2))
    channels = groups * a.pick((1, 2))
    x = image(a, channels)
    kernel = tuple(a.pick((1, 2, 3)) for _ in nn.shape_of(x)[2:])
    w, filters = a.fresh((channels, a.pick((1, 2)), *kernel)), None
    given = window(a, x, kernel)
    filters = nn.shape_of(w)[1] * groups
    bias = a.fresh((filters,)) if a.chance(0.5) else None
    extra = [a.pick((0, 0, 1)) if s > 1 else 0 for s in given["strides"]]
    y = a("ConvTranspose", x, w, bias, groups=groups, output_pads=extra, **given)
    a.offer(a("Relu", y) if a.chance(0.4) else y)


def pool(a: Author) -> None:
    """The largest or the mean of each window."""
    x = image(a, a.pick((1, 2)))
    kernel = tuple(a.pick((2, 3)) for _ in nn.shape_of(x)[2:])
    more = {"count_pads": a.pick((0, 1))} if (mean := a.chance(0.5)) else {}
    a.offer(a("AveragePool" if mean else "MaxPool", x, kernel=kernel, **window(a, x, kernel), **more))


def reduction(a: Author) -> None:
    """A reduction, a softmax, a search or a running sum."""
    x = a.tensor(1, 4)
    rank = len(nn.shape_of(x))
    axis = int(a.rng.integers(rank))
    match a.pick(("reduce", "reduce", "softmax", "arg_max", "top_k", "cum_sum")):
        case "reduce":
            axes = sorted({int(i) for i in a.rng.integers(rank, size=2)})
            a.offer(a("Reduce", x, kind=a.pick(("sum", "mean", "max", "min", "prod")), axes=axes))
        case "softmax":
            a.offer(a("Softmax", x, axis=axis))
        case "arg_max":
            a.offer(a("ArgMax", x, axis=axis))
        case "top_k":
            a.offer(*a("TopK", x, k=int(a.rng.integers(0, nn.shape_of(x)[axis] + 1)), axis=axis))
        case _:
            a.offer(a("CumSum", x, axis=axis, exclusive=a.pick((0, 1)), reverse=a.pick((0, 1))))


def norm(a: Author) -> None:
    """A norm of each kind, with and without scale and bias."""
    kind, epsilon = a.pick(("LayerNorm", "RmsNorm", "GroupNorm", "BatchNorm")), a.pick((1e-5, 1e-3, 0.5))
    x = a.tensor(2, 4, lambda v: min(nn.shape_of(v)) > 0)
    shape = nn.shape_of(x)
    if kind == "BatchNorm":
        a.offer(a(kind, x, *batch_norm_parameters(a, shape[1]), epsilon=epsilon))
    elif kind == "GroupNorm":
        groups = a.pick([g for g in range(1, shape[1] + 1) if shape[1] % g == 0])
        a.offer(a(kind, x, a.fresh((shape[1],)), a.fresh((shape[1],)), groups=groups, epsilon=epsilon))
    else:
        axis = a.pick((len(shape) - 1, len(shape) - 1, 1))
        parameters = [a.fresh(shape[axis:]) for _ in range(a.pick((0, 1, 2)))][: 1 if kind == "RmsNorm" else 2]
        a.offer(a(kind, x, *parameters, axis=axis, epsilon=epsilon))


def attention(a: Author) -> None:
    """Attention with grouped heads, masks, windows and a softcap, now and then."""
    batch, shared, group, keys = a.pick((1, 2)), a.pick((1, 2)), a.pick((1, 1, 2)), a.pick((2, 3, 5))
    queries, width, out = min(keys, a.pick((1, 2, 3, 5))), a.pick((2, 4)), a.pick((2, 3))
    q = a.shaped(batch, shared * group, queries, width)
    k, v = a.shaped(batch, shared, keys, width), a.shaped(batch, shared, keys, out)
    mask = None
    if a.chance(0.4):
        array = a.rng.normal(size=a.pick(((queries, keys), (batch, 1, 1, keys), (shared * group, queries, keys), ())))
        mask = a.weight(np.where(a.rng.random(array.shape) < 0.2, -np.inf, array) if a.chance(0.4) else array)
    hidden = {"causal": a.pick((0, 1)), "window": a.pick((0, 0, 1, 2)), "softcap": a.pick((0.0, 0.0, 2.0))}
    a.offer(a("Attention", q, k, v, mask, scale=a.pick((1.0, 0.5, 0.3)), **hidden))


def paged_attention(a: Author) -> None:
    """Attention over pages; entries of the table behind a sequence's end are wild."""
    batch, shared, group, block, blocks = (a.pick((1, 2)) for _ in range(5))
    pages, width, queries = 5, 4, a.pick((1, 2))
    q = a.shaped(batch, shared * group, queries, width)
    k, v = (a.fresh((pages, block, shared, size), trained=False) for size in (width, a.pick((2, 4))))
    lengths = a.rng.integers(min(queries, block * blocks), block * blocks + 1, batch)
    table = a.rng.integers(0, pages, (batch, blocks))
    table[np.arange(blocks) * block >= lengths[:, None]] = 99
    indices = [a.input([each] * a.ranks, i64) for each in (table, lengths)]
    given = {"window": a.pick((0, 0, 2)), "softcap": a.pick((0.0, 2.0))}
    a.offer(a("PagedAttention", q, k, v, *indices, scale=a.pick((1.0, 0.5)), **given))


def rotary(a: Author) -> None:
    """Rotary embedding, of all or some elements."""
    batch, heads, tokens, width = a.pick((1, 2)), a.pick((1, 2)), a.pick((1, 2, 3)), a.pick((2, 4, 6))
    half = a.pick([h for h in (1, 2, 3) if 2 * h <= width])
    shape = (tokens, half) if a.chance(0.6) else (batch, tokens, half)
    angles = a.rng.normal(size=shape)
    tables = [a.weight(np.cos(angles)), a.weight(np.sin(angles))]
    a.offer(a("Rotary", a.shaped(batch, heads, tokens, width), *tables, interleaved=a.pick((0, 1))))


def experts(a: Author) -> None:
    """A mixture of experts: route, dispatch, products of groups and combine."""
    tokens, width, hidden, count = a.pick((1, 3, 4)), a.pick((2, 3)), a.pick((2, 4)), a.pick((2, 4))
    x, k = a.shaped(tokens, width), a.pick((1, 2))
    logits = a("Matmul", x, a.fresh((width, count), trained=True))
    groups = a.pick((1, 2))
    taken = 1 if groups == 2 and k <= count // 2 and a.chance(0.6) else groups
    given = {"groups": groups, "top_groups": taken, "group_best": a.pick((1, 2)) if count // groups >= 2 else 1}
    bias = a.weight(0.3 * a.rng.normal(size=count)) if a.chance(0.5) else None
    score = {"score": a.pick(("softmax", "sigmoid")), "normalise": a.pick((0, 1)), "scale": a.pick((1.0, 2.5))}
    shares, picked = a("Route", logits, bias, k=k, **given, **score)
    rows, order, sizes = a("Dispatch", x, picked, count=count)
    turn = a.pick((0, 1))
    up = a.fresh((count, hidden, width) if turn else (count, width, hidden), trained=True)
    middle = a("Silu", a("GroupedMatmul", rows, up, sizes, transpose_b=turn))
    down = a("GroupedMatmul", middle, a.fresh((count, hidden, width), trained=True), sizes)
    a.offer(shares, picked, sizes, a("Combine", down, shares, order))


MAKERS = {
    matmul: 3, gemm: 2, conv: 3, conv_transpose: 1, pool: 1, reduction: 3, norm: 2, attention: 1.5,
    paged_attention: 1, rotary: 1, experts: 1,
}  # fmt: skip
