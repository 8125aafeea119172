"""Messages between a process and the one that interprets for it: names, numbers and arrays, nothing that runs.

A message is the length of a JSON text in eight bytes, the text, and the arrays' bytes one after the other. The text has
the tree of values, in which an array stands by its place, and the dtype, shape and order of each array.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from ..dtypes import numpy_dtype


@dataclass(frozen=True)
class Named:
    """A function that only the other process imports: a kernel's wrapper, an epilogue."""

    module: str
    function: str
    folder: Path | None = None
    """where the module lies, if it is no part of a package"""


def write(value: Any, stream: IO[bytes]) -> None:
    """Send dicts, lists, tuples, arrays, `Named` functions and plain values; TypeError for anything else."""
    arrays: list[np.ndarray] = []
    places: dict[int, int] = {}
    tree = _tree(value, arrays, places)
    orders = ["F" if a.flags.f_contiguous and not a.flags.c_contiguous else "C" for a in arrays]
    kinds = [[a.dtype.name, a.shape, order] for a, order in zip(arrays, orders, strict=True)]
    text = json.dumps([tree, kinds]).encode()
    stream.write(len(text).to_bytes(8, "little") + text)
    for array, order in zip(arrays, orders, strict=True):
        stream.write(array.tobytes("F" if order == "F" else "C"))
    stream.flush()


def read(stream: IO[bytes]) -> Any:
    """What the other side wrote, arrays as ones that may be written to; EOFError where it has ended."""
    tree, kinds = json.loads(_exactly(stream, int.from_bytes(_exactly(stream, 8), "little")))
    arrays = []
    for name, shape, order in kinds:
        kind = numpy_dtype(name)
        size = kind.itemsize * int(np.prod(shape, dtype=np.int64))
        arrays.append(np.frombuffer(bytearray(_exactly(stream, size)), kind).reshape(shape, order=order))
    return _value(tree, arrays)


def _exactly(stream: IO[bytes], size: int) -> bytes:
    content = stream.read(size)
    if len(content) < size:
        raise EOFError("the other process has ended")
    return content


def _tree(value: Any, arrays: list[np.ndarray], places: dict[int, int]) -> Any:
    """`value` as JSON has it; what JSON lacks is a list of its kind and its parts."""

    def part(each: Any) -> Any:
        return _tree(each, arrays, places)

    if isinstance(value, np.ndarray):
        if id(value) not in places:
            places[id(value)] = len(arrays)
            arrays.append(value)
        return ["array", places[id(value)]]
    if isinstance(value, Named):
        return ["named", value.module, value.function, None if value.folder is None else str(value.folder)]
    if isinstance(value, dict):
        return {key: part(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return ["list" if isinstance(value, list) else "tuple", *map(part, value)]
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, str | int | float):
        return value
    raise TypeError(f"{type(value).__name__} cannot be sent to another process")


def _value(tree: Any, arrays: list[np.ndarray]) -> Any:
    if isinstance(tree, dict):
        return {key: _value(each, arrays) for key, each in tree.items()}
    if not isinstance(tree, list):
        return tree
    kind, *parts = tree
    if kind == "array":
        return arrays[parts[0]]
    if kind == "named":
        module, function, folder = parts
        return Named(module, function, None if folder is None else Path(folder))
    values = [_value(each, arrays) for each in parts]
    return values if kind == "list" else tuple(values)
