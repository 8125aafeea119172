"""Figures that are written as a range: where, from what to what, and which end is the bad one."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from .source import Path


@dataclass(frozen=True)
class Range:
    """`low..high unit`, written in a document at `path`; both ends in the unit that they are written in."""

    path: Path
    low: float
    high: float
    unit: str = ""
    worst: Literal["low", "high"] = "high"
    """The end at which no plan is better than at the other, as far as is known."""
    is_price: bool = False
    """Whether nothing but costs depends on it, and costs grow with it."""

    @property
    def name(self) -> str:
        """`nodes.think.prompt_tokens`."""
        return ".".join(str(part) for part in self.path)

    @property
    def nominal(self) -> float:
        """The middle."""
        return self.at(0.5)

    def at(self, share: float) -> float:
        """The value that lies so far from the best end (0) to the worst (1)."""
        best, worst = (self.high, self.low) if self.worst == "low" else (self.low, self.high)
        # Rounded, so that the middle of 0.2 and 0.4 is 0.3.
        return worst if share == 1 else best if share == 0 else float(f"{best + share * (worst - best):.12g}")

    def written(self, share: float) -> float | str:
        """That value as a document states it."""
        return f"{self.at(share)!r} {self.unit}" if self.unit else self.at(share)

    def inside(self, path: Path) -> Range:
        """The same range in a document whose part at `path` is this one's."""
        return replace(self, path=(*path, *self.path))


def document_at(document: Mapping[str, Any], shares: Iterable[tuple[Range, float]]) -> dict[str, Any]:
    """A copy of `document` with each of these ranges replaced by one of its values."""
    new: Any = copy.deepcopy(dict(document))
    for each, share in shares:
        at = new
        for part in each.path[:-1]:
            at = at[part]
        at[each.path[-1]] = each.written(share)
    return new
