"""What to keep when the order is given: Belady's rule, and GAP, an integer program that is exact for bytes.

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
from numba import njit

from ..problem import ScratchpadProblem
from ..residency import Residency, residency_of
from .split import Piece, whole
from .tables import Tables, tables

Kept = list[list[bool]]
"""By tensor and gap between touches in order: whether it stays."""


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


def check_fits(piece: Piece) -> None:
    """ValueError if an operator of the piece needs more than the scratchpad."""
    if piece.need and max(piece.need) > piece.capacity:
        raise ValueError(f"an operator needs {max(piece.need)} bytes and the scratchpad has {piece.capacity}")


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


def belady_piece(piece: Piece, order: Sequence[int], t: Tables | None = None) -> tuple[Kept, int]:
    """What Belady's rule keeps along an order of a piece, and its bytes."""
    check_fits(piece)
    t = t or tables(piece)
    out = np.zeros(len(t.use), np.bool_)
    cost = int(belady_cost(t, np.array(order, np.int64), out, np.int64(2**62)))
    kept = [[not out[k] for k in range(t.use_start[a] + 1, t.use_start[a + 1])] for a in range(len(t.size))]
    return kept, cost


@njit(cache=True)
def belady_cost(t, order, out, limit):
    """Bytes that Belady's rule moves along an order, or some that are no fewer than `limit`; `out[k]` is set where the
    gap before the k-th touch is not kept, touches of each tensor counted in order from `use_start`."""
    n, m = len(order), len(t.size)
    next_use = _steps(t, order)
    clean, live, place = np.zeros(m, np.bool_), np.empty(m, np.int64), np.full(m, -1, np.int64)
    reached = np.zeros(m, np.int64)
    count, total, cost = 0, 0, 0
    for step in range(n):
        v = order[step]
        over = total + t.need[v] - t.capacity
        for i in range(t.touch_start[v], t.touch_start[v + 1]):
            if place[t.touch[i]] >= 0:
                over -= t.size[t.touch[i]]
        while over > 0:
            worst, far = -1, -1
            for q in range(count):
                a = live[q]
                when = next_use[t.use_start[a] + reached[a]]
                if when > step and (
                    when > far
                    or (when == far and t.size[a] >= over and (t.size[worst] < over or t.size[a] < t.size[worst]))
                ):
                    worst, far = a, when
            cost += t.reload[worst] + (0 if clean[worst] else t.write[worst])
            if cost >= limit:
                return cost
            clean[worst] = True
            out[t.use_start[worst] + reached[worst]] = True
            over -= t.size[worst]
            total -= t.size[worst]
            count -= 1
            live[place[worst]] = live[count]
            place[live[count]] = place[worst]
            place[worst] = -1
        for i in range(t.touch_start[v], t.touch_start[v + 1]):
            a = t.touch[i]
            reached[a] += 1
            if place[a] < 0:
                live[count], place[a] = a, count
                count += 1
                total += t.size[a]
            if reached[a] == t.use_start[a + 1] - t.use_start[a]:
                total -= t.size[a]
                count -= 1
                live[place[a]] = live[count]
                place[live[count]] = place[a]
                place[a] = -1
    return cost


@njit(cache=True)
def _steps(t, order):
    """By tensor: the steps of its touches, in order, from `use_start`."""
    at = np.empty(len(order), np.int64)
    for step in range(len(order)):
        at[order[step]] = step
    steps = np.empty(len(t.use), np.int64)
    for a in range(len(t.size)):
        for k in range(t.use_start[a], t.use_start[a + 1]):
            step, j = at[t.use[k]], k
            while j > t.use_start[a] and steps[j - 1] > step:
                steps[j] = steps[j - 1]
                j -= 1
            steps[j] = step
    return steps


def keep_piece(piece: Piece, order: Sequence[int], time_limit_s: float | None = None) -> tuple[Kept, int, bool]:
    """What GAP keeps along an order of a piece, its bytes, and whether that is proved optimal for the order."""
    kept, cost = belady_piece(piece, order)
    every = gaps_of(piece, order)
    rows = _tight_steps(piece, order, every)
    if cost == 0 or not rows:
        return [[True] * len(flags) for flags in kept], 0, True
    answer = _solve(piece, every, rows, time_limit_s)
    if answer is None:
        return kept, cost, False
    found, proved = answer
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


def _solve(
    piece: Piece, every: list[list[Gap]], rows: list[tuple[int, list[Gap]]], time_limit_s: float | None
) -> tuple[Kept, bool] | None:
    """(30) and (31) by HiGHS, in x = 1 - g; None if it found nothing in time."""
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
    kept = [[True] * len(gaps) for gaps in every]
    for gap, column in columns.items():
        kept[gap.tensor][gap.rank] = values[column] < 0.5
    for over, across in rows:
        if sum(piece.size[g.tensor] for g in across if not kept[g.tensor][g.rank]) < over:
            return None
    return kept, solver.getModelStatus() == highspy.HighsModelStatus.kOptimal
