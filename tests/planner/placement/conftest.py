"""Small random placement problems, for tests that hold the planner against something slower and simpler."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from dovetail.ir.distribution import Distribution
from dovetail.planner.placement.problem import (
    Bound,
    DeviceType,
    Option,
    Piece,
    PlacementProblem,
    Pool,
    Route,
    Scenario,
    Step,
    Transfer,
    VisitTime,
)

sys.path.insert(0, str(Path(__file__).parent))

SHAPES: dict[str, tuple[int, list[tuple[float, list[tuple[str, list[str]]]]]]] = {
    "one": (1, [(1.0, [("0@1", [])])]),
    "chain": (2, [(1.0, [("0@1", []), ("1@1", ["0@1"])])]),
    "fork": (3, [(1.0, [("0@1", []), ("1@1", ["0@1"]), ("2@1", ["0@1"])])]),
    "join": (3, [(1.0, [("0@1", []), ("1@1", []), ("2@1", ["0@1", "1@1"])])]),
    "diamond": (4, [(1.0, [("0@1", []), ("1@1", ["0@1"]), ("2@1", ["0@1"]), ("3@1", ["1@1", "2@1"])])]),
    "branch": (2, [(0.75, [("0@1", [])]), (0.25, [("0@1", []), ("1@1", ["0@1"])])]),
    "loop": (1, [(0.5, [("0@1", [])]), (0.5, [("0@1", []), ("0@2", ["0@1"])])]),
}
"""Nodes, and for each scenario its probability and its steps with what they wait for."""


class Maker:
    """Draws one problem; times are whole milliseconds and bounds lie between: no test hangs on rounding."""

    def __init__(self, seed: int) -> None:
        self.r = random.Random(seed)
        self.shape = self.r.choice(list(SHAPES))
        self.objective = "latency" if self.r.random() < 0.15 else "cost"
        # The planner's mean of a maximum of random times, and the minimum of several, are bounds and not exact.
        inexact = self.shape == "fork" or (self.objective == "latency" and self.shape in ("join", "diamond"))
        self.random_times = self.r.random() < 0.5 and not inexact
        self.rate = self.r.choice([None, 1.0, 2.0, 5.0])

    def problem(self) -> PlacementProblem:
        r, shape = self.r, self.shape
        count, scenarios = SHAPES[shape]
        pieces = self._pieces(count)
        pools = self._pools()
        options = self._options(pieces, pools, visits=2 if shape == "loop" else 1)
        pair = (pieces[0].id, pieces[-1].id)
        other_nodes = pieces[0].node != pieces[-1].node
        return PlacementProblem(
            pieces=pieces,
            pools=pools,
            options=options,
            devices=tuple(self._device(name) for name in ("a", "b")),
            transfers=self._transfers(pieces),
            scenarios=tuple(self._scenario(s, pieces) for s in scenarios),
            bounds=self._bounds(pieces),
            rate_per_s=self.rate,
            objective=self.objective,
            together=(pair,) if other_nodes and r.random() < 0.15 else (),
            apart=(pair,) if other_nodes and r.random() < 0.15 else (),
            limits=self._limits(),
        )

    def _pieces(self, count: int) -> tuple[Piece, ...]:
        found: list[Piece] = []
        for i in range(count):
            llm = count <= 2 and self.r.random() < 0.6
            for part in ("prefill", "decode") if llm else ("run",):
                key = self.r.choice(["", "m", "m"])
                found.append(Piece(f"n{i}.{part}", f"n{i}", part, 1.0, key))
        return tuple(found)

    def _pools(self) -> tuple[Pool, ...]:
        r, pools = self.r, []
        for i in range(r.randint(2, 3)):
            base = r.uniform(0.5, 3.0)
            capacity = tuple(base * n - 0.3 for n in range(1, r.randint(1, 3) + 1))
            pools.append(
                Pool(
                    f"g{i}",
                    r.choice("ab"),
                    r.choice(["x", "y"]),
                    devices_per_replica=r.choice([1, 1, 2]),
                    memory_bytes=r.choice([float("inf"), 10.0, 16.0]),
                    whole_nodes=r.random() < 0.3,
                    capacity=() if r.random() < 0.15 else capacity,
                )
            )
        return tuple(pools)

    def _options(self, pieces: tuple[Piece, ...], pools: tuple[Pool, ...], visits: int) -> tuple[Option, ...]:
        r, found = self.r, []
        for q in pieces:
            for g in pools:
                if r.random() < 0.1:
                    continue
                found.append(
                    Option(
                        q.id,
                        g.id,
                        tuple(self._visit() for _ in range(visits)),
                        load=r.uniform(0.05, 1.2),
                        weight_bytes=r.uniform(1, 8),
                        state_bytes=r.uniform(0, 4),
                        usd_per_request=r.choice([0.0, r.uniform(0, 0.002)]),
                        energy_j_per_request=r.uniform(0, 100),
                        tbt_s=tuple(r.randint(10, 40) / 1e3 for _ in range(visits)) if q.part == "decode" else (),
                        excluded_by="place[n0]" if q.node == "n0" and r.random() < 0.05 else "",
                    )
                )
        return tuple(found)

    def _visit(self) -> VisitTime:
        r = self.r
        total = r.randint(10, 60)
        first = Distribution.point(r.randint(1, total) / 1e3)
        if not self.random_times or r.random() < 0.5:
            return VisitTime(first, Distribution.point(total / 1e3))
        late = tuple((total + extra) / 1e3 for extra in [0] * r.randint(1, 3) + [r.randint(1, 60)])
        wait = Distribution("samples", (0.0, r.randint(1, 20) / 1e3)) if r.random() < 0.3 else Distribution.point(0.0)
        end = Distribution("samples", late)
        return VisitTime(end if r.random() < 0.4 else first, end, wait)

    def _device(self, name: str) -> DeviceType:
        r = self.r
        return DeviceType(
            name,
            min_count=r.choice([0, 0, 0, 1]),
            max_count=r.choice([2, 4, 8]),
            chassis=r.choice([1, 1, 2]),
            owned=r.choice([0, 0, 1, 3]),
            usd_per_hour=(("capex", r.uniform(0.1, 3.0)), ("interest", r.uniform(0.0, 0.3))),
            idle_usd_per_hour=r.uniform(0, 0.2),
            usd_per_joule=r.choice([0.0, 1e-7]),
            idle_w=r.uniform(10, 100),
        )

    def _transfers(self, pieces: tuple[Piece, ...]) -> tuple[Transfer, ...]:
        r, found = self.r, []
        for a, b in pairwise(pieces):
            if r.random() < 0.6:
                routes = tuple(
                    Route(here, there, r.randint(1, 30) / 1e3, r.choice([0.0, r.uniform(0, 0.001)]))
                    for here, there in (("x", "y"), ("y", "x"))
                    if r.random() < 0.75
                )
                gaps = r.choice([float("inf"), 4.0]) if b.part == "decode" else float("inf")
                found.append(Transfer(a.id, b.id, 1e6, routes, gaps))
        return tuple(found)

    def _scenario(self, given: tuple[float, list[tuple[str, list[str]]]], pieces: tuple[Piece, ...]) -> Scenario:
        probability, rows = given
        steps = []
        for name, after in rows:
            node, _, visit = name.partition("@")
            own = tuple(q.id for q in pieces if q.node == f"n{node}")
            streams = 0.0 if self.objective == "latency" and self.random_times else 0.3
            waits = tuple((f"n{before}", self.r.random() < streams) for before in after)
            steps.append(Step(f"n{name}", own, int(visit), waits))
        followed = {before for step in steps for before, _ in step.after}
        return Scenario(probability, tuple(steps), tuple(step.id for step in steps if step.id not in followed))

    def _bounds(self, pieces: tuple[Piece, ...]) -> tuple[Bound, ...]:
        r, found = self.r, []
        percentile = (
            r.choice([None, 0.6, 0.8, 0.95]) if self.shape not in ("diamond", "join") else r.choice([0.8, 0.95])
        )
        for kind in ("end_to_end", "first_output"):
            if r.random() < 0.5:
                limit = r.randint(20, 70 + 40 * len(pieces)) + 0.5371
                found.append(Bound(f"slo.{kind}", kind, limit / 1e3, percentile))
        for node in dict.fromkeys(q.node for q in pieces if q.part == "decode"):
            if r.random() < 0.4:
                found.append(Bound(f"slo.ttft[{node}]", "ttft", (r.randint(5, 60) + 0.5371) / 1e3, percentile, node))
            if r.random() < 0.4:
                found.append(Bound(f"slo.tbt[{node}]", "tbt", (r.randint(12, 45) + 0.137) / 1e3, percentile, node))
        return tuple(found)

    def _limits(self) -> tuple[tuple[str, float], ...]:
        r, found = self.r, []
        if r.random() < 0.2:
            found.append(("usd_per_hour", r.uniform(1, 20)))
        if r.random() < 0.2:
            found.append(("power_w", r.uniform(50, 600)))
        return tuple(found)


@pytest.fixture
def random_problem() -> Callable[[int], PlacementProblem]:
    """The small problem of a seed."""
    return lambda seed: Maker(seed).problem()
