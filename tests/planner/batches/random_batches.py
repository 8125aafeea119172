"""Small random batches, and their best plans by trying every choice of setups."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace

import numpy as np
from scipy.optimize import linprog

from dovetail.ir.distribution import Distribution
from dovetail.planner.batches.problem import BatchProblem, Call, Rate, Setup, Tool, Workers

MODELS = ("a", "b")


def random_batch(seed: int, workers: int) -> BatchProblem:
    """Two models of which a worker holds one, now and then both more slowly; calls that continue others; a tool."""
    rng = random.Random(seed)
    calls: list[Call] = []
    for n in range(4):
        model = MODELS[n % 2] if n < 2 else rng.choice(MODELS)
        before = [call.name for call in calls if call.model == model]
        source = rng.choice(before) if before and rng.random() < 0.7 else None
        calls.append(Call(f"c{n}", model, Distribution.point(900), Distribution.point(90), continues=source))
    pairs = {(calls[i].name, calls[j].name) for j in range(4) for i in range(j) if rng.random() < 0.4}
    pairs |= {(call.continues, call.name) for call in calls if call.continues}
    tools = (Tool("t", Distribution.point(rng.uniform(0.1, 2.0)), concurrency=rng.randint(1, 4)),)
    edges = (*sorted(pairs), ("c0", "t"), ("t", "c3"))
    seconds = {call.name: rng.uniform(0.1, 2.0) for call in calls}

    def setup(models: tuple[str, ...], slower: float) -> Setup:
        served = [call for call in calls if call.model in models]
        rates = {
            c.name: Rate(slower * seconds[c.name], slower * seconds[c.name] * (0.5 if c.continues else 1.0), 1.0)
            for c in served
        }
        return Setup(models, rates, dict.fromkeys(models, 8))

    setups = [Setup(()), setup(("a",), 1.0), setup(("b",), 1.0)]
    if rng.random() < 0.3:
        setups.append(setup(MODELS, 1.4))
    starts = {m: rng.uniform(1, 20) for m in MODELS}
    loads = {m: rng.uniform(0.5, 8) for m in MODELS}
    kind = Workers("gpu", 1, workers, tuple(setups), starts, loads)
    return BatchProblem(rng.choice([10, 30]), tuple(calls), tools, edges, (kind,))


def without_reuse(p: BatchProblem) -> BatchProblem:
    """The same where no call continues another."""
    return replace(p, calls=tuple(replace(call, continues=None) for call in p.calls))


def best_by_trying(p: BatchProblem, phases: int) -> float:
    """[s] of the best choice of a setup for each worker and phase; infinite where there is none."""
    kind = p.workers[0]
    rows = list(itertools.product(kind.setups[1:], repeat=phases))
    return min(_cut(p, choice) for choice in itertools.combinations_with_replacement(rows, kind.count))


def _cut(p: BatchProblem, choice: tuple[tuple[Setup, ...], ...]) -> float:
    """[s] of the best cut of the work with these setups, as a linear program over (call, worker, phase, continued)."""
    kind, phases = p.workers[0], len(choice[0])
    held = [(b, k) for b in range(len(choice)) for k in range(phases)]
    keys = [
        (c.name, b, k, kept)
        for c in p.calls
        for b, k in held
        if c.name in choice[b][k].rates
        for kept in ([False, True] if c.continues else [False])
    ]
    if {key[0] for key in keys} < set(p.call):
        return float("inf")
    tool = len(keys)
    last = tool + phases
    rows: list[np.ndarray] = []
    limits: list[float] = []

    def at_most(entries: dict[int, float], limit: float = 0.0) -> None:
        row = np.zeros(last + phases)
        for column, value in entries.items():
            row[column] += value
        rows.append(row)
        limits.append(limit)

    for b, k in held:
        busy = {last + k: -1.0}
        for n, (name, w, at, kept) in enumerate(keys):
            if (w, at) == (b, k):
                rate = choice[b][k].rates[name]
                busy[n] = p.size * (rate.reused_s if kept else rate.fresh_s)
        new = set(choice[b][k].models) - set(choice[b][k - 1].models if k else ())
        ever = {m for setup in choice[b] for m in setup.models}
        switch = sum(kind.load_s[m] for m in new) if k else sum(kind.start_s[m] for m in ever)
        at_most(busy, -switch)
        for n, (name, w, at, kept) in enumerate(keys):
            if (w, at) == (b, k) and kept:
                source = {i: -1.0 for i, key in enumerate(keys) if key[:3] == (p.call[name].continues, b, k)}
                at_most({n: 1.0, **source})
    for k in range(phases):
        at_most({tool + k: p.size * p.tools[0].latency.mean / (p.tools[0].concurrency or 1), last + k: -1.0})
        for before, after in p.edges:
            at_most(_done(keys, after, k, tool, 1.0) | _done(keys, before, k, tool, -1.0))
    equal = np.zeros((len(p.order), last + phases))
    for row, name in zip(equal, p.order, strict=True):
        for column in _done(keys, name, phases - 1, tool, 1.0):
            row[column] = 1.0
    cost = np.zeros(last + phases)
    cost[last:] = 1.0
    found = linprog(cost, np.array(rows), np.array(limits), equal, np.ones(len(equal)))
    return float(found.fun) if found.success else float("inf")


def _done(keys: list[tuple[str, int, int, bool]], name: str, phase: int, tool: int, sign: float) -> dict[int, float]:
    """Columns of what is done of an operator up to a phase."""
    if name == "t":
        return {tool + k: sign for k in range(phase + 1)}
    return {n: sign for n, key in enumerate(keys) if key[0] == name and key[2] <= phase}
