"""Addresses for a residency in which outputs may take over buffers of inputs."""

from __future__ import annotations

from itertools import pairwise
from math import gcd

from . import addresses
from .addresses.extra import load_cp_model
from .in_place import SharedResidency


def place(shared: SharedResidency, time_limit_s: float | None = None) -> dict[int, int] | None:
    """The offset of each stay by its index [bytes], None if none was found.

    A chain of stays that take each other over is laid out as one at first, of the size of the first stay, which is the
    largest; then as what it is.
    """
    if not shared.pairs:
        return addresses.place(shared.residency, time_limit_s=time_limit_s)
    half_s = None if time_limit_s is None else time_limit_s / 2
    return _place_chains(shared, half_s) or _place_stays(shared, half_s)


def _place_chains(shared: SharedResidency, time_limit_s: float | None) -> dict[int, int] | None:
    stays, problem = shared.residency.stays, shared.residency.problem
    chains = _chains(shared)
    rectangles = [(stays[c[0]].start, stays[c[-1]].end + 1, problem.sizes[stays[c[0]].tensor]) for c in chains]
    layout = addresses.lay_out(
        rectangles, problem.size_bytes, alignment=problem.alignment_bytes, time_limit_s=time_limit_s
    )
    if layout.offsets is None:
        return None
    return {stay: offset for chain, offset in zip(chains, layout.offsets, strict=True) for stay in chain}


def _place_stays(shared: SharedResidency, time_limit_s: float | None) -> dict[int, int] | None:
    """One rectangle for each stay, that of a follower a step later, at the address of the stay that it takes over."""
    cp = load_cp_model()
    model = cp.CpModel()
    stays, problem = shared.residency.stays, shared.residency.problem
    unit = gcd(*problem.sizes) or 1
    capacity = problem.size_bytes // unit
    followers = {stay for chain in _chains(shared) for stay in chain[1:]}
    offsets, times, spaces = [], [], []
    for index, stay in enumerate(stays):
        size = problem.sizes[stay.tensor] // unit
        offset = model.new_int_var(0, capacity - size, f"offset {index}")
        offsets.append(offset)
        start = stay.start + (index in followers)
        if size and start <= stay.end:
            times.append(model.new_fixed_size_interval_var(start, stay.end + 1 - start, f"time {index}"))
            spaces.append(model.new_fixed_size_interval_var(offset, size, f"space {index}"))
    for chain in _chains(shared):
        for before, after in pairwise(chain):
            model.add(offsets[before] == offsets[after])
    model.add_no_overlap_2d(times, spaces)
    solver = cp.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 0
    if time_limit_s is not None:
        solver.parameters.max_time_in_seconds = time_limit_s
    if solver.solve(model) not in (cp.OPTIMAL, cp.FEASIBLE):
        return None
    return {index: solver.value(offset) * unit for index, offset in enumerate(offsets)}


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
