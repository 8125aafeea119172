"""COSMA's integer program, word for word: the reference that small instances are checked against, not an engine.

Source: "Combined Scheduling, Memory Allocation and Tensor Replacement for Minimizing Off-Chip Data Accesses of DNN
Accelerators" (arXiv 2311.18246), equations (1) to (15); `docs/math/scratchpad.md` has them under the same numbers, and
those that it leaves to its reader. It has O(T A^2) rows for T operators and A tensors: some ten
operators are its limit here.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, pairwise
from math import gcd
from typing import Any

import pulp

from .plan import ScratchpadPlan, assemble
from .problem import ScratchpadProblem
from .residency import residency_of

Grid = dict[tuple[int, int], pulp.LpVariable]
"""(tensor, step) -> variable"""


@dataclass
class CosmaModel:
    """The variables of the program; a tensor a stands for its index in the problem, t for a step."""

    problem: ScratchpadProblem
    program: pulp.LpProblem
    unit: int
    """[bytes] greatest common divisor of all sizes: addresses count in it, which keeps the big M small"""
    tensors: tuple[int, ...]
    """those that an operator touches"""
    run: Grid
    """operator v runs at step t; the paper has the C of its outputs in its place"""
    create: Grid
    preserve: Grid
    spill: Grid
    retrieve: Grid
    keep: Grid
    """V: stays at its address"""
    address: Grid
    above: dict[tuple[int, int, int], pulp.LpVariable]
    """u: a lies above b at t"""
    below: dict[tuple[int, int, int], pulp.LpVariable]

    @property
    def steps(self) -> range:
        return range(len(self.problem.operators))

    @property
    def cells(self) -> Iterator[tuple[int, int]]:
        return ((a, t) for a in self.tensors for t in self.steps)

    def size(self, a: int) -> int:
        return self.problem.sizes[a] // self.unit

    @property
    def capacity(self) -> int:
        return self.problem.size_bytes // self.unit

    def resident(self, a: int, t: int) -> pulp.LpAffineExpression:
        """res of the paper."""
        return self.create[a, t] + self.preserve[a, t] + self.retrieve[a, t]

    def require(self, constraint: Any) -> None:
        # PuLP folds a comparison of constants to a bool.
        if constraint is not True:
            self.program += constraint


def variables(problem: ScratchpadProblem) -> CosmaModel:
    """An empty program over the problem."""
    tensors = tuple(a for a, ops in enumerate(problem.touches) if ops)
    steps = range(len(problem.operators))
    unit = gcd(*(problem.sizes[a] for a in tensors)) or problem.alignment_bytes

    program = pulp.LpProblem("cosma", pulp.LpMinimize)
    add = program.add_variable

    def grid(name: str) -> Grid:
        return {(a, t): add(f"{name}_{a}_{t}", cat="Binary") for a in tensors for t in steps}

    def pairs(name: str) -> dict[tuple[int, int, int], pulp.LpVariable]:
        wide = [a for a in tensors if problem.sizes[a]]
        triples = ((a, b, t) for a, b in combinations(wide, 2) for t in steps)
        return {(a, b, t): add(f"{name}_{a}_{b}_{t}", cat="Binary") for a, b, t in triples}

    run = {(v, t): add(f"run_{v}_{t}", cat="Binary") for v in steps for t in steps}
    capacity = problem.size_bytes // unit
    address = {
        (a, t): add(f"L_{a}_{t}", 0, capacity - problem.sizes[a] // unit, "Integer") for a in tensors for t in steps
    }
    c, p, s, r, v = (grid(name) for name in "CPSRV")
    return CosmaModel(problem, program, unit, tensors, run, c, p, s, r, v, address, pairs("u"), pairs("d"))


def equation_1(m: CosmaModel) -> None:
    """A tensor is in one state at a step."""
    for at in m.cells:
        m.require(m.create[at] + m.preserve[at] + m.spill[at] + m.retrieve[at] <= 1)


def equation_2(m: CosmaModel) -> None:
    """What is preserved was resident at the step before."""
    for a, t in m.cells:
        if t:
            m.require(m.preserve[a, t] <= m.resident(a, t - 1))


def equation_3(m: CosmaModel) -> None:
    """What is spilled was resident at the step before, and not by a reload: its copy would be valid."""
    for a, t in m.cells:
        if t:
            m.require(m.spill[a, t] <= m.create[a, t - 1] + m.preserve[a, t - 1])


def equation_4(m: CosmaModel) -> None:
    """What is retrieved was spilled at some step before."""
    for a, t in m.cells:
        m.require(m.retrieve[a, t] <= pulp.lpSum(m.spill[a, k] for k in range(t + 1)))


def equation_5(m: CosmaModel) -> None:
    """An operator's inputs are resident from before while it runs; what is loaded may be so for the first time."""
    for v, op in enumerate(m.problem.operators):
        for b in op.inputs:
            for t in m.steps:
                ready = m.preserve[b, t] + m.retrieve[b, t]
                m.require(m.run[v, t] <= (ready + m.create[b, t] if m.problem.tensors[b].is_loaded else ready))


