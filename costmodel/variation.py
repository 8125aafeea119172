"""Coefficients of the cost model taken to be off by a factor, to see what that does to an answer.

Functions that give a device's coefficients pass them through `varied`; within `variation` some come out changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import is_dataclass, replace
from typing import Any, TypeVar

Coefficients = TypeVar("Coefficients")
Factors = Mapping[tuple[str, str], float]
"""(device id, name of a coefficient) -> factor."""

_FACTORS: ContextVar[Factors | None] = ContextVar("factors", default=None)


@contextmanager
def variation(factors: Factors) -> Iterator[None]:
    """Let these coefficients be off by these factors inside the block."""
    token = _FACTORS.set(factors)
    try:
        yield
    finally:
        _FACTORS.reset(token)


def varied(device: str, coefficients: Coefficients) -> Coefficients:
    """`coefficients` (a mapping or a frozen dataclass) of the device of that id, as the variation has them."""
    factors = _FACTORS.get()
    if not factors:
        return coefficients
    names = [name for id, name in factors if id == device]
    if is_dataclass(coefficients) and not isinstance(coefficients, type):
        changed = {n: getattr(coefficients, n) * factors[device, n] for n in names if hasattr(coefficients, n)}
        return replace(coefficients, **changed) if changed else coefficients
    values: Any = coefficients
    return {**values, **{n: values[n] * factors[device, n] for n in names if n in values}}  # pyright: ignore[reportReturnType]
