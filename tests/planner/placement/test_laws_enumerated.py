"""Laws of times against discrete distributions whose sums, maxima and mixtures are enumerated."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable

import numpy as np
import pytest

from dovetail.ir.distribution import Distribution
from dovetail.planner.placement.times.laws import Grid, Law, constant
from dovetail.planner.placement.times.network import SINK, SOURCE, Network, longest

Exact = dict[float, float]
"""Value [s] -> its probability."""
MOST = 20_000


def drawn(r: random.Random) -> Distribution:
    """Times from a nanosecond to hours, many of them tied or far from the others of the same law."""
    scale = 10 ** r.uniform(-9, 4)
    if r.random() < 0.2:
        return Distribution.point(r.choice([0.0, scale, r.uniform(0, 5)]))
    base = r.choice([0.0, scale, 1.0])
    values = (base + scale * r.choice([0, 1, 1e-6, 2, r.random()]) for _ in range(r.randint(1, 4)))
    return Distribution("samples", tuple(values))


def exact_of(d: Distribution) -> Exact:
    found: Exact = {}
    for value in d.params:
        found[value] = found.get(value, 0.0) + 1 / len(d.params)
    return found


def joined(a: Exact, b: Exact, of: Callable[[float, float], float]) -> Exact:
    found: Exact = {}
    for (x, p), (y, q) in itertools.product(a.items(), b.items()):
        found[of(x, y)] = found.get(of(x, y), 0.0) + p * q
    return found


def largest_cdf(laws: list[Exact]) -> Exact:
    at = sorted({value for law in laws for value in law})
    reached = np.array([max(sum(p for v, p in law.items() if v <= t) for law in laws) for t in at])
    return dict(zip(at, np.diff(reached, prepend=0.0).tolist(), strict=True))


def tree(r: random.Random, grid: Grid, depth: int) -> tuple[Law, Exact]:
    """A law made by up to `depth` operations on top of each other, and what it should be."""
    if depth == 0 or r.random() < 0.2:
        d = drawn(r)
        return grid.law(d), exact_of(d)
    kind = r.choice(["add", "add", "maximum", "minimum", "least", "mixture"])
    parts = [tree(r, grid, depth - 1) for _ in range(r.randint(1, 4) if kind in ("least", "mixture") else 2)]
    laws, exact = [law for law, _ in parts], [e for _, e in parts]
    if kind == "least":
        return grid.least(laws), largest_cdf(exact)
    if kind == "mixture":
        weights = np.array([r.random() for _ in parts])
        weights /= weights.sum()
        mixed: Exact = {}
        for weight, e in zip(weights, exact, strict=True):
            for value, p in e.items():
                mixed[value] = mixed.get(value, 0.0) + float(weight) * p
        return grid.mixture(laws, weights.tolist()), mixed
    of: Callable[[float, float], float] = {"add": lambda x, y: x + y, "maximum": max, "minimum": min}[kind]
    return getattr(grid, kind)(*laws), joined(exact[0], exact[1], of)


def assert_between(grid: Grid, law: Law, exact: Exact, r: random.Random) -> None:
    """P(gridded <= t) <= P(true <= t) <= P(at best <= t), but for a billionth of a step."""
    reach = grid.step * (grid.size - 1)
    values = np.array(sorted(exact))
    reached = np.concatenate([[0.0], np.cumsum([exact[v] for v in values])])
    for t in [*values[:60].tolist(), *(r.uniform(0, reach) for _ in range(20))]:
        for at in (t, t * (1 - 1e-6), t * (1 + 1e-6)):
            if at <= reach:
                slack = grid.halved(law.halvings) * 1e-8 + at * 1e-11 + 1e-13
                low, high = (float(reached[np.searchsorted(values, at + s, side="right")]) for s in (-slack, slack))
                assert grid.at_most(law, at) <= high + 1e-8
                assert grid.at_best(law, at) >= low - 1e-8


@pytest.mark.parametrize("seed", range(600))
def test_laws_lie_between_what_they_may_overstate_and_the_truth(seed: int) -> None:
    r = random.Random(seed)
    grid = Grid(10 ** r.uniform(-7, 0), r.choice([16, 64, 257, 1024]))
    law, exact = tree(r, grid, r.randint(1, 4))
    if len(exact) <= MOST:
        assert_between(grid, law, exact, r)


@pytest.mark.parametrize("seed", range(100))
def test_networks_of_times_lie_between_them_too(seed: int) -> None:
    """Three forks and joins at random, conditioned on up to two of their arcs."""
    r = random.Random(seed)
    grid = Grid(10 ** r.uniform(-3, 1), r.choice([32, 128]))
    events, network = [SOURCE, "a", "b", "c", SINK], Network(grid)
    arcs = [(u, v, drawn(r)) for k, v in enumerate(events[1:], 1) for u in r.sample(events[:k], min(k, 2))]
    for u, v, d in arcs:
        network.add(u, v, grid.law(d))
    exact: Exact = {}
    choices = [exact_of(d) for _, _, d in arcs]
    for times in itertools.product(*(c.items() for c in choices)):
        at, probability = {SOURCE: 0.0}, 1.0
        for (u, v, _), (time, p) in zip(arcs, times, strict=True):
            at[v], probability = max(at.get(v, 0.0), at[u] + time), probability * p
        exact[at[SINK]] = exact.get(at[SINK], 0.0) + probability
    assert_between(grid, longest(network, r.choice([0, 1, 2])), exact, r)


def test_edges_beside_longer_ways_change_nothing() -> None:
    """A row of 60 times, each of which also waits for all before it: as if each waited for the last alone."""
    grid, each = Grid(0.2 / 1024, 1024), Distribution.lognormal_mean_p95(1e-3, 2e-3)
    row, dense = Network(grid), Network(grid)
    for k in range(60):
        for network, waits_for in ((row, [k - 1]), (dense, range(k))):
            for before in waits_for:
                network.add(SOURCE if before < 0 else f"end{before}", f"start{k}", constant(0.0))
            if k == 0:
                network.add(SOURCE, "start0", constant(0.0))
            network.add(f"start{k}", SINK if k == 59 else f"end{k}", grid.law(each))
    expected, found = longest(row, 0), longest(dense, 0)
    assert found.mass is not None
    assert expected.mass is not None
    assert np.allclose(found.mass, expected.mass, atol=1e-12)
    assert found.mean_s == pytest.approx(0.06)
