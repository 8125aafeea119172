"""What the functions of `dovetail` are given: of the kinds that they take, or one error for each that is not."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from numbers import Integral, Real
from typing import Any

from .diagnostics import Diagnostic, InputError
from .units import shorten

LONGEST = 80
"""characters of a value that is shown as it is written"""


@dataclass(frozen=True)
class Kind:
    """What an argument may be."""

    shown: str
    """as in "must be ..." """
    example: str
    """a value, as it is written"""
    holds: Callable[[Any], bool]
    optional: bool = True
    """whether None stands for what is usual"""


def is_path(value: Any) -> bool:
    """Whether it names a file."""
    return isinstance(value, str | os.PathLike) and isinstance(os.fspath(value), str)


def is_number(value: Any, low: float, high: float = float("inf")) -> bool:
    """Whether it is a finite number of at least `low` and below `high`."""
    return isinstance(value, Real) and not isinstance(value, bool) and isfinite(value) and low <= float(value) < high


def is_count(value: Any) -> bool:
    """Whether it is a whole number of 1 or more."""
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 1


def is_mapping(value: Any, of: Callable[[Any], bool]) -> bool:
    """Whether it gives each of some names a value that holds."""
    return isinstance(value, Mapping) and all(isinstance(key, str) and of(each) for key, each in value.items())


def is_list(value: Any, of: Callable[[Any], bool] = lambda each: True) -> bool:
    """Whether it is a list or a tuple of what holds; neither text nor an array is one."""
    return isinstance(value, list | tuple) and all(of(each) for each in value)


def is_text(value: Any) -> bool:
    """Whether it is text."""
    return isinstance(value, str)


def one_of(names: Sequence[str]) -> Kind:
    """One of some names."""
    return Kind(f"one of {', '.join(names)}", repr(names[0]).replace("'", '"'), lambda value: value in names)


def is_made(value: Any, having: str) -> bool:
    """Whether it is an object of ours, told by an attribute, so that its class need not be imported."""
    return hasattr(value, having) and not isinstance(value, type)


OBJECTIVES = ("cost", "latency", "energy", "carbon", "throughput", "tokens_per_usd")
SOLVERS = ("highs", "cbc")

KINDS: Mapping[str, Kind] = {
    "graph": Kind("a path", '"graph.yaml"', is_path, optional=False),
    "file": Kind("a path", '"plan.json"', is_path, optional=False),
    "folder": Kind("a path", '"out"', is_path, optional=False),
    "fleet": Kind("a path", '"fleet.yaml"', is_path),
    "catalogue": Kind("a path", '"catalogue.yaml"', is_path),
    "objective": one_of(OBJECTIVES),
    "solver": one_of(SOLVERS),
    "time_limit_s": Kind("a number of seconds, 0 or more", "10.0", lambda value: is_number(value, 0)),
    "over_s": Kind("a number of seconds, 0 or more", "86400.0", lambda value: is_number(value, 0)),
    "gap": Kind("a number of at least 0 and below 1", "0.01", lambda value: is_number(value, 0, 1)),
    "on_progress": Kind("a function", "print", callable),
    "previous": Kind("a plan or a path", '"plan.json"', lambda value: is_path(value) or is_made(value, "document")),
    "lost": Kind(
        "a mapping of devices to how many, or to None for all",
        '{"h100": 2}',
        lambda value: is_mapping(value, lambda each: each is None or is_count(each)),
    ),
    "sizes": Kind(
        "a mapping of names to whole numbers of 1 or more",
        '{"batch": 1, "tokens": 512}',
        lambda value: is_mapping(value, is_count),
    ),
    "example_inputs": Kind("a list or tuple with the example of each argument", "(x,)", is_list, optional=False),
    "allow_python": Kind(
        "a list of names", '["module:function"]', lambda value: is_list(value, is_text), optional=False
    ),
    "placement": Kind(
        "a plan of `partition`, or a list with the device of each op",
        '["gpu", "cpu"]',
        lambda value: isinstance(value, Mapping) or is_list(value, is_text),
    ),
    "precision": Kind(
        "text, or a mapping of kinds of ops to text",
        '"bf16"',
        lambda value: is_text(value) or is_mapping(value, is_text),
    ),
    "autotune": Kind(
        "True, False or an `Autotune`",
        "True",
        lambda value: isinstance(value, bool) or is_made(value, "clock"),
        optional=False,
    ),
}
"""by the name of the argument"""


def require(function: str, **given: Any) -> None:
    """InputError unless each argument of `dovetail.<function>` is of its kind."""
    wrong = [
        _fault(function, name, value, KINDS[name])
        for name, value in given.items()
        if not (value is None and KINDS[name].optional) and not KINDS[name].holds(value)
    ]
    if wrong:
        raise InputError(wrong)


def _fault(function: str, name: str, value: Any, kind: Kind) -> Diagnostic:
    message = f"`{name}` of `dovetail.{function}` must be {kind.shown}, not {_shown(value)}"
    return Diagnostic("argument", message, help=f"for example `{name}={kind.example}`")


def _shown(value: Any) -> str:
    """A value in a message: as it is written where that is plain and short, else its type."""
    if value is None or isinstance(value, bool | str):
        return f"`{shorten(repr(value))}`"
    if isinstance(value, Real | list | tuple | Mapping) and len(repr(value)) <= LONGEST:
        return f"`{value!r}`"
    return f"a value of type `{type(value).__name__}`"
