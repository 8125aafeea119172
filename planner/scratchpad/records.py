"""Reads JSON as the records that the package works with, by the types of their fields."""

from __future__ import annotations

import math
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")
LARGEST = 2**62
"""No whole number of a plan comes near this."""


class Malformed(Exception):
    """A document that has not the shape it should; the text says where."""


def read_as(kind: type[T], value: object, where: str) -> T:
    """`value` as a record of the class `kind`; Malformed where a key is missing or unknown, or a type is another."""
    if not isinstance(value, dict):
        raise Malformed(f"{where} is no object")
    hints = _hints(kind)
    required = [f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING]  # type: ignore[arg-type]
    if missing := [name for name in required if name not in value]:
        raise Malformed(f"{where} has no `{missing[0]}`")
    if unknown := [name for name in value if name not in hints]:
        raise Malformed(f"{where} has an unknown key `{unknown[0]}`")
    return kind(**{name: _read(hints[name], item, f"{where}.{name}") for name, item in value.items()})


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _read(hint: Any, value: Any, where: str) -> Any:
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return _read_union(get_args(hint), value, where)
    if origin is Literal:
        if value in get_args(hint):
            return value
        raise Malformed(f"{where} is none of {', '.join(map(str, get_args(hint)))}")
    if origin in (tuple, frozenset):
        return _read_list(origin, get_args(hint), value, where)
    if origin is dict:
        if not isinstance(value, dict):
            raise Malformed(f"{where} is no object")
        return {key: _read(get_args(hint)[1], item, f"{where}.{key}") for key, item in value.items()}
    if is_dataclass(hint):
        return read_as(hint, value, where)  # type: ignore[arg-type]
    return _read_simple(hint, value, where)


def _read_union(kinds: tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None and NoneType in kinds:
        return None
    if isinstance(value, str) and str in kinds:
        return value
    (other,) = (kind for kind in kinds if kind not in (NoneType, str) or (kind is str and len(kinds) == 1))
    return _read(other, value, where)


def _read_list(origin: type, kinds: tuple[Any, ...], value: Any, where: str) -> Any:
    if not isinstance(value, list):
        raise Malformed(f"{where} is no list")
    if origin is tuple and kinds[-1] is not Ellipsis:
        if len(value) != len(kinds):
            raise Malformed(f"{where} has not {len(kinds)} items")
        return tuple(_read(kind, item, where) for kind, item in zip(kinds, value, strict=True))
    return origin(_read(kinds[0], item, f"{where}[{i}]") for i, item in enumerate(value))


def _read_simple(kind: type, value: Any, where: str) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value) if abs(value) <= LARGEST else math.inf
    if type(value) is not kind:
        raise Malformed(f"{where} is {type(value).__name__}, must be {kind.__name__}")
    if (kind is float and not math.isfinite(value)) or (kind is int and abs(value) > LARGEST):
        raise Malformed(f"{where} is no figure that a plan can have")
    return value
