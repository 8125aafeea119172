"""The exact choice of setups and shares over a number of phases, as a mixed-integer program.

Equations are numbered as in `docs/math/batches.md`. In a phase every worker holds one setup; a phase begins with all
switches, and work flows through the workflow while it lasts, each operator at a constant rate.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pulp

from .problem import BatchProblem, Call, Setup, Workers

GAP = 1e-6
"""relative gap at which the choice is called optimal"""
MOST_NODES = 1_000_000
Shares = Mapping[tuple[str, int, int], tuple[float, float]]


@dataclass(frozen=True)
class Phases:
    """A plan: the setups of each bundle of workers by phase, and what each bundle does in each phase."""

    problem: BatchProblem
    setups: tuple[tuple[Setup, ...], ...]
    """by phase and bundle, bundles in the order of `problem.bundles()`"""
    shares: Shares
    """(call, phase, bundle) -> parts of the call's visits: read anew, and continued from the cache"""
    lasts_s: tuple[float, ...]
    """by phase"""
    bound_s: float
    """[s] no choice over as many phases takes less"""
    optimal: bool

    @property
    def flow_s(self) -> float:
        """[s] of all phases: the makespan of a workflow whose visits take no time by themselves. Equation (1)."""
        return sum(self.lasts_s)

    @cached_property
    def bundles(self) -> tuple[tuple[Workers, int], ...]:
        """(kind, workers) of each bundle."""
        return tuple(self.problem.bundles())


def solve_phases(
    p: BatchProblem, phases: int, time_limit_s: float | None = None, most_nodes: int = MOST_NODES
) -> Phases | None:
    """The choice over `phases` phases with the least time; None where none is found, as no worker holds a model.

    What is best after `most_nodes` nodes of the search is the same on every machine; what is best when time is up is
    not.
    """
    model = PhaseModel(p, phases)
    engine = pulp.HiGHS(
        msg=False,
        threads=1,
        gapRel=GAP,
        gapAbs=1e-6,
        timeLimit=time_limit_s,
        random_seed=0,
        mip_max_nodes=most_nodes,
    )
    with suppress(IndexError, KeyError):  # PuLP reads rows that there are none of, and knows no limit of nodes
        model.lp.solve(engine)
    solver: Any = model.lp.solverModel
    if solver.getInfo().primal_solution_status != 2:
        return None
    optimal = solver.modelStatusToString(solver.getModelStatus()) == "Optimal"
    return model.read(list(solver.getSolution().col_value), solver.getInfo().mip_dual_bound, optimal)


