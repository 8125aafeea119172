"""Small random networks of integers of every width, indices in and out of range, and casts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from xdsl.dialects.builtin import IntegerType, Signedness, f32, i1, i8, i16, i32, i64
from xdsl.ir import Attribute, Block, SSAValue

from dovetail.ir import nn

UI8, UI32 = (IntegerType(bits, Signedness.UNSIGNED) for bits in (8, 32))
INTEGERS: dict[Attribute, str] = {i8: "int8", UI8: "uint8", i16: "int16", i32: "int32", UI32: "uint32", i64: "int64"}
NAMES = {**INTEGERS, i1: "bool", f32: "float32"}
EDGES = [0.0, -0.0, 0.5, -1.5, 127.5, 255.5, -128.5, 1e9, -1e9, 3e9, -3e9, 1e19, -1e19, np.inf, -np.inf, np.nan]
SHAPE = (3, 4)


class Author:
    """Adds random ops, each to values that were made before it."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        kinds = [*INTEGERS, i1, f32, i64]
        self.block = Block(arg_types=[nn.tensor(kind, SHAPE) for kind in kinds])
        self.inputs = [self._drawn(kind) for kind in kinds]
        self.values: list[SSAValue] = list(self.block.args)

    def _drawn(self, kind: Attribute) -> np.ndarray:
        """Values of `kind`, some of them at its ends."""
        if kind == i1:
            return self.rng.random(SHAPE) < 0.5
        if kind == f32:
            near = self.rng.normal(size=SHAPE) * 100
            return np.where(self.rng.random(SHAPE) < 0.5, near, self.rng.choice(EDGES, SHAPE)).astype(np.float32)
        low, high = nn.integer_range(kind)
        small = self.rng.integers(max(low, -6), 7, SHAPE)
        wide = self.rng.integers(low, high, SHAPE, dtype=NAMES[kind], endpoint=True)
        ends = self.rng.choice(np.array([low, high], dtype=NAMES[kind]), SHAPE)
        which = self.rng.random(SHAPE)
        return np.where(which < 0.6, small.astype(NAMES[kind]), np.where(which < 0.8, wide, ends))

    def pick(self, fits: Callable[[Attribute], bool]) -> SSAValue:
        """A value of elements that `fits`."""
        found = [v for v in self.values if fits(nn.tensor_type(v).element_type)]
        return found[self.rng.integers(len(found))]

    def alike(self, value: SSAValue) -> SSAValue:
        """A value of the same type."""
        found = [v for v in self.values if v.type == value.type]
        return found[self.rng.integers(len(found))]

    def add(self, op: type[nn.TensorOp], *operands: SSAValue, **given: Any) -> SSAValue:
        """The last result of a new op."""
        made = op.make(*operands, **given)
        self.block.add_op(made)
        return made.results[-1]

    def number(self, like: SSAValue, value: float) -> SSAValue:
        return self.add(nn.FillOp, type=nn.with_shape(like, ()), value=float(value))

    def keep(self, value: SSAValue) -> None:
        """`value` for the ops to come, in the shape that all have."""
        shape = nn.shape_of(value)
        self.values.append(
            value if shape == SHAPE else self.add(nn.BroadcastOp, value, type=nn.with_shape(value, SHAPE))
        )

    def step(self) -> None:
        """One random op."""
        STEPS[int(self.rng.integers(len(STEPS)))](self)


def _is_number(element: Attribute) -> bool:
    return nn.is_integer(element) and not nn.is_truth(element)


def _arithmetic(a: Author) -> None:
    x = a.pick(_is_number)
    kind = [nn.AddOp, nn.SubOp, nn.MulOp, nn.MaxOp, nn.MinOp][a.rng.integers(5)]
    a.keep(a.add(kind, x, a.alike(x)))


def _quotient(a: Author) -> None:
    x = a.pick(_is_number)
    divisor = a.add(nn.MaxOp, a.alike(x), a.number(x, 1 + int(a.rng.integers(3))))
    a.keep(a.add([nn.DivOp, nn.RemOp, nn.ModOp][a.rng.integers(3)], x, divisor))


def _unary(a: Author) -> None:
    a.keep(a.add([nn.NegOp, nn.AbsOp, nn.SignOp, nn.ReluOp][a.rng.integers(4)], a.pick(_is_number)))


