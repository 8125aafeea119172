"""Depth-first search over canonical layouts, with restarts that learn from failures; complete.

A layout is canonical if nothing in it can sink: every offset is 0 or the top of a neighbour (a buffer alive at the same
time). If there is a layout, there is a canonical one, so the search may demand it. A state is the set U of buffers
still to be placed, each with a least offset r_b. One branch puts b at r_b, the other above; there b lies on a
neighbour c of U, so

    (42)  r_b >= min over neighbours c in U of r_c + s_c            (no such neighbour: no such branch)

and this is kept up as the r_c rise. b is the buffer of least r, so nothing fits below it. For every maximal clique Q of
buffers alive at once, stacking by least offset gives the earliest end,

    (43)  end = 0;  for b of Q in U by r_b:  end = max(end, r_b) + s_b;    end <= capacity

Equal stretches and sizes are placed in order of their index. Groups that share no time any more are placed one after
another, and once one is placed its choices are final. The state of a group says all about it, so states without a
layout are remembered (by 128-bit names) across branches and restarts.

Ties in r are broken by a ranking: wide, large, crowded buffers first, and above all those in cliques that were found
not to fit most often; this last is what solves the hard instances. Each run has a limit on nodes that grows from round
to round; a run that ends within it decides.

The canonical layouts, the orders by width, area and total, and the split into groups follow MiniMalloc (Moffitt,
ASPLOS 2023). "Here or higher" is the branching of set-times scheduling; (42), (43), remembered states and blame are
this package's own.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np

from .extra import load
from .rectangles import INFEASIBLE, UNKNOWN, Layout, Rectangles

RANKINGS = ("WAT", "TAW", "TWA", "FWA", "FAW", "MAW", "MWA")
"""Keys in order of weight: Width, Area, Total of the most crowded clique; most Failures of a clique, and their suM"""

FIRST_NODES, GROWTH = 1000, 1.2
REMEMBERED = 1 << 18
"""States without a layout that are kept; a newer one takes the place of an older"""


class CanonicalSearch:
    """One group of buffers; `run` may be called again and again, and goes on where it stopped."""

    def __init__(self, rectangles: Rectangles) -> None:
        self._kernel = _kernel()
        self._order, self._instance, self._members = _instance(rectangles)
        self._totals = np.array([self._instance.size[m].sum() for m in self._members])
        self._failed = np.zeros((REMEMBERED, 2), np.uint64)
        self._blame = np.ones(len(self._members))
        self._rounds = self._runs()
        self._room = 32
        self._now: Any = None
        self.nodes = 0
        """looked at so far, over all runs"""

    def run(self, time_limit_s: float) -> Layout:
        """Search for about so long."""
        deadline = time.monotonic() + time_limit_s
        chunk = max(20, 200_000 // len(self._order))
        while time.monotonic() < deadline:
            if self._now is None:
                self._now = next(self._rounds)
            if self._now is None:
                return INFEASIBLE
            state, rank, left = self._now
            before = int(state.count[self._kernel.NODES])
            result = self._kernel.search(self._instance, state, rank, min(chunk, left))
            used = int(state.count[self._kernel.NODES]) - before
            self.nodes += used
            self._now = (state, rank, left - used)
            if result == self._kernel.FOUND:
                return Layout("found", tuple(int(state.offset[b]) for b in np.argsort(self._order)))
            if result == self._kernel.EXHAUSTED:
                return INFEASIBLE
            if result == self._kernel.FULL:
                self._room *= 2
            if result == self._kernel.FULL or left <= used:
                self._now = None
        return UNKNOWN

    def _runs(self) -> Iterator[Any]:
        """A state at the root, a ranking, and a limit on nodes, for ever; None if the root contradicts itself."""
        nodes = float(max(FIRST_NODES, 2 * len(self._order)))
        while True:
            for name in RANKINGS:
                state = self._root()
                if not self._kernel.begin(self._instance, state) and not state.count[self._kernel.OVERFULL]:
                    yield None
                yield state, self._rank(name), int(nodes)
            nodes *= GROWTH

    def _root(self) -> Any:
        n, cliques, room = len(self._order), len(self._members), self._room
        return self._kernel.State(
            count=np.zeros(6, np.int64),
            value=np.zeros(n, np.int64),
            offset=np.zeros(n, np.int64),
            dirty=np.zeros(cliques, np.int64),
            queue=np.zeros(n + 1, np.int64),
            queued=np.zeros(n, np.int64),
            member=np.concatenate(self._members),
            trail=np.zeros((4 * room * n, 2), np.int64),
            choice=np.zeros((room * n, 3), np.int64),
            choice_key=np.zeros((room * n, 2), np.uint64),
            frame=np.zeros((n + 2, 3), np.int64),
            failed=self._failed,
            blame=self._blame,
        )

    def _rank(self, name: str) -> np.ndarray:
        g = self._instance
        spans = list(zip(g.first, g.last, strict=True))
        keys = {
            "W": g.last - g.first,
            "A": (g.last - g.first) * g.size,
            "T": np.array([self._totals[a:b].max() for a, b in spans]),
            "F": np.array([self._blame[a:b].max() for a, b in spans]),
            "M": np.array([self._blame[a:b].sum() for a, b in spans]),
        }
        return np.argsort(np.lexsort([-keys[key] for key in reversed(name)])).astype(np.int64)


def prepare() -> float:
    """Load the compiled kernel, or compile it where that was never done; seconds that it took."""
    began = time.monotonic()
    _compiled()
    return time.monotonic() - began


@cache
def _kernel() -> Any:
    load("numba")
    from . import kernel

    return kernel


@cache
def _compiled() -> None:
    CanonicalSearch(Rectangles((0,), (1,), (1,), 1, 1, (0,))).run(1.0)


def _instance(r: Rectangles) -> tuple[np.ndarray, Any, list[np.ndarray]]:
    """Buffers in the kernel's order, the kernel's instance, and the members of each maximal clique."""
    order = np.lexsort([-np.array(r.sizes), -np.array(r.last), np.array(r.first)])
    cliques = _maximal_cliques(r)
    first = np.searchsorted(cliques, np.array(r.first)[order]).astype(np.int64)
    last = np.searchsorted(cliques, np.array(r.last)[order]).astype(np.int64)
    size = np.array(r.sizes, np.int64)[order]
    members = [np.flatnonzero((first <= k) & (k < last)) for k in range(len(cliques))]
    neighbours = [np.flatnonzero((first < last[b]) & (first[b] < last)) for b in range(len(r))]
    neighbours = [found[found != b].astype(np.int32) for b, found in enumerate(neighbours)]
    twin = np.full(len(r), -1, np.int64)
    newest: dict[tuple[int, int, int], int] = {}
    for b, key in enumerate(zip(first.tolist(), last.tolist(), size.tolist(), strict=True)):
        if key in newest:
            twin[newest[key]] = b
        newest[key] = b
    instance = _kernel().Instance(
        capacity=r.capacity,
        size=size,
        first=first,
        last=last,
        start=_starts(neighbours),
        neighbour=np.concatenate(neighbours),
        twin=twin,
        member_start=_starts(members),
    )
    return order, instance, members


def _starts(lists: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([[0], np.cumsum([len(found) for found in lists])]).astype(np.int64)


def _maximal_cliques(r: Rectangles) -> np.ndarray:
    """Sections after which a buffer ends and before which one has begun since the last such: no other holds them."""
    begins, ends = set(r.first), set(r.last)
    cliques: list[int] = []
    fresh = False
    for section in range(max(r.last)):
        fresh = fresh or section in begins
        if fresh and section + 1 in ends:
            cliques.append(section)
            fresh = False
    return np.array(cliques)