class PhaseModel:
    """Variables and constraints; `z` are binary, unless `relaxed` leaves them to who fixes them; all else is not."""

    def __init__(self, p: BatchProblem, phases: int, relaxed: bool = False) -> None:
        self.relaxed = relaxed
        self.p, self.phases, self.bundles = p, range(phases), tuple(p.bundles())
        self.lp = pulp.LpProblem("batch", pulp.LpMinimize)
        self.lasts = [self._var(f"d{k}") for k in self.phases]
        self.lp += pulp.lpSum(self.lasts)
        self.loads: dict[tuple[int, int], list[Any]] = {}
        self.z: dict[tuple[int, int, int], Any] = {}
        self.fresh: dict[tuple[str, int, int, int], Any] = {}
        self.reused: dict[tuple[str, int, int, int], Any] = {}
        for b, (kind, _) in enumerate(self.bundles):
            self._choices(b, kind)
            self._switches(b, kind)
        for k in self.phases:
            self._loads(k)
        self._flow()
        if not relaxed:
            self._order_equal_bundles()

    def _var(self, name: str, most: float | None = None, kind: str = "Continuous") -> Any:
        return self.lp.add_variable(name, 0, most, kind)

    def _choices(self, b: int, kind: Workers) -> None:
        """One setup in each phase, and shares only of calls that it serves. Equations (2), (3)."""
        for k in self.phases:
            for s, setup in enumerate(kind.setups):
                z = self.z[b, k, s] = self._var(f"z{b}_{k}_{s}", 1, "Continuous" if self.relaxed else "Integer")
                for call in self._served(setup):
                    x = self.fresh[call.name, b, k, s] = self._var(f"x{len(self.fresh)}", 1)
                    self.lp += x <= z
            self.lp += pulp.lpSum(self.z[b, k, s] for s in range(len(kind.setups))) == 1
            for s, setup in enumerate(kind.setups):
                for call in self._served(setup):
                    self._continued(call, b, k, s)

    def _served(self, setup: Setup) -> list[Call]:
        return [call for call in self.p.calls if call.name in setup.rates]

    def _continued(self, call: Call, b: int, k: int, s: int) -> None:
        """A call continues from a cache only what was done on the same worker in the same phase. Equation (4)."""
        source = self.fresh.get((call.continues or "", b, k, s))
        if source is None or call.continues is None:
            return
        y = self.reused[call.name, b, k, s] = self._var(f"y{len(self.reused)}", 1)
        self.lp += y * (call.visits / self.p.call[call.continues].visits) <= self._done(call.continues, b, k, s)
        self.lp += y <= self.z[b, k, s]

    def _done(self, call: str, b: int, k: int, s: int) -> Any:
        """Part of a call's visits."""
        return self.fresh[call, b, k, s] + self.reused.get((call, b, k, s), 0)

    def _switches(self, b: int, kind: Workers) -> None:
        """Engines of all models that a worker ever holds start at once; later a model comes from the host. (5)."""
        models = sorted({m for setup in kind.setups for m in setup.models})
        starts = []
        for m in models:
            used = self._var(f"u{b}_{m}", 1)
            starts.append(kind.start_s[m] * used)
            held = [
                pulp.lpSum(self.z[b, k, s] for s, setup in enumerate(kind.setups) if m in setup.models)
                for k in self.phases
            ]
            for k in self.phases:
                self.lp += used >= held[k]
            for k in self.phases[1:]:
                loaded = self._var(f"l{b}_{k}_{m}", 1)
                self.lp += loaded >= held[k] - held[k - 1]
                self.loads.setdefault((b, k), []).append(kind.load_s[m] * loaded)
        self.loads[b, 0] = starts

    def _loads(self, k: int) -> None:
        """No worker does more in a phase than it lasts. Equation (6)."""
        for b, (kind, workers) in enumerate(self.bundles):
            total = [*self.loads.get((b, k), [])]
            for s, setup in enumerate(kind.setups):
                for call in self._served(setup):
                    visits, rate = self.p.size * call.visits / workers, setup.rates[call.name]
                    total.append(visits * rate.fresh_s * self.fresh[call.name, b, k, s])
                    if (call.name, b, k, s) in self.reused:
                        total.append(visits * rate.reused_s * self.reused[call.name, b, k, s])
            self.lp += pulp.lpSum(total) <= self.lasts[k]

    def _flow(self) -> None:
        """Visits of a phase find those that they wait for done, tools within their limits. Equations (7), (8)."""
        done: dict[tuple[str, int], Any] = {}
        for k in self.phases:
            cpu = []
            for name in self.p.order:
                part = self._part(name, k)
                done[name, k] = part + (done[name, k - 1] if k else 0)
            for tool in self.p.tools:
                part, seconds = self._tools[tool.name, k], self.p.size * tool.visits * tool.latency.mean
                if tool.concurrency is not None:
                    self.lp += part * (seconds / tool.concurrency) <= self.lasts[k]
                if tool.cpus:
                    cpu.append(part * (seconds * tool.cpus / self.p.cores))
            if cpu:
                self.lp += pulp.lpSum(cpu) <= self.lasts[k]
            for before, after in self.p.edges:
                if k < self.phases[-1]:
                    self.lp += done[after, k] <= done[before, k]
        for name in self.p.order:
            self.lp += done[name, self.phases[-1]] == 1

    @cached_property
    def _tools(self) -> dict[tuple[str, int], Any]:
        return {(t.name, k): self._var(f"t{t.name}_{k}", 1) for t in self.p.tools for k in self.phases}

    def _part(self, name: str, k: int) -> Any:
        """What is done of an operator in a phase."""
        if name not in self.p.call:
            return self._tools[name, k]
        return pulp.lpSum(self._done(*key) for key in self.fresh if key[0] == name and key[2] == k)

    def _order_equal_bundles(self) -> None:
        """Of bundles that are alike the first has the setup of the lower number in the first phase."""
        for b, (first, second) in enumerate(zip(self.bundles, self.bundles[1:], strict=False)):
            if first == second:
                numbers = range(len(first[0].setups))
                weights = [pulp.lpSum(s * self.z[c, 0, s] for s in numbers) for c in (b, b + 1)]
                self.lp += weights[0] <= weights[1]

    def read(self, values: list[float], bound: float, optimal: bool) -> Phases:
        """The solution as data."""

        def value(x: Any) -> float:
            return max(0.0, values[x.index])

        setups = tuple(
            tuple(
                max(enumerate(kind.setups), key=lambda each: value(self.z[b, k, each[0]]))[1]
                for b, (kind, _) in enumerate(self.bundles)
            )
            for k in self.phases
        )
        shares: dict[tuple[str, int, int], tuple[float, float]] = {}
        for (call, b, k, s), x in self.fresh.items():
            y = self.reused.get((call, b, k, s))
            pair = (value(x), 0.0 if y is None else value(y))
            if sum(pair) > 1e-9 and self.bundles[b][0].setups[s] == setups[k][b]:
                shares[call, k, b] = pair
        lasts = tuple(value(x) for x in self.lasts)
        return Phases(self.p, setups, shares, lasts, min(sum(lasts), bound), optimal)
