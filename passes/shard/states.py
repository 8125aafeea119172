"""
How a tensor lies on the ranks of one mesh axis (SBP of OneFlow: Yuan et al. 2021, arXiv:2110.15032, section 3.1).

    B        every rank holds it whole
    S(i)     rank r of n holds part r of n equal parts along axis i
    P(sum)   it is the sum (max, min) of what the ranks hold, each of its full shape
    X        rows of tokens at the ranks that have their experts: n blocks, one from each rank, of its tokens' rows for
             the experts here, sorted by expert, and 0 behind them; it starts in a dispatch and ends in a combine
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...ir import nn

_TEXT = re.compile(r"B|X|S\((\d+)\)|P\((sum|max|min)\)")


@dataclass(frozen=True, order=True)
class State:
    """One of B, S(axis), P(reduction), X."""

    kind: str
    axis: int = -1
    reduction: str = ""

    def __str__(self) -> str:
        if self.kind == "S":
            return f"S({self.axis})"
        return f"P({self.reduction})" if self.kind == "P" else self.kind

    @staticmethod
    def read(text: str) -> State:
        """What `str` gave; ValueError for other text."""
        match = _TEXT.fullmatch(text)
        if match is None:
            raise ValueError(f"`{text}` is no state of a tensor: B, S(axis), P(sum), P(max), P(min) or X")
        if match[1] is not None:
            return split(int(match[1]))
        return partial(match[2]) if match[2] else State(text)

    def local(self, shape: nn.Shape, ranks: int) -> nn.Shape:
        """The shape of what one of `ranks` ranks holds of a tensor of `shape`."""
        if self.kind != "S":
            return shape
        return (*shape[: self.axis], shape[self.axis] // ranks, *shape[self.axis + 1 :])

    def fits(self, shape: nn.Shape, ranks: int) -> bool:
        """Whether a tensor of `shape` can lie so: the ranks divide the axis that is split."""
        return self.kind != "S" or (self.axis < len(shape) and divides(ranks, shape[self.axis]))


def divides(ranks: int, size: int) -> bool:
    """Whether each of `ranks` ranks gets an equal, non-empty part of an axis of `size`."""
    return size > 0 and size % ranks == 0


WHOLE = State("B")
EXCHANGED = State("X")


def split(axis: int) -> State:
    """S(axis)."""
    return State("S", axis)


def partial(reduction: str) -> State:
    """P(reduction)."""
    return State("P", reduction=reduction)


SUM = partial("sum")