def equation_6(m: CosmaModel) -> None:
    """Outputs of one operator are made at once: when it runs."""
    for v, op in enumerate(m.problem.operators):
        for a in op.outputs:
            for t in m.steps:
                m.require(m.create[a, t] == m.run[v, t])


def equation_7(m: CosmaModel) -> None:
    """Every tensor is made, or loaded for the first time, once."""
    for a in m.tensors:
        m.require(pulp.lpSum(m.create[a, t] for t in m.steps) == 1)


def equation_8(m: CosmaModel) -> None:
    """Every tensor is spilled at most once."""
    for a in m.tensors:
        m.require(pulp.lpSum(m.spill[a, t] for t in m.steps) <= 1)


def equation_9(m: CosmaModel) -> None:
    """Every tensor ends inside the scratchpad."""
    for a, t in m.cells:
        m.require(m.address[a, t] + m.size(a) <= m.capacity)


def equation_10(m: CosmaModel) -> None:
    """Two tensors that are resident at one step lie one above the other."""
    for (a, b, t), u in m.above.items():
        d = m.below[a, b, t]
        m.require(m.address[a, t] >= m.address[b, t] + m.size(b) - m.capacity * (1 - u))
        m.require(m.address[b, t] >= m.address[a, t] + m.size(a) - m.capacity * (1 - d))
        m.require(u + d >= m.resident(a, t) + m.resident(b, t) - 1)


def equation_11(m: CosmaModel) -> None:
    """What is preserved keeps its address."""
    for a, t in m.cells:
        if t:
            m.require(m.keep[a, t] == m.preserve[a, t])
            slack = m.capacity * (1 - m.keep[a, t])
            m.require(m.address[a, t] - m.address[a, t - 1] <= slack)
            m.require(m.address[a, t - 1] - m.address[a, t] <= slack)


def equation_12(m: CosmaModel) -> None:
    """Minimise what is moved: reloads of everything, spills of intermediate tensors alone [bytes]."""
    size = [tensor.bytes for tensor in m.problem.tensors]
    reloads = pulp.lpSum(size[a] * m.retrieve[a, t] for a, t in m.cells)
    spills = pulp.lpSum(size[a] * m.spill[a, t] for a, t in m.cells if not m.problem.tensors[a].leaves_free)
    m.program.setObjective(reloads + spills)


def equation_13(m: CosmaModel) -> None:
    """Peak mode: nothing leaves."""
    for at in m.cells:
        m.require(m.spill[at] == 0)
        m.require(m.retrieve[at] == 0)


def equation_14(m: CosmaModel, peak: pulp.LpVariable) -> None:
    """Peak mode: no step holds more than the peak."""
    for t in m.steps:
        m.require(pulp.lpSum(m.size(a) * (m.create[a, t] + m.preserve[a, t]) for a in m.tensors) <= peak)


def equation_15(m: CosmaModel, peak: pulp.LpVariable) -> None:
    """Peak mode: minimise the peak."""
    m.program.setObjective(pulp.LpAffineExpression(peak))


def equation_16(m: CosmaModel) -> None:
    """One operator runs at a step, and each once: implied nowhere in the paper's equations."""
    for t in m.steps:
        m.require(pulp.lpSum(m.run[v, t] for v in m.steps) == 1)
    for v in m.steps:
        m.require(pulp.lpSum(m.run[v, t] for t in m.steps) == 1)


def equation_17(m: CosmaModel) -> None:
    """Nothing is preserved, spilled or retrieved at the first step: (2) and (3) speak of a step before."""
    for a in m.tensors:
        for grid in (m.preserve, m.spill, m.retrieve):
            m.require(grid[a, 0] == 0)


def equation_18(m: CosmaModel) -> None:
    """What no operator will touch again is dead, and not preserved: it would count as resident."""
    for a, t in m.cells:
        later = (m.run[v, k] for v in m.problem.touches[a] for k in m.steps if k >= t)
        m.require(m.preserve[a, t] <= pulp.lpSum(later))


