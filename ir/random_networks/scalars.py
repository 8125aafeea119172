"""Random scalar functions, comparisons, choices, casts and chains, on values that they are defined for."""

from __future__ import annotations

import numpy as np
from xdsl.dialects.builtin import ArrayAttr, f16, f32, f64, i1, i8, i32, i64
from xdsl.ir import SSAValue

from .. import nn
from .author import Author, Unfit

FLOATS = [op for op in nn.UNARY if op.OF in ("floats", "numbers")]
POSITIVE = (nn.LogOp, nn.SqrtOp, nn.RsqrtOp)
INTEGER_UNARY = ("Relu", "Neg", "Abs", "Sign")


def name_of(op: type[nn.TensorOp]) -> str:
    """What an author calls the op."""
    return op.__name__.removesuffix("Op")


def positive(a: Author, x: SSAValue, least: float = 0.1) -> SSAValue:
    """A function of `x` that is above `least`, in one of several ways; `x` itself where it is."""
    if a.lowest(x) > least:
        return x
    return a.either("Add", a(a.pick(("Abs", "Relu", "Softplus", "Sigmoid")), x), a.pick((0.5, 1.0)))


def moderate(a: Author, x: SSAValue, most: float = 3.0) -> SSAValue:
    """`x` scaled so that its magnitude is at most `most`."""
    peak = a.peak(x)
    return x if peak <= most else a("Mul", x, float(f"{most / peak:.2g}"))


def unary(a: Author) -> None:
    """A function of one float."""
    op, x = a.pick(FLOATS), a.tensor()
    if op in POSITIVE:
        x = positive(a, x)
    elif op is nn.Log1pOp:
        x = positive(a, x, -0.5)
    elif op in (nn.ExpOp, nn.Expm1Op):
        x = moderate(a, x)
    a.offer(a(name_of(op), x))


def beside(a: Author, x: SSAValue) -> SSAValue:
    """A tensor that broadcasts with `x`."""
    shape = nn.shape_of(x)
    there = [v for v in a.pool if v.type.element_type == a.element and _broadcast(nn.shape_of(v), shape)]  # type: ignore[attr-defined]
    if there and a.chance(0.5):
        return a.pick(there)
    kept = [size if a.chance(0.7) else 1 for size in shape]
    return a.fresh(kept[int(a.rng.integers(len(kept) + 1)) :] if a.chance(0.4) else kept)


def _broadcast(one: nn.Shape, other: nn.Shape) -> bool:
    try:
        return int(np.prod(np.broadcast_shapes(one, other))) <= 512
    except ValueError:
        return False


def binary(a: Author) -> None:
    """A function of two floats."""
    name, x = a.pick(("Add", "Sub", "Mul", "Div", "Mod", "Rem", "Pow", "Max", "Min", "Add", "Mul", "Sub")), a.tensor()
    y: SSAValue | float = a.pick((0.0, 1.0, 2.0, -1.5, 0.25)) if a.chance(0.3) else beside(a, x)
    if name in ("Div", "Mod", "Rem"):
        y = positive(a, y, 0.3) if isinstance(y, SSAValue) else y or 1.0
    if name == "Pow":
        x = positive(a, moderate(a, x), 0.2)
        y = a.pick((2.0, 3.0, 0.5, -0.5, -1.0, 1.0, 1.7)) if a.chance(0.7) else a.fresh(nn.shape_of(x))
    turned = name not in ("Pow", "Div", "Mod", "Rem") and a.chance(0.3)
    a.offer(a(name, a.number(y, x) if isinstance(y, float) else y, x) if turned else a(name, x, y))


def integer_function(a: Author) -> None:
    """A function of integers."""
    x = integers(a)
    if a.chance(0.3):
        a.offer(a(a.pick(INTEGER_UNARY), x))
        return
    name = a.pick(("Add", "Sub", "Mul", "Max", "Min", "Div", "Mod", "Rem", "Pow"))
    if name in ("Div", "Mod", "Rem"):
        a.offer(a(name, x, float(a.pick((2, 3, -2, 1)))))
    elif name == "Pow":
        a.offer(a(name, a("Mod", x, 5.0), float(a.pick((0, 1, 2, 3)))))
    else:
        a.offer(a(name, x, a.integers(nn.shape_of(x), -5, 9, x.type.element_type)))  # type: ignore[attr-defined]


def integers(a: Author) -> SSAValue:
    """A tensor of integers, of those there are or new."""
    there = [v for v in a.pool if v.type.element_type in (i64, i32)]  # type: ignore[attr-defined]
    if there and a.chance(0.6):
        return a.pick(there)
    return a.integers(a.shape(0, 3), -6, 9, a.pick((i64, i32)))


def truth_function(a: Author) -> None:
    """Comparisons and what is done with them."""
    x = a.tensor()
    y = a.pick((0.0, 0.5, -1.0)) if a.chance(0.4) else beside(a, x)
    seen = a(a.pick(("Less", "LessEqual", "Equal")), x, y)
    if a.chance(0.5):
        other = a.truths(nn.shape_of(seen)[-1:]) if a.chance(0.5) else a("Not", seen)
        seen = a(a.pick(("And", "Or", "Xor")), seen, other)
    if a.chance(0.6):
        a.offer(a("Where", seen, x, beside(a, x) if a.chance(0.5) else a.pick((0.0, 1.0))))
    a.offer(seen)


