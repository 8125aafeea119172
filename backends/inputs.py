"""The inputs of a program that runs here, from what its caller gave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from ..ir.diagnostics import Diagnostic, InputError, did_you_mean
from ..ir.wording import counted
from .dtypes import numpy_dtype

Ends = Mapping[str, tuple[tuple[int, ...], str]]
"""shape and dtype by name, in graph order"""


def bind_inputs(
    program: str,
    wanted: Ends,
    args: Sequence[Any],
    named: Mapping[str, Any],
    aliases: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, np.ndarray]:
    """
    The arrays for `wanted`, in its order and of its dtypes, from positional and named ones; an alias stands for a name.

    Raises `InputError` for inputs that are missing, unknown, given twice, or of another shape or kind.
    """
    if len(args) > len(wanted):
        raise _wrong(f"`{program}` takes {counted(len(wanted), 'input')}, not {len(args)}")
    given = dict(zip(wanted, args, strict=False))
    for key, value in named.items():
        name = key if key in wanted else aliases.get(key)
        if name is None:
            raise _wrong(f"`{program}` has no input `{key}`", did_you_mean(key, wanted))
        if name in given:
            raise _wrong(f"input `{name}` is given twice")
        given[name] = value
    missing = [f"`{name}`" for name in wanted if name not in given]
    if missing:
        raise _wrong(f"`{program}` needs its input {', '.join(missing)}")
    return {name: _declared(given[name], name, *end) for name, end in wanted.items()}


def _declared(value: Any, name: str, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    array, kind = _array(value, name), numpy_dtype(dtype)
    if array.shape != shape:
        raise _wrong(f"input `{name}` has the shape {array.shape}, the network takes {shape}")
    if kind.kind == "V" and array.dtype == f"V{kind.itemsize}":
        array = array.view(kind)  # files of numpy hold bfloat16 as bytes
    whole = array.dtype.kind in "iu" and kind.kind in "iu"
    if not whole and not np.can_cast(array.dtype, kind, casting="same_kind"):
        raise _wrong(f"input `{name}` holds {array.dtype}, the network takes {dtype}")
    made = array.astype(kind, copy=False)
    if whole and (differ := made != array).any():
        raise _wrong(f"input `{name}` holds {array[differ][0]}, which is no {dtype}")
    return made


def _array(value: Any, name: str) -> np.ndarray:
    try:
        array = np.asarray(value)
    except (TypeError, ValueError) as error:  # rows of several lengths
        raise _wrong(f"input `{name}` is no array: {str(error).splitlines()[0]}") from None
    if array.dtype.kind in "OSUMm" and not isinstance(value, np.ndarray):
        raise _wrong(f"input `{name}` is no array of numbers, but a {type(value).__name__}")
    return array


def _wrong(message: str, help: str | None = None) -> InputError:
    return InputError([Diagnostic("program-input", message, help=help)])
