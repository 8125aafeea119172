"""What passes clean up: what is computed twice, or for nobody, or is known before the run, or changes nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
from xdsl.dialects.builtin import i8, i32, i64
from xdsl.ir import SSAValue

from .. import nn
from .author import Author, Unfit
from .layers import epilogue
from .moves import permutation


def equal_ops(a: Author) -> SSAValue:
    """Two ops that are equal, in either order where that does not matter, or differ in one attribute."""
    x = a.tensor(2, 4, lambda v: min(nn.shape_of(v)) > 0)
    y, rank = a.fresh(() if a.chance(0.1) else nn.shape_of(x)), len(nn.shape_of(x))
    match a.pick(("add", "sub", "reduce", "softmax", "norm")):
        case "add":
            one, two = a("Add", x, y), a("Add", y, x)
        case "sub":
            one, two = a("Sub", x, y), a("Sub", *((x, y) if a.chance(0.6) else (y, x)))
        case "reduce":
            kinds = a.pick((("sum", "sum"), ("sum", "mean"), ("max", "max"), ("max", "min")))
            one, two = (a("Reduce", x, kind=kind, axes=[rank - 1]) for kind in kinds)
        case "softmax":
            one, two = (a("Softmax", x, axis=axis) for axis in a.pick(((0, 0), (0, rank - 1))))
        case _:
            ones = a.pick(((1e-5, 1e-5), (1e-5, 0.3)))
            one, two = (a("LayerNorm", x, axis=rank - 1, epsilon=epsilon) for epsilon in ones)
    return a(a.pick(("Mul", "Sub", "Add")), a("Tanh", one), two)


def dead_ops(a: Author) -> SSAValue:
    """Ops that nobody uses, beside one that somebody does."""
    x = a.tensor()
    a("Mul", a("Exp", a("Neg", a("Abs", x))), x)
    a.weight(a.rng.normal(size=(3,)))
    return a("Tanh", x)


def known(a: Author) -> SSAValue:
    """Arithmetic on weights, constants and places, which may be done before the run."""
    x = a.tensor(1, 3, lambda v: nn.shape_of(v)[-1] > 0)
    width = nn.shape_of(x)[-1]
    w = a.fresh((width,), trained=True)
    match a.pick(("scale", "matrix", "table", "wide")):
        case "scale":
            w = a("Rsqrt", a.either("Add", a("Mul", w, w), 0.3))
        case "matrix":
            m = a.fresh((width, 2), trained=True)
            return a("Matmul", a("Reshape", x, type=nn.tensor(a.element, (_rows(x), width))), m)
        case "table":
            place = a("Iota", type=nn.tensor(a.element, (width,)), axis=0)
            w = a("Cos", a("Mul", place, 0.1))
        case _:
            w = a("Reduce", a("Broadcast", w, type=nn.tensor(a.element, (3, width))), kind="sum", axes=[0])
            w = a("Reshape", w, type=nn.tensor(a.element, (width,)))
    return a.either("Mul", x, w)


def _rows(x: SSAValue) -> int:
    return int(np.prod(nn.shape_of(x))) // nn.shape_of(x)[-1]


def neutral(a: Author) -> SSAValue:
    """Arithmetic that changes nothing, or nearly nothing; negations that cancel."""
    x = a.tensor()
    match a.pick(("number", "number", "minus", "view", "root", "concat")):
        case "number":
            name, value = a.pick(
                (("Add", 0.0), ("Sub", 0.0), ("Sub", 0.0), ("Mul", 1.0), ("Div", 1.0), ("Pow", 1.0), ("Max", -9e9))
            )
            return a(name, x, value) if a.chance(0.6) or name in ("Div", "Pow") else a(name, a.number(value, x), x)
        case "minus":
            y = a("Neg", a.fresh(nn.shape_of(x)))
            y = a("Neg", y) if a.chance(0.5) else y
            return a(a.pick(("Add", "Sub")), x, y)
        case "view":
            y = a("Cast", x, type=x.type)  # type: ignore[arg-type]
            return a("Broadcast", y, type=y.type) if a.chance(0.5) else a("Reshape", y, type=y.type)
        case "root":
            y = a("Sqrt", a.either("Add", a("Abs", x), 0.4))
            return a("Div", a.number(1.0, y) if a.chance(0.5) else x, y)
        case _:
            if not nn.shape_of(x):
                raise Unfit
            return a("Concat", x, axis=0)


def twice(a: Author) -> SSAValue:
    """Negations, broadcasts or casts of integers, each of another, of which one or both may go."""
    x = a.tensor(0, 2)
    match a.pick(("minus", "less", "from_zero", "broadcast", "cast")):
        case "minus":
            return a("Neg", a("Neg", x))
        case "from_zero":
            return a("Sub", a.number(0.0, x), x)
        case "less":
            return a(a.pick(("Add", "Sub")), x, a("Neg", a.fresh(nn.shape_of(x), trained=False)))
        case "broadcast":
            for size in (2, 3):
                x = a("Broadcast", x, type=nn.tensor(a.element, (size, *nn.shape_of(x))))
            return x
        case _:
            y, between = a.integers(nn.shape_of(x), -6, 300, i32), a.pick((i64, i64, i8))
            for element in (between, i32, a.element):
                y = a("Cast", y, type=nn.tensor(element, nn.shape_of(y)))
            return a.either("Mul", a("Tanh", y), x)


def moved_there_and_back(a: Author) -> SSAValue:
    """A transpose, ops that do not mind it, and one back, or nearly back."""
    x = a.tensor(2, 4)
    rank = len(nn.shape_of(x))
    order = permutation(a, rank)
    back = [order.index(axis) for axis in range(rank)] if a.chance(0.8) else permutation(a, rank)
    y, other = a("Transpose", x, permutation=order), None
    for _ in range(a.pick((0, 1, 2))):
        y = _something(a, y, order)
        if len(nn.shape_of(y)) != rank:
            raise Unfit
    if a.chance(0.08):
        other = y
    y = a("Transpose", y, permutation=back)
    if other is not None:
        a.offer(other)
    return y


def _something(a: Author, y: SSAValue, order: list[int]) -> SSAValue:
    """An op that a transpose by `order` may sink through."""
    shape, rank = nn.shape_of(y), len(order)
    match a.pick(("unary", "bias", "bias", "number", "softmax", "reduce", "concat", "twin", "cast", "compare")):
        case "bias":
            return a.either("Add", y, a.fresh(shape[int(a.rng.integers(rank)) :], trained=True))
        case "number":
            return a.either(a.pick(("Mul", "Add", "Max")), y, 0.7)
        case "softmax":
            return a("Softmax", y, axis=int(a.rng.integers(rank)))
        case "reduce":
            return a("Reduce", y, kind=a.pick(("sum", "max")), axes=[int(a.rng.integers(rank))])
        case "concat":
            return a("Concat", y, _turned(a, y, order), axis=int(a.rng.integers(rank)))
        case "twin":
            return a.either(a.pick(("Add", "Mul")), y, _turned(a, y, order))
        case "cast":
            return a("Cast", y, type=y.type)  # type: ignore[arg-type]
        case "compare":
            return a("Where", a("Less", y, 0.1), y, 0.1)
        case _:
            return a(a.pick(("Relu", "Tanh", "Abs", "Neg", "Sigmoid")), y)


def _turned(a: Author, y: SSAValue, order: list[int]) -> SSAValue:
    """A tensor of the shape of `y`, transposed by `order` too."""
    shape = nn.shape_of(y)
    before = [shape[order.index(axis)] for axis in range(len(order))]
    return a("Transpose", a.shaped(*before), permutation=order)


def turned_products(a: Author) -> SSAValue:
    """Products of matrices that are transposed before, or need not be."""
    m, k, n = (a.pick((1, 2, 3, 5)) for _ in range(3))
    turn_a, turn_b = a.chance(0.5), a.chance(0.6)
    x = a.shaped(*((k, m) if turn_a else (m, k)))
    w = a.fresh((n, k) if turn_b else (k, n))
    x = a("Transpose", x, permutation=(1, 0)) if turn_a else x
    w = a("Transpose", w, permutation=(1, 0)) if turn_b else w
    if a.chance(0.5):
        return epilogue(a, a("Matmul", x, w))
    turns: dict[str, Any] = {}
    if m == k == n:
        turns = {"transpose_a": a.pick((0, 1)), "transpose_b": a.pick((0, 1))}
    return epilogue(a, a("Gemm", x, w, a.fresh((n,)) if a.chance(0.5) else None, **turns))


def side_by_side(a: Author) -> SSAValue:
    """Products of one input with several weights, as in a gate and what it gates."""
    x = a.tensor(2, 3, lambda v: 0 < nn.shape_of(v)[-1] <= 8)
    depth, columns, bias = nn.shape_of(x)[-1], a.pick((2, 3)), a.chance(0.4)
    turned = len(nn.shape_of(x)) == 2 and a.chance(0.4)
    parts = []
    for _ in range(2):
        w = a.fresh((columns, depth) if turned else (depth, columns), trained=a.chance(0.95))
        b = a.fresh((columns,), trained=True) if bias else None
        if turned:
            parts.append(a("Gemm", x, w, b, transpose_b=1))
        else:
            y = a("Matmul", x, w)
            parts.append(a.either("Add", y, b) if b is not None else y)
    gate, up = parts
    return a.either("Mul", a("Silu", gate), up)


def nested_slices(a: Author) -> SSAValue:
    """Slices of slices, with steps and without, behind a cast that changes nothing."""
    x = a.tensor(1, 3, lambda v: max(nn.shape_of(v)) > 2)
    y, strided = a("Cast", x, type=x.type), a.chance(0.3)  # type: ignore[arg-type]
    for _ in range(2):
        shape = nn.shape_of(y)
        starts = [a.pick((0, 1)) if size > 2 else 0 for size in shape]
        limits = [a.pick((size, nn.END, max(size - 1, 1))) if size > 2 else size for size in shape]
        steps = {"steps": [a.pick((1, 2)) for _ in shape]} if strided and a.chance(0.7) else {}
        y = a("Slice", y, starts=starts, limits=limits, **steps)
    return y


MOTIFS = {
    equal_ops: 2, dead_ops: 1, known: 2, neutral: 3, twice: 2.5, moved_there_and_back: 4, turned_products: 2,
    side_by_side: 2, nested_slices: 1,
}  # fmt: skip
