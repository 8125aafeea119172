"""What `gpu.py` measures: one call of a kernel, its meaning in float64, its least work, and what torch has for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from dovetail.backends.triton.messages import Named
from dovetail.backends.triton.tiles import BYTES

TOLERANCES = {"float32": 1e-5, "float16": 1e-2, "bfloat16": 1e-2}
"""largest relative error of a row in the norm of l2"""


@dataclass(frozen=True)
class Rival:
    """What torch computes the same with: a function of torch and of the tensors of these names."""

    name: str
    takes: tuple[str, ...]
    function: Callable[..., Any]
    compiled: bool = False
    """by `torch.compile`"""


@dataclass(frozen=True)
class Case:
    """One call of a kernel, and what it is measured against."""

    kernel: Named
    tensors: Mapping[str, Any]
    """by the names of the wrapper"""
    options: Mapping[str, Any]
    expected: Callable[[Any, SimpleNamespace], Any]
    """what is written, in float64, of numpy or torch and of what the kernel and rivals are given, in float64"""
    rivals: tuple[Rival, ...]
    dtype: str
    flops: float
    moved_bytes: float
    """each input read once and each output written once"""
    also: Mapping[str, Any] = field(default_factory=dict)
    """tensors that `expected` and rivals take besides"""
    writes: tuple[str, ...] = ("out",)
    """the tensors that the kernel writes, in the order of what `expected` and rivals give"""

    @property
    def inputs(self) -> dict[str, Any]:
        """What `expected` and rivals may take, by name."""
        return {name: value for name, value in {**self.tensors, **self.also}.items() if name not in self.writes}


@dataclass(frozen=True)
class Spec:
    """A case by name, and its sizes on a GPU and in the interpreter."""

    name: str
    kind: str
    """of `gpu.AIMS`"""
    build: Callable[..., Case]
    full: Mapping[str, Any]
    small: Mapping[str, Any]


def beside(function: str) -> Named:
    """A jitted function of `epilogues.py`."""
    return Named(f"{__package__}.epilogues", function, Path(__file__).resolve().parents[1])


def size_bytes(dtype: str, *shapes: tuple[int, ...]) -> float:
    """[bytes] of tensors of these shapes."""
    return float(sum(map(prod, shapes)) * BYTES[dtype])


def compiled(rival: Rival) -> Rival:
    """The same by `torch.compile`."""
    return Rival("torch.compile", rival.takes, rival.function, compiled=True)


def row_error(xp: Any, found: Any, expected: Any) -> float:
    """
    The largest error of a row, relative to the row: max over rows of ||found - expected|| / ||expected||.

    A row is what lies along the last axis; not a number where `found` is not finite throughout.
    """
    missed, whole = (xp.sqrt((each * each).sum(-1)) for each in (found - expected, expected))
    return float((missed / xp.where(whole > 0.0, whole, 1.0)).max())
