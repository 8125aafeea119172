"""What launch wrappers ask of tensors: those of torch, or `HostTensor`, which has the same few methods."""

from math import prod
from typing import Any, Protocol


class Tensor(Protocol):
    """A tensor on the device that a kernel runs on."""

    dtype: Any
    """its name as text ends in that of numpy's: `int8`, `torch.int8`"""

    def size(self) -> Any: ...

    def stride(self) -> Any: ...

    def data_ptr(self) -> int: ...


def integer_range(tensor: Tensor) -> tuple[int, int] | None:
    """The least and the greatest integer that it can hold; None for floats."""
    name = str(tensor.dtype).rpartition(".")[2]
    if name == "bool":
        return 0, 1
    kind, found, bits = name.partition("int")
    if not found or not bits.isdigit():
        return None
    return (0, 2 ** int(bits) - 1) if kind == "u" else (-(2 ** (int(bits) - 1)), 2 ** (int(bits) - 1) - 1)


def outside(tensor: Tensor) -> int | None:
    """What an index out of range finds: the least integer, of those without a sign the greatest; None for NaN."""
    limits = integer_range(tensor)
    return None if limits is None else limits[0] or limits[1]


def is_empty(*tensors: Tensor) -> bool:
    """Whether one of them has no element, so that there is nothing to launch a kernel for."""
    return any(prod(tensor.size()) == 0 for tensor in tensors)


def broadcast_strides(tensor: Tensor, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The strides [elements] by which `tensor` is read at every index of `shape`, 0 along what it broadcasts over."""
    sizes, strides = tuple(tensor.size()), tuple(tensor.stride())
    missing = len(shape) - len(sizes)
    fits = missing >= 0 and all(s in (1, wanted) for s, wanted in zip(sizes, shape[missing:], strict=True))
    if not fits:
        raise ValueError(f"a tensor of shape {sizes} does not broadcast to {shape}")
    return (0,) * missing + tuple(0 if size == 1 else step for size, step in zip(sizes, strides, strict=True))


def matrices(tensor: Tensor, what: str) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """(batch, rows, columns) and strides of a tensor of rank 2 or 3; a batch of 1 has stride 0."""
    sizes, strides = tuple(tensor.size()), tuple(tensor.stride())
    if len(sizes) not in (2, 3):
        raise ValueError(f"{what} is of shape {sizes}, must be of rank 2 or 3")
    batch, of_batch = (sizes[0], strides[0]) if len(sizes) == 3 and sizes[0] != 1 else (1, 0)
    return (batch, sizes[-2], sizes[-1]), (of_batch, strides[-2], strides[-1])


def require(holds: bool, message: str) -> None:
    """ValueError with `message` unless it holds."""
    if not holds:
        raise ValueError(message)


def require_narrow(name: str, *reaches: int) -> None:
    """
    ValueError where one program would need an offset of 2^31 elements or more within its tile.

    Tiles start at 64-bit offsets, so tensors may be larger than that; what one tile spans may not.
    """
    if max(reaches) >= 2**31:
        raise ValueError(f"a tile of {name} spans {max(reaches)} elements, which 32-bit offsets do not reach")


Terms = tuple[int, ...]
"""Inner, count, stride of one run of axes, then of the next: Triton before 3.9 takes no tuples in tuples in tuples."""


def axis_terms(sizes: tuple[int, ...], strides: tuple[int, ...]) -> Terms:
    """
    The terms (inner, count, stride) by which `broadcast_offset` finds element i, counted row-major, of these axes.

    Offset = sum(i // inner % count * stride); neighbouring axes that are one run in memory are one term,
    and axes with stride 0, along which a tensor broadcasts, are none.
    """
    terms: list[tuple[int, int, int]] = []
    inner = 1
    for size, stride in zip(reversed(sizes), reversed(strides), strict=True):
        if size != 1 and stride != 0:
            before, count, step = terms[-1] if terms else (0, 0, 0)
            if terms and before * count == inner and count * step == stride:
                terms[-1] = (before, count * size, step)
            else:
                terms.append((inner, size, stride))
        inner *= size
    return tuple(each for term in terms for each in term)


def split_axes(tensor: Tensor, axes: tuple[int, ...]) -> tuple[tuple[int, Terms], tuple[int, Terms]]:
    """(number of elements, terms) along all axes but `axes`, and along `axes`."""
    sizes, strides = tuple(tensor.size()), tuple(tensor.stride())
    parts = [tuple(i for i in range(len(sizes)) if (i in axes) == wanted) for wanted in (False, True)]
    kept, taken = (
        (prod(sizes[i] for i in part), axis_terms(tuple(sizes[i] for i in part), tuple(strides[i] for i in part)))
        for part in parts
    )
    return kept, taken


def reach(tensor: Tensor) -> int:
    """How many elements after its first one the last element of a tensor lies."""
    return sum((size - 1) * stride for size, stride in zip(tensor.size(), tensor.stride(), strict=True))
