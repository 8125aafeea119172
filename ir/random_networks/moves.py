"""Random ops that rearrange, cut, join, pad, read and write by index."""

from __future__ import annotations

import numpy as np
from xdsl.dialects.builtin import i32, i64
from xdsl.ir import SSAValue

from .. import nn
from .author import Author


def factored(a: Author, total: int) -> tuple[int, ...]:
    """A random shape of `total` elements."""
    shape: list[int] = []
    while total > 1 and len(shape) < 3:
        divisors = [d for d in range(1, total + 1) if total % d == 0]
        shape.append(a.pick(divisors))
        total //= shape[-1]
    shape.insert(int(a.rng.integers(len(shape) + 1)), total)
    return tuple(shape)


def permutation(a: Author, rank: int) -> list[int]:
    """Axes in a random order."""
    return [int(axis) for axis in a.rng.permutation(rank)]


def reshape(a: Author) -> None:
    """Another shape, now and then twice, or the one it had."""
    x = a.tensor()
    total = int(np.prod(nn.shape_of(x)))
    for _ in range(a.pick((1, 1, 2))):
        shape = factored(a, total) if total and a.chance(0.9) else nn.shape_of(x)
        x = a("Reshape", x, type=nn.tensor(a.element, shape))
    a.offer(x)


def broadcast(a: Author) -> None:
    """A broadcast, now and then one of another, or one that repeats nothing."""
    x = a.tensor(0, 3, lambda v: int(np.prod(nn.shape_of(v))) <= 32)
    for _ in range(a.pick((1, 1, 2))):
        repeated = [a.pick((size, 2, 3)) if size == 1 else size for size in nn.shape_of(x)]
        before = (1,) if a.chance(0.2) else (2,) if a.chance(0.4) and len(repeated) < 4 else ()
        if a.chance(0.2):
            repeated = list(nn.shape_of(x))
        x = a("Broadcast", x, type=nn.tensor(a.element, (*before, *repeated)))
    if a.chance(0.5):
        x = a(a.pick(("Add", "Mul")), a.fresh(nn.shape_of(x), trained=False), x)
    a.offer(x)


def transpose(a: Author) -> None:
    """A transpose, now and then of another, or past scalar functions."""
    x = a.tensor(2, 5)
    rank = len(nn.shape_of(x))
    x = a("Transpose", x, permutation=permutation(a, rank))
    if a.chance(0.5):
        if a.chance(0.5):
            x = a(a.pick(("Relu", "Tanh", "Neg")), x)
        x = a("Transpose", x, permutation=permutation(a, rank))
    a.offer(x)


def concat(a: Author) -> None:
    """One to three tensors beside each other."""
    x = a.tensor(1, 4)
    shape = nn.shape_of(x)
    axis = int(a.rng.integers(len(shape)))
    parts = [x]
    for _ in range(a.pick((0, 1, 1, 2))):
        size = a.pick((1, 2, shape[axis]))
        parts.append(x if a.chance(0.2) else a.fresh((*shape[:axis], size, *shape[axis + 1 :])))
    a.offer(a("Concat", *parts, axis=axis))


def _cut(a: Author, x: SSAValue) -> SSAValue:
    starts, limits, steps = [], [], []
    for size in nn.shape_of(x):
        start = int(a.rng.integers(0, max(size, 1))) if a.chance(0.5) else 0
        limit = int(a.rng.integers(start, size + 1)) if a.chance(0.4) else size
        starts.append(start)
        limits.append(nn.END if limit == size and a.chance(0.5) else max(limit, min(start + 1, size)))
        steps.append(a.pick((1, 1, 1, 2)))
    return a("Slice", x, starts=starts, limits=limits, **({"steps": steps} if a.chance(0.5) else {}))


def cut(a: Author) -> None:
    """A slice, now and then of another."""
    x = _cut(a, a.tensor(1, 4))
    a.offer(_cut(a, x) if a.chance(0.5) else x)


def split(a: Author) -> None:
    """A tensor in pieces, of which some may be empty."""
    x = a.tensor(1, 4)
    axis = int(a.rng.integers(len(nn.shape_of(x))))
    size = nn.shape_of(x)[axis]
    at = sorted(int(i) for i in a.rng.integers(0, size + 1, size=a.pick((1, 2))))
    pieces = a("Split", x, axis=axis, sizes=[b - c for b, c in zip((*at, size), (0, *at), strict=True)])
    a.offer(*pieces)


