"""Tensors of an emitted network as views of buffers, so that transpositions and slices cost nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod


def row_major(sizes: Sequence[int]) -> tuple[int, ...]:
    """The strides [elements] of a contiguous tensor."""
    return tuple(prod(sizes[i + 1 :]) for i in range(len(sizes)))


@dataclass(frozen=True)
class View:
    """Where a tensor lies: in a variable of the emitted function, whose own shape is `declared`."""

    variable: str
    declared: tuple[int, ...]
    dtype: str
    sizes: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int = 0

    @classmethod
    def whole(cls, variable: str, sizes: Sequence[int], dtype: str) -> View:
        """All of the variable, contiguous."""
        return cls(variable, tuple(sizes), dtype, tuple(sizes), row_major(sizes))

    @property
    def contiguous(self) -> bool:
        """Whether its elements lie together in order."""
        pairs = zip(self.sizes, self.strides, row_major(self.sizes), strict=True)
        return prod(self.sizes) == 0 or all(size == 1 or stride == wanted for size, stride, wanted in pairs)

    def reshaped(self, sizes: Sequence[int]) -> View | None:
        """The same elements in another shape; None where that takes a copy."""
        sizes = tuple(sizes)
        if self.contiguous:
            return replace(self, sizes=sizes, strides=row_major(sizes))
        runs, strides = self._runs(), []
        for size in reversed(sizes):
            if size == 1:
                strides.append(0)
                continue
            while runs and runs[-1][0] == 1:
                runs.pop()
            if not runs or runs[-1][0] % size:
                return None
            left, step = runs.pop()
            strides.append(step)
            runs.append((left // size, step * size))
        return replace(self, sizes=sizes, strides=tuple(reversed(strides)))

    def _runs(self) -> list[tuple[int, int]]:
        """(elements, stride) of the runs that axes form in memory, outermost first."""
        runs: list[tuple[int, int]] = []
        for size, stride in zip(self.sizes, self.strides, strict=True):
            if size == 1:
                continue
            if runs and runs[-1][1] == size * stride:
                runs[-1] = (runs[-1][0] * size, stride)
            else:
                runs.append((size, stride))
        return runs

    def transposed(self, permutation: Sequence[int]) -> View:
        """The axes in another order."""
        sizes, strides = (tuple(of[p] for p in permutation) for of in (self.sizes, self.strides))
        return replace(self, sizes=sizes, strides=strides)

    def sliced(self, bounds: Sequence[tuple[int, int, int]]) -> View:
        """Every step-th element from start to limit along each axis."""
        starts = sum(start * stride for (start, _, _), stride in zip(bounds, self.strides, strict=True))
        sizes = tuple((limit - start + step - 1) // step for start, limit, step in bounds)
        strides = tuple(stride * step for (_, _, step), stride in zip(bounds, self.strides, strict=True))
        return replace(self, sizes=sizes, strides=strides, offset=self.offset + starts)

    def broadcast(self, sizes: Sequence[int]) -> View:
        """Read at every index of a larger shape."""
        missing = len(sizes) - len(self.sizes)
        strides = (0 if size == 1 else stride for size, stride in zip(self.sizes, self.strides, strict=True))
        return replace(self, sizes=tuple(sizes), strides=(0,) * missing + tuple(strides))

    def __str__(self) -> str:
        if self.sizes == self.declared and self.offset == 0 and self.strides == row_major(self.sizes):
            return self.variable
        offset = f", {self.offset}" if self.offset else ""
        return f"{self.variable}.as_strided({self.sizes}, {self.strides}{offset})"
