"""How shapes broadcast, and what ops ask of their axes."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import IntegerAttr
from xdsl.ir import SSAValue

from .base import Shape, integer, require, tensor_type


def broadcast(shapes: Sequence[Shape]) -> Shape:
    """The shape that `shapes` broadcast to, as numpy does it; VerifyException (C2) where they do not."""
    rank = max((len(s) for s in shapes), default=0)
    result = [1] * rank
    for shape in shapes:
        for axis, size in enumerate(shape, start=rank - len(shape)):
            require(size == result[axis] or 1 in (size, result[axis]), f"(C2) shapes {shapes} do not broadcast")
            result[axis] = size if result[axis] == 1 else result[axis]
    return tuple(result)


def broadcasts_to(shape: Shape, target: Shape) -> bool:
    """Whether a tensor of `shape` repeats to one of `target`."""
    tail = target[len(target) - len(shape) :]
    return len(shape) <= len(target) and all(size in (1, whole) for size, whole in zip(shape, tail, strict=True))


def axis_of(axis: IntegerAttr, x: SSAValue, number: int) -> int:
    """`axis`, which must be one of `x`; `number` is that of the constraint."""
    at, rank = integer(axis), tensor_type(x).get_num_dims()
    require(0 <= at < rank, f"(C{number}) axis {at} is outside rank {rank}")
    return at


def require_rising(axes: Shape, x: SSAValue, number: int) -> None:
    """Raise VerifyException unless `axes` rise strictly within the rank of `x`; `number` is that of the constraint."""
    rank = tensor_type(x).get_num_dims()
    rising = list(axes) == sorted(set(axes)) and all(0 <= a < rank for a in axes)
    require(rising, f"(C{number}) axes {axes} do not rise within rank {rank}")


def replaced(shape: Shape, axis: int, size: int) -> Shape:
    """`shape` with `size` at `axis`."""
    return (*shape[:axis], size, *shape[axis + 1 :])
