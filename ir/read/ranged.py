"""`1..5 req/s`: a figure of which only the ends are known."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

from ..ranges import Range
from ..source import Path as DocumentPath
from ..units import DIMENSIONS
from .distributions import Dist
from .fields import Number, Quantity, Reading, name_of, shown

_NUMBER = r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?"
_RANGE = re.compile(rf"\s*({_NUMBER})\s*\.\.\s*({_NUMBER})\s*(.*?)\s*", re.ASCII | re.DOTALL)


@dataclass(frozen=True)
class Ranged:
    """A value of `inner`, or a range of them, which is noted and reads as its worst end."""

    inner: Quantity | Number | Dist
    worst: Literal["low", "high"] = "high"
    is_price: bool = False
    """Whether nothing but costs depends on it."""

    def read(self, value: Any, path: DocumentPath, to: Reading) -> Any:
        if not isinstance(value, str) or ".." not in value:
            return self.inner.read(value, path, to)
        match = _RANGE.fullmatch(value)
        if match is None:
            to.fault(path, "range", f"{name_of(path)}: {shown(value)} is no range", f"such as `{self._example}`")
            return None
        low, high, unit = match.groups()
        if float(low) > float(high):
            message = f"{name_of(path)}: {shown(value)} starts above its end"
            to.fault(path, "range", message, f"write `{' '.join((f'{high}..{low}', unit)).strip()}`")
            return None
        faults = len(to.faults.errors)
        ends = {}
        for end, text in (("low", low), ("high", high)):
            if len(to.faults.errors) == faults:  # what is wrong with both ends is said once
                ends[end] = self.inner.read(f"{text} {unit}" if unit else float(text), path, to)
        if any(each is None for each in ends.values()) or len(ends) < 2:
            return None
        to.ranges.append(Range(path, float(low), float(high), unit, self.worst, self.is_price))
        return ends[self.worst]

    @property
    def _example(self) -> str:
        if not isinstance(self.inner, Quantity):
            return "500..2000"
        return f"1..2 {DIMENSIONS[self.inner.dimension].example.partition(' ')[2]}"

    def schema(self) -> dict[str, Any]:
        one = self.inner.schema()
        text = {"type": "string", "pattern": r"^\s*[^.]+(\.\d+)?[^.]*\.\.", "description": "a range, `low..high`"}
        return one if one.get("type") == "string" else {"anyOf": [one, text]}