def _power(a: Author) -> None:
    x = a.pick(_is_number)
    a.keep(a.add(nn.PowOp, x, a.number(x, int(a.rng.integers(4)))))


def _comparison(a: Author) -> None:
    x = a.pick(lambda _: True)
    a.keep(a.add([nn.LessOp, nn.LessEqualOp, nn.EqualOp][a.rng.integers(3)], x, a.alike(x)))


def _choice(a: Author) -> None:
    x = a.pick(lambda _: True)
    a.keep(a.add(nn.WhereOp, a.pick(nn.is_truth), x, a.alike(x)))


def _logic(a: Author) -> None:
    x = a.pick(nn.is_truth)
    kind = [nn.AndOp, nn.OrOp, nn.XorOp][a.rng.integers(3)]
    a.keep(a.add(nn.NotOp, a.add(kind, x, a.alike(x))))


def _cast(a: Author) -> None:
    """To floats only what they hold: the reference rounds nothing."""
    x, to = a.pick(lambda _: True), list(NAMES)[a.rng.integers(len(NAMES))]
    if to == f32 and nn.bits_of(nn.tensor_type(x).element_type) > 16:
        to = i16
    a.keep(a.add(nn.CastOp, x, type=nn.tensor(to, SHAPE)))


def _gather(a: Author) -> None:
    x, axis = a.pick(lambda _: True), int(a.rng.integers(2))
    index = a.add(nn.SliceOp, a.pick(_is_number), starts=(0, 0), limits=(1, SHAPE[axis]))
    flat = a.add(nn.ReshapeOp, index, type=nn.with_shape(index, (SHAPE[axis],)))
    a.keep(a.add(nn.GatherOp, x, flat, axis=axis))


def _elements(a: Author) -> None:
    a.keep(a.add(nn.GatherElementsOp, a.pick(lambda _: True), a.pick(_is_number), axis=int(a.rng.integers(2))))


def _scatter(a: Author) -> None:
    x = a.pick(_is_number)
    index = a.add(nn.SliceOp, a.pick(_is_number), starts=(0, 0), limits=(1, SHAPE[0]))
    flat = a.add(nn.ReshapeOp, index, type=nn.with_shape(index, (SHAPE[0],)))
    a.keep(a.add(nn.ScatterOp, x, flat, a.alike(x), axis=0, kind="add"))


def _reduction(a: Author) -> None:
    kind = ["sum", "prod", "max", "min"][a.rng.integers(4)]
    a.keep(a.add(nn.ReduceOp, a.pick(_is_number), kind=kind, axes=(int(a.rng.integers(2)),)))


def _search(a: Author) -> None:
    x, axis = a.pick(_is_number), int(a.rng.integers(2))
    match a.rng.integers(3):
        case 0:
            a.keep(a.add(nn.ArgMaxOp, x, axis=axis))
        case 1:
            a.keep(a.add(nn.TopKOp, x, k=SHAPE[axis], axis=axis))
        case _:
            a.keep(a.add(nn.CumSumOp, x, axis=axis, exclusive=int(a.rng.integers(2)), reverse=int(a.rng.integers(2))))


def _move(a: Author) -> None:
    x = a.pick(lambda _: True)
    if a.rng.random() < 0.5:
        a.keep(a.add(nn.ReverseOp, x, axes=(1,)))
    else:
        half = a.add(nn.SliceOp, x, starts=(0, 2), limits=(3, 4))
        a.keep(a.add(nn.ConcatOp, half, a.add(nn.SliceOp, a.alike(x), starts=(0, 0), limits=(3, 2)), axis=1))


STEPS: Sequence[Callable[[Author], None]] = (
    _arithmetic, _arithmetic, _quotient, _unary, _power, _comparison, _choice, _logic, _cast, _cast, _gather, _elements,
    _scatter, _reduction, _search, _move,
)  # fmt: skip


def integer_network(seed: int, steps: int = 12) -> tuple[nn.NnModule, list[np.ndarray]]:
    """A network of `steps` ops, each of whose results is an output, and its inputs."""
    author = Author(np.random.default_rng(seed))
    for _ in range(steps):
        author.step()
    made = author.values[len(author.block.args) :]
    names = (tuple(f"x{i}" for i in range(len(author.block.args))), tuple(f"y{i}" for i in range(len(made))))
    return nn.NnModule(nn.build_main(author.block, made), {}, *names), author.inputs
