"""Addresses for a residency in which outputs may take over buffers of inputs."""

from __future__ import annotations

from . import addresses
from .in_place import SharedResidency


def place(shared: SharedResidency, time_limit_s: float | None = None) -> dict[int, int] | None:
    """The offset of each stay by its index [bytes], None if none was found.

    A chain of stays that take each other over is laid out as one, of the size of the first, which is the largest: a
    layout that uses what later stays of a chain leave free is not looked for.
    """
    residency = shared.residency
    problem = residency.problem
    if not shared.pairs:
        return addresses.place(residency, time_limit_s=time_limit_s)
    chains = _chains(shared)
    stays = residency.stays
    rectangles = [(stays[c[0]].start, stays[c[-1]].end + 1, problem.sizes[stays[c[0]].tensor]) for c in chains]
    layout = addresses.lay_out(
        rectangles, problem.size_bytes, alignment=problem.alignment_bytes, time_limit_s=time_limit_s
    )
    if layout.offsets is None:
        return None
    return {stay: offset for chain, offset in zip(chains, layout.offsets, strict=True) for stay in chain}


def _chains(shared: SharedResidency) -> list[list[int]]:
    """Stays by index, in chains in which each takes over the one before."""
    stays = shared.residency.stays
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    for index, stay in enumerate(stays):
        first.setdefault(stay.tensor, index)
        last[stay.tensor] = index
    follower = {last[given]: first[output] for output, given in shared.pairs}
    behind = set(follower.values())
    chains = []
    for index in range(len(stays)):
        if index in behind:
            continue
        chain = [index]
        while chain[-1] in follower:
            chain.append(follower[chain[-1]])
        chains.append(chain)
    return chains
