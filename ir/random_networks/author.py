"""Writes a network op by op and runs it on the way, so that choices can look at what values are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from xdsl.dialects.builtin import i1, i64
from xdsl.ir import Attribute, Block, Operation, SSAValue

from .. import nn
from ..interpret import evaluate
from ..meaning import Array
from ..meaning.collectives import ACROSS

T = TypeVar("T")
DTYPES = {"f64": np.float64, "f32": np.float32, "f16": np.float16, "i1": np.bool_, "i8": np.int8, "i32": np.int32}
"""Element type -> how weights of it are held; other floats as float32, other integers as int64."""
LARGEST = 20.0
"""a magnitude above which a value is scaled down before others may use it"""
MOST_ELEMENTS = 4096
MESH = "tp"
"""the one axis of the mesh"""


class Unfit(Exception):
    """What was begun cannot be finished with the values there are; it is taken back."""


@dataclass
class Author:
    """
    A network being written: `a("Add", x, 1.0)` gives the result of an `nn.add`; numbers become constants.

    Each value is known on every rank while the network is written. `pool` holds what later ops may use.
    """

    rng: np.random.Generator
    element: Attribute
    ranks: int = 1
    block: Block = field(default_factory=Block)
    weights: dict[str, Array] = field(default_factory=dict)
    arrays: dict[SSAValue, list[Array]] = field(default_factory=dict)
    """value -> what it is on each rank, in float64"""
    pool: list[SSAValue] = field(default_factory=list)

    def __call__(self, name: str, /, *operands: SSAValue | float | None, **given: Any) -> Any:
        tensors = [o for o in operands if isinstance(o, SSAValue)]
        like = tensors[1 if name == "Where" else 0] if tensors else None  # a choice is of what it chooses from
        values = [self.number(o, like) if isinstance(o, int | float) else o for o in operands]
        op = getattr(nn, f"{name}Op").make(*values, **given)
        self.add(op)
        return op.results[0] if len(op.results) == 1 else list(op.results)

    def add(self, op: Operation) -> None:
        """Put `op` at the end and work its results out."""
        self.block.add_op(op)
        held = [[self.arrays[o][rank] for o in op.operands] for rank in range(self.ranks)]
        with np.errstate(all="ignore"):
            if isinstance(op, nn.CollectiveOp):
                across = ACROSS[type(op)](op, [h[0] if h else np.zeros(()) for h in held])
                found = [(each,) for each in across]
            else:
                found = [evaluate(op, each, self.weights) for each in held]
        for index, result in enumerate(op.results):
            self.arrays[result] = [each[index] for each in found]

    def number(self, value: float, like: SSAValue | None = None) -> SSAValue:
        """A constant, spelled in one of the ways that front ends have for it."""
        element = nn.tensor_type(like).element_type if like is not None else self.element
        rank = len(nn.shape_of(like)) if like is not None else 0
        spelling = self.rng.random()
        exact = str(element) == "f64" or float(1024 * value).is_integer()
        if spelling < 0.1 and nn.is_float(element) and exact:
            return self.weight(np.full((), value), element)
        if spelling < 0.2:
            return self("Fill", type=nn.tensor(element, (1,) * rank), value=float(value))
        if spelling < 0.3 and like is not None:
            scalar = self("Fill", type=nn.tensor(element, ()), value=float(value))
            return self("Broadcast", scalar, type=nn.tensor_type(like))
        return self("Fill", type=nn.tensor(element, ()), value=float(value))

    def weight(self, array: Array, element: Attribute | None = None) -> SSAValue:
        """A weight of those values, rounded to what its type can hold."""
        element = element or self.element
        dtype = DTYPES.get(str(element), np.int64 if nn.is_integer(element) else np.float32)
        name = f"w{len(self.weights)}"
        with np.errstate(over="ignore"):  # what hides a score is minus infinity in halves
            self.weights[name] = np.asarray(array).astype(dtype)
        return self("Weight", type=nn.tensor(element, np.shape(array)), weight=name)

    def input(self, arrays: Sequence[Array], element: Attribute | None = None) -> SSAValue:
        """One more input of the network, with what it is on each rank."""
        arg = self.block.insert_arg(nn.tensor(element or self.element, np.shape(arrays[0])), len(self.block.args))
        self.arrays[arg] = [np.asarray(each, dtype=np.float64) for each in arrays]
        return arg

    def fresh(self, shape: Sequence[int], trained: bool | None = None) -> SSAValue:
        """A tensor of normal values: a weight, or an input that differs from rank to rank."""
        if self.chance(0.5) if trained is None else trained:
            return self.weight(self.rng.normal(size=shape))
        return self.input([self.rng.normal(size=shape) for _ in range(self.ranks)])

    def integers(self, shape: Sequence[int], low: int, high: int, element: Attribute = i64) -> SSAValue:
        """A tensor of integers from `low` to below `high`: a weight or an input."""
        array = self.rng.integers(low, high, shape)
        return self.weight(array, element) if self.chance(0.5) else self.input([array] * self.ranks, element)

    def truths(self, shape: Sequence[int]) -> SSAValue:
        """A tensor of truth values: a weight or an input."""
        return self.integers(shape, 0, 2, i1)

    def chance(self, probability: float) -> bool:
        """True that often."""
        return bool(self.rng.random() < probability)

    def pick(self, options: Sequence[T]) -> T:
        """One of `options`."""
        return options[int(self.rng.integers(len(options)))]

    def size(self) -> int:
        """The size of an axis: small, now and then 1, rarely 0."""
        return self.pick((1, 2, 2, 3, 3, 4, 4, 5, 6, 8)) if self.chance(0.98) else 0

    def shape(self, low: int = 1, high: int = 4) -> tuple[int, ...]:
        """A shape of `low` to `high` axes."""
        return tuple(self.size() for _ in range(int(self.rng.integers(low, high + 1))))

    def tensor(self, low: int = 0, high: int = 5, fits: Callable[[SSAValue], bool] = lambda v: True) -> SSAValue:
        """A tensor of floats of `low` to `high` axes that `fits`: mostly one that is there."""
        there = [v for v in self.pool if self._is_ours(v) and low <= len(nn.shape_of(v)) <= high and fits(v)]
        if there and self.chance(0.8):
            return self.pick(there[-6:] if self.chance(0.6) else there)
        for _ in range(8):
            made = self.fresh(self.shape(max(low, 1), min(high, 4)), trained=False)
            if fits(made):
                self.pool.append(made)
                return made
        raise Unfit

    def shaped(self, *shape: int) -> SSAValue:
        """A tensor of floats of that shape: one that is there, a view of one, or a new input."""
        there = [v for v in self.pool if self._is_ours(v) and nn.shape_of(v) == shape]
        if there and self.chance(0.6):
            return self.pick(there)
        alike = [v for v in self.pool if self._is_ours(v) and np.prod(nn.shape_of(v)) == np.prod(shape)]
        if alike and self.chance(0.4):
            return self("Reshape", self.pick(alike), type=nn.tensor(self.element, shape))
        made = self.fresh(shape, trained=False)
        self.pool.append(made)
        return made

    def _is_ours(self, value: SSAValue) -> bool:
        return nn.tensor_type(value).element_type == self.element

    def offer(self, *values: SSAValue) -> None:
        """Let later ops use `values`, scaled where they are large; Unfit where they are no numbers, or too many."""
        for value in values:
            peak = max((float(np.abs(a).max(initial=0.0)) for a in self.arrays[value]), default=0.0)
            if not np.isfinite(peak) or int(np.prod(nn.shape_of(value))) > MOST_ELEMENTS:
                raise Unfit
            if peak > LARGEST and nn.is_float(nn.tensor_type(value).element_type):
                value = self("Mul", value, float(f"{1 / peak:.3g}"))
            elif peak > 1e6:
                raise Unfit
            self.pool.append(value)

    def lowest(self, value: SSAValue) -> float:
        """The least element of `value` on any rank."""
        return min(float(a.min(initial=np.inf)) for a in self.arrays[value])

    def peak(self, value: SSAValue) -> float:
        """The largest magnitude in `value` on any rank."""
        return max(float(np.abs(a).max(initial=0.0)) for a in self.arrays[value])

    def either(self, name: str, x: SSAValue | float, y: SSAValue | float) -> SSAValue:
        """A function that commutes, with its operands in either order."""
        if isinstance(x, int | float) or isinstance(y, int | float):
            tensor, value = (x, y) if isinstance(x, SSAValue) else (y, x)
            assert isinstance(tensor, SSAValue)
            assert isinstance(value, int | float)
            x, y = tensor, self.number(value, tensor)
        return self(name, x, y) if self.chance(0.5) else self(name, y, x)

    def take_back(self, last: Operation | None) -> None:
        """Remove all ops after `last`."""
        gone: set[SSAValue] = set()
        while (op := self.block.last_op) is not None and op is not last:
            gone.update(op.results)
            op.detach()
            op.erase()
        self.pool[:] = [value for value in self.pool if value not in gone]

    def replaced(self, ops: Iterable[Operation], by: Operation) -> None:
        """Put `by` at the end in the place of `ops`, the last ones, which nothing else uses."""
        for op in reversed(list(ops)):
            op.detach()
            op.erase()
        self.add(by)