def equation_19(m: CosmaModel) -> None:
    """Rows that cut off no best plan, without which the relaxation says nothing and HiGHS takes ten times as long.

    An operator runs neither before all its ancestors could nor after all its descendants must; loads and reloads
    wait for a touch; and the residents of a step fit, whatever their addresses.
    """
    problem, count = m.problem, len(m.problem.operators)
    for v, ancestors in enumerate(problem.ancestors):
        descendants = sum(other >> v & 1 for other in problem.ancestors)
        for t in m.steps:
            if not ancestors.bit_count() <= t < count - descendants:
                m.require(m.run[v, t] == 0)
    for a, t in m.cells:
        touched = pulp.lpSum(m.run[v, t] for v in problem.touches[a])
        m.require(m.retrieve[a, t] <= touched)
        if problem.tensors[a].is_loaded:
            m.require(m.create[a, t] <= touched)
    for t in m.steps:
        m.require(pulp.lpSum(m.size(a) * m.resident(a, t) for a in m.tensors) <= m.capacity)


COMMON = (equation_1, equation_2, equation_3, equation_4, equation_5, equation_6, equation_7, equation_8)
CLOSED = (equation_16, equation_17, equation_18)
ADDRESSES = (equation_9, equation_10, equation_11)


def plan_by_cosma(problem: ScratchpadProblem, time_limit_s: float | None = None) -> ScratchpadPlan:
    """
    The optimal plan of a small problem, addresses included: `infeasible` where an operator does not fit.

    Its bound is over all plans with addresses in which no tensor leaves and comes back between two adjacent steps (the
    program's one limit: (1) to (3) need a step in between).
    """
    started = time.perf_counter()
    status, bound = "infeasible", 0.0
    if problem.least_size_bytes <= problem.size_bytes and problem.operators:
        m = variables(problem)
        for add in (*COMMON, *ADDRESSES, *CLOSED, equation_19, equation_12):
            add(m)
        status, bound = _solve(m, time_limit_s)
        if status in ("optimal", "feasible"):
            return _plan(m, round(bound), time.perf_counter() - started)
    trivial = not problem.operators
    seconds = time.perf_counter() - started
    return ScratchpadPlan(
        "optimal" if trivial else "infeasible" if status == "infeasible" else "unknown",
        problem.size_bytes, problem.compulsory_bytes, 0, 0, (), (), (), seconds,
    )  # fmt: skip


def least_peak_by_cosma(problem: ScratchpadProblem, time_limit_s: float | None = None) -> int | None:
    """M_P, the least peak over all orders [bytes, sizes rounded up to the alignment]; None if time ran out."""
    if not problem.operators:
        return 0
    m = variables(problem.with_size(sum(problem.sizes)))
    peak = m.program.add_variable("peak", 0, m.capacity)
    for add in (*COMMON, *CLOSED, equation_13, equation_19):
        add(m)
    equation_14(m, peak)
    equation_15(m, peak)
    status, bound = _solve(m, time_limit_s)
    return round(bound) * m.unit if status == "optimal" else None


def _solve(m: CosmaModel, time_limit_s: float | None) -> tuple[str, float]:
    """Status and proved bound, in the units of the objective."""
    tight: dict[str, Any] = {"mip_feasibility_tolerance": 1e-9, "primal_feasibility_tolerance": 1e-9}
    m.program.solve(pulp.HiGHS(msg=False, threads=1, gapRel=0.0, timeLimit=time_limit_s, random_seed=0, **tight))
    solver: Any = m.program.solverModel
    name, info = solver.modelStatusToString(solver.getModelStatus()), solver.getInfo()
    if name == "Optimal":
        return "optimal", info.objective_function_value
    if name in ("Infeasible", "Primal infeasible or unbounded"):
        return "infeasible", 0.0
    return ("feasible" if info.primal_solution_status == 2 else "unknown"), max(0.0, info.mip_dual_bound)


def _plan(m: CosmaModel, bound: int, seconds: float) -> ScratchpadPlan:
    """The plan that the variables say; a stay that waits or lingers without a touch is cut to its touches."""
    at = {t: v for (v, t), x in m.run.items() if _value(x) > 0.5}
    order = [at[t] for t in m.steps]
    step_of = {v: t for t, v in at.items()}

    def held(a: int, t: int) -> bool:
        return _value(m.preserve[a, t]) > 0.5

    kept = []
    for ops in m.problem.touches:
        steps = sorted(step_of[v] for v in ops)
        a = len(kept)
        kept.append([all(held(a, t) for t in range(here + 1, there + 1)) for here, there in pairwise(steps)])
    residency = residency_of(m.problem, order, kept)
    offsets = {i: round(_value(m.address[stay.tensor, stay.start])) * m.unit for i, stay in enumerate(residency.stays)}
    return assemble(residency, offsets, min(bound, residency.noncompulsory_bytes), seconds)


def _value(variable: pulp.LpVariable) -> float:
    """The solved value; one that stands in no row has none, and may be 0."""
    return variable.varValue or 0.0
