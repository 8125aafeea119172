"""Random workflows with random times: loops, branches, joins, streams, several ends, heavy tails."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from simulation import Array, Drawn, simulate

from dovetail.ir.distribution import Distribution
from dovetail.planner.placement.problem import (
    NO_WAIT,
    Option,
    Piece,
    PlacementProblem,
    Pool,
    Scenario,
    VisitTime,
)
from dovetail.planner.placement.result import LatencySummary
from dovetail.planner.placement.times.summary import summarise
from dovetail.planner.placement.times.unroll import Edge, Flow, TooManyScenarios, unroll

MOST_VISITS = 12
MOST_WAYS = 150


@dataclass(frozen=True)
class Case:
    """A workflow with the times of its pieces, the same at every visit."""

    flow: Flow
    times: dict[str, VisitTime]
    """By piece."""

    @cached_property
    def scenarios(self) -> tuple[Scenario, ...]:
        return unroll(self.flow)

    def draw(self, rng: np.random.Generator, node: str, nth: int, size: int) -> tuple[Array, Array]:
        """Times of a visit: its pieces one after the other; the first output is the first piece's."""
        firsts, end = [], np.zeros(size)
        for piece in self.flow.pieces[node]:
            time = self.times[piece]
            ready = end + time.wait.sample(rng, size)
            end = ready + time.total.sample(rng, size)
            firsts.append(end if time.outputs_at_end else ready + time.first.sample(rng, size))
        return firsts[0], end

    def simulate(self, size: int, seed: int = 1) -> Drawn:
        links = [(e.source, e.target, e.probability, e.max_visits, e.stream) for e in self.flow.edges]
        return simulate(list(self.flow.pieces), links, self.draw, size, seed)


def planned(case: Case) -> LatencySummary:
    """The latencies that a plan of the case states, all pieces in one pool."""
    visits = {node: max((s.visit for w in case.scenarios for s in w.steps if s.pieces == pieces), default=1)
              for node, pieces in case.flow.pieces.items()}  # fmt: skip
    pieces = [(piece, node) for node, own in case.flow.pieces.items() for piece in own]
    problem = PlacementProblem(
        pieces=tuple(Piece(piece, node, piece.rpartition(".")[2], 1.0) for piece, node in pieces),
        pools=(Pool("pool", "device", "here"),),
        options=tuple(Option(piece, "pool", (case.times[piece],) * visits[node], 1.0) for piece, node in pieces),
        devices=(),
        transfers=(),
        scenarios=case.scenarios,
        bounds=(),
        rate_per_s=None,
    )
    return summarise(problem, {piece: "pool" for piece, _ in pieces})


def random_case(seed: int) -> Case:
    """The workflow of a seed; of few enough ways to be told apart by the planner."""
    r = random.Random(seed)
    while True:
        flow = _flow(r)
        try:
            scenarios = unroll(flow)
        except TooManyScenarios:
            continue
        if len(scenarios) <= MOST_WAYS and all(len(s.steps) <= MOST_VISITS for s in scenarios):
            return Case(flow, {piece: _visit(r, piece) for own in flow.pieces.values() for piece in own})


def _flow(r: random.Random) -> Flow:
    count = r.randint(2, 8)
    names = [f"n{i}" for i in range(count)]
    edges: list[Edge] = []
    for i in range(count - 1):
        if i and r.random() < 0.25:
            continue  # it ends here
        later = names[i + 1 :]
        some = r.sample(later, min(len(later), r.choice([1, 1, 2, 2, 3])))
        kind = r.choice(["together", "together", "exclusive", "mixed"])
        edges += _out(r, names[i], some, kind)
    for i in range(1, count):
        if r.random() < 0.25:
            back = names[r.randrange(1, i + 1)]
            if not any(e.source == names[i] and e.target == back for e in edges):
                taken = sum(e.probability or 0.0 for e in edges if e.source == names[i])
                unmarked = any(e.source == names[i] and e.probability is None for e in edges)
                if unmarked and taken < 0.6:
                    edges.append(Edge(names[i], back, round(r.uniform(0.1, 0.35), 2), r.randint(1, 3)))
    targets = {e.target for e in edges}
    edges += [Edge(r.choice(names[:i]), n) for i, n in enumerate(names) if i and n not in targets]
    pieces = {n: (f"{n}.prefill", f"{n}.decode") if r.random() < 0.3 else (f"{n}.run",) for n in names}
    return Flow(pieces, tuple(dict.fromkeys(edges)))


def _out(r: random.Random, source: str, targets: list[str], kind: str) -> list[Edge]:
    def streams() -> bool:
        return r.random() < 0.25

    if kind == "together" or len(targets) == 1:
        return [Edge(source, t, stream=streams()) for t in targets]
    left, edges = 1.0, []
    for t in targets[:-1]:
        p = round(left * r.uniform(0.1, 0.7), 3)
        edges.append(Edge(source, t, p, stream=streams()))
        left -= p
    last = left if kind == "exclusive" else None
    return [*edges, Edge(source, targets[-1], last, stream=streams())]


def _visit(r: random.Random, piece: str) -> VisitTime:
    total = _time(r)
    wait = Distribution.wait(r.uniform(0.02, 0.6), r.uniform(0.02, 0.5)) if r.random() < 0.4 else NO_WAIT
    if piece.endswith(".decode") or r.random() < 0.3:
        return VisitTime(Distribution.point(min(total.minimum, 0.02)), total, wait)
    return VisitTime(total, total, wait)


def _time(r: random.Random) -> Distribution:
    mean = r.uniform(0.05, 2.0)
    match r.choice(["lognormal", "lognormal", "heavy", "exponential", "quantiles", "samples", "point"]):
        case "lognormal":
            return Distribution.lognormal_mean_p95(mean, mean * r.uniform(1.1, 2.5))
        case "heavy":
            return Distribution.lognormal_mean_p95(mean, mean * r.uniform(3.0, 3.8))
        case "exponential":
            return Distribution.exponential(mean)
        case "quantiles":
            return Distribution("quantiles", (0.1, mean / 2, 0.5, mean, 0.95, mean * 3))
        case "samples":
            return Distribution("samples", tuple(mean * r.uniform(0.3, 2.0) for _ in range(r.randint(2, 12))))
        case _:
            return Distribution.point(mean)
