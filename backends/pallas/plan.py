"""Blocks for a kernel: those with the least exposed traffic, by the scratchpad planner's model of loop nests.

(P1) cost = moved + first + OVERHEAD_BYTES * steps

`moved` is what equations (60) and (61) of `docs/math/scratchpad.md` count for the grid's order; `first` are the blocks
that must be there before anything is computed, which nothing hides; each step of the grid costs about as much
as moving OVERHEAD_BYTES.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

import numpy as np

from ...planner.scratchpad.tiling.nest import Nest
from ...planner.scratchpad.tiling.traffic import Grid, moved_bytes
from .vmem import Held, held_bytes, require_vmem

OVERHEAD_BYTES = 2**18
"""a guess: 0.35 us a step (JAX documentation, "Pipelining", 2025) at 0.8 TB/s, the bandwidth of a TPU v5e"""

Blocks = dict[str, int]
HeldBy = Callable[[Blocks], Sequence[Held]]


@dataclass(frozen=True)
class KernelPlan:
    """The blocks of one kernel, and what they take."""

    kernel: str
    blocks: Blocks
    """iterations of each loop of the grid in one block"""
    held: tuple[Held, ...]
    limit_bytes: int
    """of VMEM, which the compiler is told"""
    moved_bytes: int
    """between memory and VMEM"""
    steps: int
    """of the grid"""


def choose(
    kernel: str, nest: Nest, order: Sequence[str], sizes: Mapping[str, Sequence[int]], held: HeldBy, vmem_bytes: float
) -> KernelPlan:
    """
    The blocks of least cost (P1) among `sizes` of the loops that the grid runs over, the others being whole.

    `order` is the grid's, outermost first. InputError, for the smallest blocks, where none fits.
    """
    extent = nest.extent
    inner = [loop for loop in extent if loop not in order]
    found = {loop: list(dict.fromkeys(min(s, extent[loop]) for s in sizes[loop])) for loop in order}
    grid = Grid(nest, (*order, *inner), {**_arrays(found), **_arrays({loop: [extent[loop]] for loop in inner})})
    shape = tuple(len(found[loop]) for loop in order)
    moved = np.broadcast_to(
        sum((moved_bytes(grid, operand) for operand in nest.tensors), np.int64(0)), (*shape, *[1] * len(inner))
    ).reshape(shape)
    best: KernelPlan | None = None
    least = float("inf")
    for place in product(*(range(n) for n in shape)):
        blocks = {loop: found[loop][at] for loop, at in zip(order, place, strict=True)}
        parts = tuple(held(blocks))
        if held_bytes(parts) > vmem_bytes:
            continue
        steps = prod(-(-extent[loop] // blocks[loop]) for loop in order)
        first = sum(each.bytes // 2 for each in parts if each.copies == 2)
        cost = int(moved[place]) + first + OVERHEAD_BYTES * steps
        if cost < least:
            least, best = cost, KernelPlan(kernel, blocks, parts, int(vmem_bytes), int(moved[place]), steps)
    if best is None:
        require_vmem(kernel, held({loop: min(found[loop]) for loop in order}), vmem_bytes)
        raise AssertionError("the smallest blocks fit, but were not taken")
    return best


def _arrays(sizes: Mapping[str, Sequence[int]]) -> dict[str, np.ndarray]:
    return {loop: np.array(values, dtype=np.int64) for loop, values in sizes.items()}


def multiples(step: int, extent: int, most: int = 4096) -> list[int]:
    """`step` times powers of two, up to what holds `extent`, or `most`."""
    found = [step]
    while found[-1] < min(extent, most):
        found.append(found[-1] * 2)
    return found