def reverse(a: Author) -> None:
    """Axes backwards."""
    x = a.tensor(1, 4)
    axes = sorted({int(axis) for axis in a.rng.integers(len(nn.shape_of(x)), size=2)})
    a.offer(a("Reverse", x, axes=axes))


def pad(a: Author) -> None:
    """Pads of each kind."""
    x, mode = a.tensor(1, 4), a.pick(("constant", "constant", "edge", "reflect", "wrap"))
    rank = len(nn.shape_of(x))
    low, high = ([int(n) for n in a.rng.integers(0, 3, rank)] for _ in range(2))
    value = a("Fill", type=nn.tensor(a.element, ()), value=a.pick((0.0, 1.5))) if mode == "constant" else None
    a.offer(a("Pad", x, value, low=low, high=high, mode=mode))


def gather(a: Author) -> None:
    """Slices by index, from either end."""
    x = a.tensor(1, 3, lambda v: min(nn.shape_of(v)) > 0)
    axis = int(a.rng.integers(len(nn.shape_of(x))))
    size = nn.shape_of(x)[axis]
    a.offer(a("Gather", x, a.integers(a.shape(0, 2), -size, size, a.pick((i64, i32))), axis=axis))


def gather_elements(a: Author) -> None:
    """Elements by index."""
    x = a.tensor(1, 3, lambda v: min(nn.shape_of(v)) > 0)
    axis, shape = int(a.rng.integers(len(nn.shape_of(x)))), list(nn.shape_of(x))
    indices = [int(a.rng.integers(1, size + 1)) for size in shape]
    a.offer(a("GatherElements", x, a.integers(indices, -shape[axis], shape[axis]), axis=axis))


def scatter(a: Author) -> None:
    """Slices written or added by index."""
    x, kind = a.tensor(1, 3, lambda v: min(nn.shape_of(v)) > 0), a.pick(("set", "add"))
    axis, shape = int(a.rng.integers(len(nn.shape_of(x)))), nn.shape_of(x)
    count = int(a.rng.integers(1, shape[axis] + 1))
    array = a.rng.permutation(shape[axis])[:count] if kind == "set" else a.rng.integers(0, shape[axis], count)
    indices = a.weight(array, i64) if a.chance(0.5) else a.input([array] * a.ranks, i64)
    updates = a.fresh((*shape[:axis], count, *shape[axis + 1 :]))
    a.offer(a("Scatter", x, indices, updates, axis=axis, kind=kind))


def iota(a: Author) -> None:
    """Places along an axis, as integers or floats."""
    shape = a.shape(1, 3)
    axis = int(a.rng.integers(len(shape)))
    places = a("Iota", type=nn.tensor(a.pick((i64, a.element)), shape), axis=axis)
    a.offer(a("Mul", places, 0.5) if nn.is_float(places.type.element_type) else places)


def constant(a: Author) -> None:
    """A tensor that is one number everywhere, and something of it."""
    x = a("Fill", type=nn.tensor(a.element, a.shape(0, 3)), value=a.pick((0.0, 1.0, -0.5, 2.25)))
    a.offer(a(a.pick(("Exp", "Tanh", "Neg", "Sigmoid")), x))


def resize(a: Author) -> None:
    """Interpolation of each kind."""
    x = a.tensor(1, 4, lambda v: min(nn.shape_of(v), default=1) > 0)
    rank = len(nn.shape_of(x))
    axes = sorted({int(axis) for axis in a.rng.integers(rank, size=2)})
    sizes = [a.pick((1, 2, 3, 5)) for _ in axes]
    scales = {"scales": [a.pick((0.5, 1.5, 2.0)) for _ in axes]} if a.chance(0.3) else {}
    mode = a.pick(("nearest", "linear", "cubic"))
    coordinates = a.pick(("half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "asymmetric", "align_corners"))
    rounding = a.pick(("round_prefer_floor", "round_prefer_ceil", "floor", "ceil"))
    given = {"mode": mode, "coordinates": coordinates, "rounding": rounding}
    a.offer(a("Resize", x, axes=axes, sizes=sizes, **scales, **given))


MAKERS = {
    reshape: 2, broadcast: 2, transpose: 2, concat: 1.5, cut: 2.5, split: 1, reverse: 0.7, pad: 1, gather: 1,
    gather_elements: 0.7, scatter: 0.7, iota: 0.7, constant: 0.7, resize: 0.7,
}  # fmt: skip
