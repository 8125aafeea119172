"""Figures of an embedded catalogue that no device or model can have: of another type, negative, beyond bounds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass

LARGEST = 1e30
"""No figure in base units comes near this; with it products of several stay finite."""
SIMPLE: Mapping[str, type | tuple[type, ...]] = {
    "int": int,
    "float": (int, float),
    "bool": bool,
    "str": str,
    "None": type(None),
}


def odd_figures(value: object, where: str) -> Iterator[str]:
    """What is wrong with a record read from a catalogue, one sentence each; goes into records, lists and maps."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return
    if isinstance(value, int | float):
        # A comparison with NaN is false; infinite is a limit that is none, and never read from a document.
        if not (0 <= value <= LARGEST or value == math.inf):
            yield f"{where} is no figure from 0 to {LARGEST:g}"
    elif is_dataclass(value):
        for field in fields(value):
            item, kinds = getattr(value, field.name), [kind.strip() for kind in str(field.type).split("|")]
            inner = f"{where}.{field.name}"
            if all(kind in SIMPLE for kind in kinds) and not any(_is_a(item, kind) for kind in kinds):
                yield f"{inner} is {type(item).__name__}, and not {' or '.join(kinds)}"
            else:
                yield from odd_figures(item, inner)
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from odd_figures(item, f"{where}.{name}")
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield from odd_figures(item, f"{where}[{number}]")


def _is_a(value: object, kind: str) -> bool:
    """Whether a value is of the type that the annotation names; a truth value is no number."""
    return isinstance(value, SIMPLE[kind]) and (kind == "bool" or not isinstance(value, bool))
