"""
The pipeline of least period, as a constraint program.

Every device runs its pieces once in each period, each for a run of its own, so that order costs no time: the period is
that of the busiest device or link. Equations are numbered as in `docs/math/op_placement.md`.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from .assignment import Assignment
from .bounds import Table
from .problem import OpPlacementProblem, Pipeline


class PeriodModel:
    """The program of (2), (3) and (9), and of (10) where buffers are bound."""

    linearisation = 2
    """all but the buffers is linear"""

    def __init__(self, p: OpPlacementProblem, model: Any, through: Table, most_ns: int, least_ns: int) -> None:
        """`through` is that of (13), of which only what is infinite counts; no period is less than `least_ns`."""
        self.p, self.model = p, model
        self.period = model.new_int_var(min(least_ns, most_ns), most_ns, "period")
        self.choice = Assignment(p, model, through, float(sum(map(max, _finite(through)))))
        self.stage: list[Any] = []
        self.choice.bound_loads(self.period)
        links: dict[int, list[Any]] = defaultdict(list)
        for link, length, _, on in self.choice.on_links():
            links[link].append(length * on)
        for of in links.values():
            model.add(self.period >= sum(of))
        model.minimize(self.period)

    def bound_memory(self) -> None:
        """Weights, a buffer for each period that a tensor is held, and the largest work, fit. Equation (10)."""
        most = 2 * len(self.p.pieces)
        self.stage = [self.model.new_int_var(0, most, "") for _ in self.p.pieces]
        for tensor in self.p.tensors:
            for v in tensor.users:
                self.model.add(self.stage[v] >= self.stage[tensor.producer])
        for (t, b), on in self.choice.is_sent.items():
            for v in self.choice.users_on(t, b):
                there = self.stage[self.p.tensors[t].producer] + 2
                self.model.add(self.stage[v] >= there).only_enforce_if(on, self.choice.x[v][b])
        for d, device in enumerate(self.p.devices):
            if device.memory_bytes is None:
                continue
            work = self.model.new_int_var(0, max((q.work_bytes for q in self.p.pieces), default=0), "")
            for i, row in enumerate(self.choice.x):
                if d in row:
                    self.model.add(work >= self.p.pieces[i].work_bytes * row[d])
            buffers = [tensor.bytes * self._periods(t, d, most) for t, tensor in enumerate(self.p.tensors)]
            self.model.add(self.choice.weights(d) + work + sum(buffers) <= device.memory_bytes)

    def _periods(self, t: int, d: int, most: int) -> Any:
        """How many periods a tensor is held on a device at once, where it is made or sent to."""
        u, x = self.p.tensors[t].producer, self.choice.x
        held = self.model.new_int_var(0, most + 1, "")
        for v in self.choice.users_on(t, d):
            since = self.stage[v] - self.stage[u]
            if d in x[u]:
                self.model.add(held >= since + 1).only_enforce_if(x[u][d], x[v][d])
            if (t, d) in self.choice.is_sent:
                self.model.add(held >= since).only_enforce_if(self.choice.is_sent[t, d], x[v][d])
        if d in x[u]:
            self.model.add(held >= 1).only_enforce_if(x[u][d])
        for (sent, a, _), on in self.choice.sends.items():
            if (sent, a) == (t, d):
                self.model.add(held >= 2).only_enforce_if(on)
        return held

    def found(self, solver: Any) -> Pipeline:
        """The pipeline that the solver found; the least stages where it left them open."""
        device = self.choice.device_of(solver)
        if self.stage:
            stage = tuple(int(solver.value(s)) for s in self.stage)
            return Pipeline(device, stage, int(solver.value(self.period)))
        return staged(self.p, device, int(solver.value(self.period)))

    def hint(self, s: Pipeline) -> None:
        """Begin the search at a pipeline."""
        self.choice.hint(s.device)


def staged(p: OpPlacementProblem, device: tuple[int, ...], period_ns: int) -> Pipeline:
    """The pipeline of these devices in which each piece is in the least stage that it can be in. Equation (8)."""
    stage = [0] * len(p.pieces)
    for i in range(len(p.pieces)):
        for t in p.inputs[i]:
            u = p.tensors[t].producer
            stage[i] = max(stage[i], stage[u] + 2 * (device[u] != device[i]))
    return Pipeline(device, tuple(stage), period_ns)


def _finite(table: Table) -> list[list[float]]:
    return [[value for value in row if value < float("inf")] or [0.0] for row in table]
