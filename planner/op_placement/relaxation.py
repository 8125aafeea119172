"""
What no placement can beat: the linear program in which a piece may be split over devices.

Paths and loads together: neither alone sees that what leaves a path for another device loads that device. Equations are
numbered as in `docs/math/op_placement.md`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from math import ceil, inf
from typing import Any

import numpy as np

from .bounds import Table
from .problem import OpPlacementProblem

ROUNDING = 1e-6
"""share of the optimum that the solver may be off by"""


def relaxed_bound_ns(
    p: OpPlacementProblem, heads: Table, through: Table, pipelined: bool, time_limit_s: float | None = None
) -> int:
    """[ns] the optimum of (14) to (19), rounded up; 0 where time is over. `heads`, `through`: those of (11), (13)."""
    import highspy

    rows = _Rows(p, through)
    rows.assign()
    rows.move()
    rows.load()
    if not pipelined:
        rows.follow(heads, through)
    solver: Any = highspy.Highs()
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("threads", 1)
    solver.setOptionValue("random_seed", 0)
    if time_limit_s is not None:
        solver.setOptionValue("time_limit", max(time_limit_s, 0.0))
    solver.passModel(rows.model(highspy))
    solver.run()
    if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        return 0
    optimum = solver.getInfo().objective_function_value * rows.unit_ns
    return max(0, ceil(optimum * (1 - ROUNDING) - 1e-3))


class _Rows:
    """The linear program while it is written, in units of the time of all pieces where they are slowest."""

    def __init__(self, p: OpPlacementProblem, through: Table) -> None:
        self.p = p
        pieces = range(len(p.pieces))
        self.unit_ns = max(1.0, float(sum(max(p.time_ns(i, d) for d in p.allowed[i]) for i in pieces)))
        self.upper: list[float] = [inf]
        """of each column; the first is the makespan or period"""
        self.rows: list[tuple[float, float, Mapping[int, float]]] = []
        self.x = [{d: self._column(1.0) for d in p.allowed[i] if through[i][d] < inf} for i in pieces]
        self.y: dict[tuple[int, int], dict[tuple[int, int], int]] = {}

    def _column(self, upper: float) -> int:
        self.upper.append(upper)
        return len(self.upper) - 1

    def time(self, i: int) -> dict[int, float]:
        """The time of a piece: a sum over its devices."""
        return {x: self.p.time_ns(i, d) / self.unit_ns for d, x in self.x[i].items()}

    def assign(self) -> None:
        """Each piece is on devices. Equation (14)."""
        self.rows += [(1.0, 1.0, dict.fromkeys(row.values(), 1.0)) for row in self.x]

    def move(self) -> None:
        """Each tensor goes from where it is made to where it is used. Equation (15)."""
        p = self.p
        for t, tensor in enumerate(p.tensors):
            u = tensor.producer
            for v in tensor.users:
                pairs = [(a, b) for a in self.x[u] for b in self.x[v] if a == b or (a, b) in p.routes]
                y = self.y[t, v] = {pair: self._column(1.0) for pair in pairs}
                for a, x in self.x[u].items():
                    self.rows.append((0.0, 0.0, {x: -1.0} | {c: 1.0 for (one, _), c in y.items() if one == a}))
                for b, x in self.x[v].items():
                    self.rows.append((0.0, 0.0, {x: -1.0} | {c: 1.0 for (_, one), c in y.items() if one == b}))

    def load(self) -> None:
        """Devices and links do one thing at a time, and memories hold the weights. Equations (16), (17)."""
        p = self.p
        for d, device in enumerate(p.devices):
            of = [(i, row[d]) for i, row in enumerate(self.x) if d in row]
            self.rows.append((0.0, inf, {0: 1.0} | {x: -p.time_ns(i, d) / self.unit_ns for i, x in of}))
            if device.memory_bytes is not None:
                unit = max(1, device.memory_bytes)
                held = {x: p.pieces[i].weight_bytes / unit for i, x in of}
                self.rows.append((-inf, device.memory_bytes / unit, held))
        busy: dict[int, dict[int, float]] = defaultdict(dict)
        for (t, a, b), column in self._copies().items():
            for link in p.routes[a, b].links:
                busy[link][column] = -(p.transfer_ns(t, a, b) or 0) / self.unit_ns
        self.rows += [(0.0, inf, {0: 1.0} | of) for of in busy.values()]

    def _copies(self) -> dict[tuple[int, int, int], int]:
        """Columns of the copies of tensors: users on one device share one."""
        users: dict[tuple[int, int, int], list[int]] = defaultdict(list)
        for (t, _), y in self.y.items():
            for (a, b), column in y.items():
                if a != b:
                    users[t, a, b].append(column)
        copies = {}
        for key, columns in users.items():
            copies[key] = columns[0] if len(columns) == 1 else self._column(1.0)
            if len(columns) > 1:
                self.rows += [(0.0, inf, {copies[key]: 1.0, column: -1.0}) for column in columns]
        return copies

    def follow(self, heads: Table, through: Table) -> None:
        """A piece starts when its inputs are there, and all ends after it. Equations (18), (19)."""
        p = self.p
        starts = [self._column(inf) for _ in p.pieces]
        for v, start in enumerate(starts):
            least = {x: -heads[v][d] / self.unit_ns for d, x in self.x[v].items()}
            self.rows.append((0.0, inf, {start: 1.0} | least))
            after = {x: -(through[v][d] - heads[v][d]) / self.unit_ns for d, x in self.x[v].items()}
            self.rows.append((0.0, inf, {0: 1.0, start: -1.0} | after))
        for (t, v), y in self.y.items():
            u = p.tensors[t].producer
            took = {x: -time for x, time in self.time(u).items()}
            moved = {c: -(p.transfer_ns(t, a, b) or 0) / self.unit_ns for (a, b), c in y.items() if a != b}
            self.rows.append((0.0, inf, {starts[v]: 1.0, starts[u]: -1.0} | took | moved))

    def model(self, highspy: Any) -> Any:
        """The program as HiGHS takes it."""
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = len(self.upper), len(self.rows)
        lp.col_cost_ = np.array([1.0] + [0.0] * (len(self.upper) - 1))
        lp.col_lower_, lp.col_upper_ = np.zeros(len(self.upper)), np.array(self.upper)
        lp.row_lower_ = np.array([row[0] for row in self.rows])
        lp.row_upper_ = np.array([row[1] for row in self.rows])
        lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        lp.a_matrix_.start_ = np.cumsum([0, *(len(row[2]) for row in self.rows)])
        lp.a_matrix_.index_ = np.array([c for row in self.rows for c in row[2]])
        lp.a_matrix_.value_ = np.array([v for row in self.rows for v in row[2].values()])
        return lp
