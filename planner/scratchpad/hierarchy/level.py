"""The memories beyond the scratchpad."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ....ir.diagnostics import Diagnostic, InputError
from ..problem import ScratchpadProblem

MOST_LEVELS = 2
NEAREST = "scratchpad"


@dataclass(frozen=True)
class Level:
    """A memory beyond the scratchpad, and the DMA across its border with the next nearer one."""

    name: str
    size_bytes: int | None
    """None for the outermost, which holds a copy of everything"""
    bytes_per_s: float
    """of each channel"""
    latency_s: float = 0.0
    """of each transfer across this border"""
    channels: int = 1
    """transfers that cross this border at one time"""


def require_levels(levels: Sequence[Level]) -> None:
    """InputError unless there are one or two levels, the last alone without a size, with sound figures."""
    faults = []
    if not 1 <= len(levels) <= MOST_LEVELS:
        faults.append(f"{len(levels)} levels beyond the scratchpad: 1 or {MOST_LEVELS} are supported")
    if len({NEAREST, *(level.name for level in levels)}) <= len(levels):
        faults.append(f"levels need different names, none of them `{NEAREST}`")
    for place, level in enumerate(levels):
        outermost = place == len(levels) - 1
        if outermost != (level.size_bytes is None):
            faults.append(
                f"level `{level.name}` is the outermost, which has no size"
                if outermost
                else f"level `{level.name}` needs a size: only the outermost has none"
            )
        elif level.size_bytes is not None and level.size_bytes < 0:
            faults.append(f"level `{level.name}` has {level.size_bytes} bytes")
        if not (level.bytes_per_s > 0 and math.isfinite(level.bytes_per_s)):
            faults.append(f"level `{level.name}` moves {level.bytes_per_s} bytes a second")
        if not (level.latency_s >= 0 and math.isfinite(level.latency_s)):
            faults.append(f"level `{level.name}` has a latency of {level.latency_s} s")
        if level.channels < 1:
            faults.append(f"level `{level.name}` has {level.channels} channels")
    if faults:
        raise InputError([Diagnostic("hierarchy", fault) for fault in faults])


def transfer_s(levels: Sequence[Level], nearer: int, farther: int, size_bytes: int) -> float:
    """Seconds from one level to another, 0 being the scratchpad: a stream across all borders between them, as fast as
    the slowest; no time for no bytes."""
    if not size_bytes:
        return 0.0
    crossed = levels[nearer:farther]
    return sum(level.latency_s for level in crossed) + size_bytes / min(level.bytes_per_s for level in crossed)


def operator_seconds(
    problem: ScratchpadProblem, levels: Sequence[Level], given: Sequence[float] | None = None
) -> tuple[float, ...]:
    """Seconds of each operator: those given, or what it touches across the scratchpad's border. InputError unless
    there is one for each, finite and not negative."""
    if given is None:
        return tuple(
            sum(problem.tensors[t].bytes for t in op.touched) / levels[0].bytes_per_s for op in problem.operators
        )
    if len(given) != len(problem.operators) or not all(0 <= s < float("inf") for s in given):
        line = f"{len(problem.operators)} operators need as many durations, finite and not negative"
        raise InputError([Diagnostic("hierarchy", line)])
    return tuple(given)