def truth_of_any(a: Author) -> None:
    """Any and all, along axes."""
    x = a("Less", a.tensor(1), 0.3)
    axes = sorted({int(axis) for axis in a.rng.integers(len(nn.shape_of(x)), size=2)})
    a.offer(a("Reduce", x, kind=a.pick(("max", "min")), axes=axes))


def cast(a: Author) -> None:
    """A cast, or one there and back, between floats, integers and truth values."""
    kind = a.pick(("wide", "narrow", "to_int", "of_int", "of_truth", "same", "cut_off"))
    if kind == "cut_off":
        x = a("Mul", integers(a), 50.0)
        a.offer(_as(a, _as(a, x, a.pick((i8, i1))), x.type.element_type))
    elif kind == "of_int":
        a.offer(_as(a, integers(a), a.pick((a.element, i8, i1))))
    elif kind == "of_truth":
        a.offer(_as(a, a.truths(a.shape(1, 3)), a.element))
    elif kind == "to_int":
        a.offer(_as(a, a("Mul", a.tensor(), 3.3), a.pick((i64, i32))))
    else:
        x = a.tensor()
        between = {"wide": f64, "narrow": f16 if a.element in (f32, f64) else a.element, "same": a.element}[kind]
        a.offer(_as(a, _as(a, x, between), a.element))


def _as(a: Author, x: SSAValue, element: object) -> SSAValue:
    return a("Cast", x, type=nn.tensor(element, nn.shape_of(x)))  # type: ignore[arg-type]


def chain(a: Author) -> None:
    """A fused chain of a few scalar functions."""
    x = moderate(a, a.tensor())
    operands, steps = [x, beside(a, x)], []
    for _ in range(int(a.rng.integers(1, 5))):
        known = len(operands) + len(steps)
        args = [int(i) for i in a.rng.integers(known, size=2)]
        kind = a.pick(("add", "sub", "mul", "max", "min", "relu", "neg", "tanh", "sigmoid", "silu", "abs", "gelu"))
        steps.append(nn.StepAttr.of(kind, args[: nn.ELEMENTWISE[kind].ARITY]))
    a.offer(a("FusedElementwise", *operands, steps=ArrayAttr(steps)))


def fusion(a: Author) -> None:
    """A few ops as one kernel, the last of several results now and then."""
    rows, depth, columns = (a.pick((1, 2, 3, 4)) for _ in range(3))
    x, before = a.shaped(rows, depth), a.block.last_op
    w, b = a.fresh((depth, 2 * columns)), a.fresh((2 * columns,))
    before = a.block.last_op
    y = a(a.pick(("Add", "Mul", "Max")), a("Matmul", x, w), b)
    a(a.pick(("Relu", "Tanh", "Silu", "Gelu")), y) if a.chance(0.5) else a("Split", y, axis=1, sizes=(columns, columns))
    inside = []
    op = before.next_op if before is not None else a.block.first_op
    while op is not None:
        inside.append(op)
        op = op.next_op
    made = nn.FusionOp.around(inside)
    a.replaced(inside, made)
    a.offer(*made.results)


def transfer(a: Author) -> None:
    """What passes between devices."""
    a.offer(a("Transfer", a.tensor(), source="p0", target="p1"))


def quantised(a: Author) -> None:
    """Weights of few bits, dequantised, or values that are quantised and back."""
    block = a.pick((0, 1, 2))
    columns, rows = a.pick((2, 4)), a.pick((2, 3, 4))
    scales = (rows, {0: 1, 1: columns, 2: columns // 2}[block])
    scale = a.weight(a.rng.uniform(0.2, 0.6, scales))
    if a.chance(0.5):
        q = a.integers((rows, columns), -8, 8, i8)
        zero = a.weight(a.rng.integers(-3, 3, scales), i8) if a.chance(0.5) else None
    else:
        zero = None
        q = a("Quantise", a.shaped(rows, columns), scale, type=nn.tensor(i8, (rows, columns)), block=(1, block))
    a.offer(a("Dequantise", q, scale, zero, block=(1, block)))


def across_ranks(a: Author) -> None:
    """A collective; there are ranks to speak to now and then alone."""
    if a.ranks == 1:
        raise Unfit
    group = {"mesh": "tp", "ranks": a.ranks}
    kind = a.pick(("AllReduce", "AllGather", "ReduceScatter", "AllToAll", "Permute", "Shard", "Rank"))
    x = a.tensor(1, 3, lambda v: all(size % a.ranks == 0 and size for size in nn.shape_of(v)))
    axis = int(a.rng.integers(len(nn.shape_of(x))))
    match kind:
        case "Rank":
            a.offer(a("Mul", x, _as(a, a("Rank", **group), a.element)))
        case "AllReduce":
            a.offer(a(kind, x, kind=a.pick(("sum", "max", "min")), **group))
        case "AllToAll":
            a.offer(a(kind, x, split_axis=axis, concat_axis=int(a.rng.integers(len(nn.shape_of(x)))), **group))
        case "Permute":
            a.offer(a(kind, x, sources=(0, 1), targets=(1, 0), **group))
        case _:
            a.offer(a(kind, x, axis=axis, **group))


MAKERS = {
    unary: 4, binary: 4, integer_function: 1.5, truth_function: 1.5, truth_of_any: 0.5, cast: 1.5, chain: 1, fusion: 1,
    transfer: 0.5, quantised: 1,
}  # fmt: skip
