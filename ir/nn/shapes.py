"""How shapes broadcast."""

from __future__ import annotations

from collections.abc import Sequence

from .base import Shape, require


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
