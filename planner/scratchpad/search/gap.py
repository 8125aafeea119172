"""What to keep when the order is given: by Belady's rule, or by GAP, an integer program that is exact for bytes.

GAP has a binary g for each gap between adjacent touches of a tensor, 1 if it stays resident, and w for each tensor that
is written back:

    min  sum_a write_a w_a + sum_{a,i} reload_a (1 - g[a,i])        w_a >= 1 - g[a,i]                              (30)
    for each step t:  sum over gaps across t of size_a g[a,i] <= M - need(t)                                       (31)

Belady's rule (evict what is used last) is optimal only for equal sizes without write-backs; here it is an upper bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from ..problem import ScratchpadProblem
from ..residency import Residency, residency_of
from .belady import Kept, belady_piece
from .split import Piece, whole

MOST_ENTRIES = 200_000
"""of the integer program, gaps across tight steps; above these Belady's rule stays, for nothing is found in time"""


class Gap(NamedTuple):
    """A tensor between two adjacent touches; it is across the steps strictly between them."""

    tensor: int
    rank: int
    start: int
    end: int


def belady(problem: ScratchpadProblem, order: Sequence[int]) -> Residency:
    """Keep by Belady's rule along an order; ValueError if an operator does not fit."""
    return _residency(problem, order, belady_piece(whole(problem), tuple(order))[0])


def keep(problem: ScratchpadProblem, order: Sequence[int], *, time_limit_s: float | None = None) -> Residency:
    """Keep so that the fewest bytes move along an order, addresses apart; ValueError if an operator does not fit.

    Optimal unless the time limit [s] ends the integer program early."""
    return _residency(problem, order, keep_piece(whole(problem), tuple(order), time_limit_s)[0])


def _residency(problem: ScratchpadProblem, order: Sequence[int], kept: Kept) -> Residency:
    piece = whole(problem)
    local = {tensor: i for i, tensor in enumerate(piece.tensors)}
    every = [kept[local[t]] if t in local else [True] * len(ops) for t, ops in enumerate(problem.touches)]
    return residency_of(problem, order, every)


def cost_of(piece: Piece, kept: Kept) -> int:
    """Bytes that move for what is not kept, beyond the compulsory."""
    total = 0
    for tensor, flags in enumerate(kept):
        out = flags.count(False)
        total += out * piece.reload[tensor] + (piece.write[tensor] if out else 0)
    return total


def gaps_of(piece: Piece, order: Sequence[int]) -> list[list[Gap]]:
    """By tensor: its gaps along an order."""
    at = {op: step for step, op in enumerate(order)}
    return [
        [Gap(tensor, i, a, b) for i, (a, b) in enumerate(pairwise(sorted(at[op] for op in ops)))]
        for tensor, ops in enumerate(piece.uses)
    ]


def keep_piece(piece: Piece, order: Sequence[int], time_limit_s: float | None = None) -> tuple[Kept, int, bool]:
    """What GAP keeps along an order of a piece, its bytes, and whether that is proved optimal for the order."""
    kept, cost = belady_piece(piece, order)
    every = gaps_of(piece, order)
    rows = _tight_steps(piece, order, every)
    if cost == 0 or not rows:
        return [[True] * len(flags) for flags in kept], 0, True
    if sum(len(across) for _, across in rows) > MOST_ENTRIES:
        return kept, cost, False
    answer = _solve(piece, rows, time_limit_s)
    if answer is None:
        return kept, cost, False
    out, proved = answer
    found = [[gap not in out for gap in gaps] for gaps in every]
    found_cost = cost_of(piece, found)
    return (found, found_cost, proved) if found_cost <= cost else (kept, cost, proved and found_cost == cost)


def _tight_steps(piece: Piece, order: Sequence[int], every: list[list[Gap]]) -> list[tuple[int, list[Gap]]]:
    """(31): bytes that must be out, and the gaps across, for each step at which not all can stay; a step whose gaps and
    bytes are those of the step before is left out."""
    starts: list[list[Gap]] = [[] for _ in order]
    ends: list[list[Gap]] = [[] for _ in order]
    for gap in (g for gaps in every for g in gaps if g.end > g.start + 1):
        starts[gap.start + 1].append(gap)
        ends[gap.end].append(gap)
    across: dict[Gap, None] = {}
    total, rows = 0, []
    for step, op in enumerate(order):
        for gap in ends[step]:
            del across[gap]
            total -= piece.size[gap.tensor]
        for gap in starts[step]:
            across[gap] = None
            total += piece.size[gap.tensor]
        if total + piece.need[op] > piece.capacity:
            rows.append((total + piece.need[op] - piece.capacity, list(across)))
    return rows


def _solve(piece: Piece, rows: list[tuple[int, list[Gap]]], time_limit_s: float | None) -> tuple[set[Gap], bool] | None:
    """(30) and (31) by HiGHS, in x = 1 - g: who leaves, and whether that is proved best; None if it found nothing in
    time."""
    import highspy

    columns = {gap: i for i, gap in enumerate(dict.fromkeys(g for _, across in rows for g in across))}
    writes: dict[int, int] = {}
    for gap in columns:
        if piece.write[gap.tensor]:
            writes.setdefault(gap.tensor, len(columns) + len(writes))
    cost = [piece.reload[g.tensor] for g in columns] + [piece.write[a] for a in writes]
    lower: list[float] = []
    start, index, value = [0], [], []
    for over, across in rows:
        lower.append(over)
        index += [columns[g] for g in across]
        value += [min(piece.size[g.tensor], over) for g in across]
        start.append(len(index))
    for gap, column in columns.items():
        if gap.tensor in writes:
            lower.append(0)
            index += [writes[gap.tensor], column]
            value += [1, -1]
            start.append(len(index))
    model: Any = highspy.HighsLp()
    model.num_col_, model.num_row_ = len(cost), len(lower)
    scale = max(1, max(cost))
    model.col_cost_ = np.array(cost, np.float64) / scale
    model.col_lower_, model.col_upper_ = np.zeros(len(cost)), np.ones(len(cost))
    model.row_lower_, model.row_upper_ = np.array(lower, np.float64), np.full(len(lower), highspy.kHighsInf)
    model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    model.a_matrix_.start_ = np.array(start, np.int32)
    model.a_matrix_.index_ = np.array(index, np.int32)
    model.a_matrix_.value_ = np.array(value, np.float64)
    model.integrality_ = [highspy.HighsVarType.kInteger] * len(cost)
    solver = highspy.Highs()
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("threads", 1)
    solver.setOptionValue("mip_rel_gap", 0.0)
    solver.setOptionValue("mip_abs_gap", 0.5 / scale)
    if time_limit_s is not None:
        solver.setOptionValue("time_limit", max(0.01, time_limit_s))
    solver.passModel(model)
    solver.run()
    values = solver.getSolution().col_value
    if solver.getInfo().primal_solution_status != 2 or len(values) != len(cost):
        return None
    out = {gap for gap, column in columns.items() if values[column] > 0.5}
    if any(sum(piece.size[g.tensor] for g in across if g in out) < over for over, across in rows):
        return None
    return out, solver.getModelStatus() == highspy.HighsModelStatus.kOptimal
