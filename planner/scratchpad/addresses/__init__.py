"""Addresses: where in the scratchpad each stay of a tensor lies, or a proof that a residency has no layout."""

from __future__ import annotations

from collections.abc import Sequence

from ..residency import Residency
from .portfolio import lay_out
from .rectangles import Buffer, Layout

__all__ = ["Layout", "allocate", "lay_out", "lay_out_stays", "place"]


def place(residency: Residency, *, time_limit_s: float | None = None) -> dict[int, int] | None:
    """The offset of each stay by its index in `residency.stays` [bytes, aligned], or None if none was found.

    None says nothing about whether there are any: `lay_out_stays` tells a proof from a search that ran out of time.
    """
    layout = lay_out_stays(residency, time_limit_s=time_limit_s)
    return None if layout.offsets is None else dict(enumerate(layout.offsets))


def lay_out_stays(residency: Residency, *, time_limit_s: float | None = None) -> Layout:
    """The same with its proof: `infeasible` means that these stays have no layout at all."""
    problem = residency.problem
    stays = [(stay.start, stay.end + 1, problem.sizes[stay.tensor]) for stay in residency.stays]
    return lay_out(stays, problem.size_bytes, alignment=problem.alignment_bytes, time_limit_s=time_limit_s)


def allocate(buffers: Sequence[Buffer], capacity: int, time_limit_s: float | None = None) -> list[int] | None:
    """Static allocation: an offset for each buffer (lower, upper, size), alive in lower <= t < upper, below `capacity`;
    None if none was found."""
    layout = lay_out(buffers, capacity, time_limit_s=time_limit_s)
    return None if layout.offsets is None else list(layout.offsets)
