"""The time of one scenario as the longest path through a network of independent times.

Events are points in time, arcs are laws between them; an event happens when all its arcs have arrived. Series and
parallel reductions are exact, and so is leaving out arcs beside which another way takes as long. What they leave is
factored: condition on the values of one arc, reduce, mix; or, where a proof is not asked for, drawn (`draws.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from .draws import drawn_law, in_order
from .laws import Grid, Law, constant

SOURCE = "start"
SINK = "end"
FACTORS = 2
"""Arcs conditioned upon before copies of a shared time count as independent, which can only overstate it."""
CELLS = 48
"""Values that a conditioned arc takes."""


class Network:
    """Arcs between named events, at most one law between two events (more are merged by their maximum).

    SINK happens with the last of its arcs, or with the first where `earliest`: then the minimum merges arcs to it.
    """

    def __init__(self, grid: Grid, earliest: bool = False) -> None:
        self.grid = grid
        self.earliest = earliest
        self.succ: dict[str, dict[str, Law]] = {}
        self.pred: dict[str, dict[str, Law]] = {}

    def add(self, u: str, v: str, law: Law) -> None:
        """Let `v` wait for `u` plus a time."""
        old = self.succ.setdefault(u, {}).get(v)
        merge = self.grid.minimum if self.earliest and v == SINK else self.grid.maximum
        new = law if old is None else merge(old, law)
        self.succ[u][v] = self.pred.setdefault(v, {})[u] = new
        self.pred.setdefault(u, {})
        self.succ.setdefault(v, {})

    def remove(self, event: str) -> None:
        """Take out an event with its arcs."""
        for u in self.pred.pop(event):
            del self.succ[u][event]
        for w in self.succ.pop(event):
            del self.pred[w][event]

    def copy(self) -> Network:
        """A copy that can be reduced by itself."""
        new = Network(self.grid, self.earliest)
        new.succ = {u: dict(arcs) for u, arcs in self.succ.items()}
        new.pred = {v: dict(arcs) for v, arcs in self.pred.items()}
        return new


def longest(network: Network, factors: int = FACTORS, draws: int = 0) -> Law:
    """Law of the time from SOURCE to SINK; the network is used up.

    What is left of it is conditioned on up to `factors` arcs, or drawn where `draws` says how many times.
    """
    rest = _reduced(network)
    if draws and rest:
        return drawn_law(network.grid, network.pred, SOURCE, SINK, network.earliest, draws)
    return _longest(network, rest, factors)


def _longest(network: Network, rest: Sequence[str], factors: int) -> Law:
    """The same of a reduced network that has the events `rest` left."""
    while rest and factors == 0:
        _split(network, _shared(network, rest))
        rest = _reduce(network)
    return _condition(network, _shared(network, rest), factors) if rest else network.succ[SOURCE][SINK]


def _shared(network: Network, rest: Sequence[str]) -> str:
    """The first event left that one arc alone leads to: a time that several ways share."""
    return next(event for event in rest if len(network.pred[event]) == 1)


def earliest(network: Network, draws: int = 0) -> Law | None:
    """Law of the time to the first arc into SINK; None where reductions leave something and nothing may be drawn."""
    if not _reduced(network):
        return network.succ[SOURCE][SINK]
    return drawn_law(network.grid, network.pred, SOURCE, SINK, True, draws) if draws else None


def _reduced(network: Network) -> list[str]:
    """As `_reduce`; where that leaves something, arcs that no time can make the last go first."""
    rest = _reduce(network)
    return _reduce(network) if rest and _drop_needless(network) else rest


def _reduce(network: Network) -> list[str]:
    """All reductions in series and in parallel, which are exact; the events that they leave."""
    _drop_dead_ends(network)
    while _reduce_once(network):
        # The first of one arc is the last of it.
        network.earliest = network.earliest and len(network.pred[SINK]) > 1
    return [event for event in network.succ if event not in (SOURCE, SINK)]


def _drop_dead_ends(network: Network) -> None:
    dead = [e for e in network.succ if not network.succ[e] and e != SINK]
    while dead:
        event = dead.pop()
        before = list(network.pred[event])
        network.remove(event)
        dead.extend(u for u in before if not network.succ[u])


def _drop_needless(network: Network) -> bool:
    """Take out constant arcs beside which another way takes at least as long, whatever its times; whether any was.

    All at once: what such a way consists of joins events that are nearer to each other than the arc's.
    """
    events = in_order(network.pred)
    places = {event: i for i, event in enumerate(events)}
    least = np.full((len(events), len(events)), -np.inf)
    found: list[tuple[str, str]] = []
    for w in events:
        least[places[w], places[w]] = 0.0
        ins = network.pred[w]
        before = [places[u] for u in ins]
        if not before:
            continue
        by_way = least[before] + np.array([[law.offset] for law in ins.values()])
        least[places[w]] = np.maximum(least[places[w]], by_way.max(axis=0))
        if len(before) > 1 and not (network.earliest and w == SINK):
            others = by_way[:, before]
            np.fill_diagonal(others, -np.inf)
            longest_other = others.max(axis=0)
            arcs = zip(ins.items(), longest_other, strict=True)
            found += [(u, w) for (u, law), other in arcs if law.mass is None and other >= law.offset]
    for u, w in found:
        del network.succ[u][w], network.pred[w][u]
    return bool(found)


def _reduce_once(network: Network) -> bool:
    """One pass over all events; whether any went away.

    Events next to one that went away stay for the next pass: so a row of them is added up in pairs and pairs of pairs,
    and ways through the graph that differ in one place alone share the sums of all others.
    """
    changed = False
    joined: set[str] = set()
    for event in [e for e in network.succ if e not in (SOURCE, SINK)]:
        ins, outs = network.pred[event], network.succ[event]
        if event in joined:
            continue
        series = len(ins) == 1 and len(outs) == 1
        fixed_in = len(ins) == 1 and next(iter(ins.values())).mass is None
        # The last of several arcs cannot be taken apart into arcs of which SINK takes the first.
        fixed_out = (
            len(outs) == 1 and next(iter(outs.values())).mass is None and not (network.earliest and SINK in outs)
        )
        if series or fixed_in or fixed_out:
            arcs = [(u, w, network.grid.add(a, b)) for u, a in ins.items() for w, b in outs.items()]
            network.remove(event)
            for u, w, law in arcs:
                network.add(u, w, law)
                joined |= {u, w}
            changed = True
    return changed or _merge_twins(network)


def _merge_twins(network: Network) -> bool:
    """Join two events that wait for the same events plus the same constants: they happen together."""
    seen: dict[tuple[tuple[str, float], ...], str] = {}
    for event in [e for e in network.succ if e not in (SOURCE, SINK)]:
        ins = network.pred[event]
        if any(law.mass is not None for law in ins.values()):
            continue
        key = tuple(sorted((u, law.offset) for u, law in ins.items()))
        if key in seen:
            outs = dict(network.succ[event])
            network.remove(event)
            for w, law in outs.items():
                network.add(seen[key], w, law)
            return True
        seen[key] = event
    return False


def _split(network: Network, event: str) -> None:
    """Give each successor of a fork its own copy of the time before it.

    The paths through it then count as independent. Times that share a part are associated, so their true
    maximum is stochastically smaller (Esary, Proschan and Walkup 1967): the result can only overstate.
    """
    ((before, law),) = network.pred[event].items()
    unbounded = replace(law, error_s=float("inf"), mean_s=None)
    outs = dict(network.succ[event])
    network.remove(event)
    for w, out in outs.items():
        network.add(before, w, network.grid.add(unbounded, out))


def _condition(network: Network, event: str, factors: int) -> Law:
    """Mix over the values, rounded upwards to CELLS of them, of the one random arc into a fork."""
    ((before, law),) = network.pred[event].items()
    assert law.mass is not None
    grid = network.grid
    laws, weights = [], []
    step = grid.halved(law.halvings)
    for low, high in _cells(law.mass):
        branch = network.copy()
        fixed = constant(law.offset + high * step)
        branch.succ[before][event] = branch.pred[event][before] = fixed
        part = _longest(branch, _reduce(branch), factors - 1)
        laws.append(replace(part, error_s=law.error_s + (high - low) * step + part.error_s))
        weights.append(float(np.sum(law.mass[low : high + 1])))
    return grid.mixture(laws, weights)


def _cells(mass: np.ndarray) -> list[tuple[int, int]]:
    """First and last value of about CELLS runs, half of them of equal probability and half of equal width."""
    values = np.flatnonzero(mass > 0)
    if len(values) <= CELLS:
        return [(int(i), int(i)) for i in values]
    at = np.cumsum(mass[values]) / np.sum(mass[values])
    likely = np.searchsorted(at, np.arange(1, CELLS // 2 + 1) / (CELLS // 2) * (1 - 1e-12))
    # Runs of equal probability alone would put all of the tail at its far end.
    last = values[np.searchsorted(at, 1 - 1e-6)]
    tail = np.searchsorted(values, np.linspace(values[0], last, CELLS // 2 + 1)[1:])
    ends = sorted({int(min(m, len(values) - 1)) for m in (*likely, *tail, len(values) - 1)})
    starts = [0, *(end + 1 for end in ends[:-1])]
    return [(int(values[a]), int(values[b])) for a, b in zip(starts, ends, strict=True)]
