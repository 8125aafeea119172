"""CUT: a bound for every order at once, from what is out while each operator runs, whatever the order.

N(v) = tensors touched before v in every order and again after v in every order, and not by v. Of their bytes at least
D(v) = size(N(v)) - (M - need(v)) are out while v runs, and each of those is reloaded for a consumer that is not before
v. With o[a,v] (a is out at v), r[a,c] (a is reloaded for its touch c) and w[a] (a is written):

    min sum_a reload_a sum_c r[a,c] + write_a w_a                                                                  (32)
    sum_{N(v)} size_a o[a,v] >= D(v);   sum_{c not before v} r[a,c] >= o[a,v];   w_a >= o[a,v]                     (33)

Sizes above D(v) count as D(v) in (33). The linear relaxation is solved, and the bound is read off by weak duality:
whatever multipliers the solver gives are made feasible for the dual and summed again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .relax import ancestors_of
from .split import Piece


def _crowded(piece: Piece) -> Iterator[tuple[int, int, list[int]]]:
    """Operators v with D(v) > 0, D(v) and N(v)."""
    ancestors = ancestors_of(piece)
    descendants = [0] * len(ancestors)
    for op in range(len(ancestors) - 1, -1, -1):
        for p in piece.predecessors[op]:
            descendants[p] |= descendants[op] | 1 << op
    uses = [sum(1 << op for op in ops) for ops in piece.uses]
    for v, touched in enumerate(piece.touched):
        through = [a for a, ops in enumerate(uses) if ops & ancestors[v] and ops & descendants[v] and a not in touched]
        over = sum(piece.size[a] for a in through) + piece.need[v] - piece.capacity
        if over > 0:
            yield v, over, through


def cut_bound(piece: Piece, time_limit_s: float | None = None) -> int:
    """The bound of (32) and (33), as a linear program, in bytes; a weaker one if the time limit [s] ends the solver."""
    import highspy
    import numpy as np

    crowded = list(_crowded(piece))
    if not crowded:
        return 0
    before = ancestors_of(piece)
    columns: dict[tuple[str, int, int], int] = {}

    def column(kind: str, a: int, b: int) -> int:
        return columns.setdefault((kind, a, b), len(columns))

    rows: list[tuple[float, list[int], list[float]]] = []
    for v, over, through in crowded:
        rows.append((over, [column("o", a, v) for a in through], [float(min(piece.size[a], over)) for a in through]))
        for a in through:
            later = [c for c in piece.uses[a] if not before[v] >> c & 1]
            rows.append((0, [*(column("r", a, c) for c in later), column("o", a, v)], [*([1.0] * len(later)), -1.0]))
            rows.append((0, [column("w", a, 0), column("o", a, v)], [1.0, -1.0]))
    price = {"o": lambda a: 0, "r": lambda a: piece.reload[a], "w": lambda a: piece.write[a]}
    cost = np.array([price[kind](a) for kind, a, _ in columns], np.float64)
    model: Any = highspy.HighsLp()
    model.num_col_, model.num_row_ = len(cost), len(rows)
    model.col_cost_ = cost
    model.col_lower_, model.col_upper_ = np.zeros(len(cost)), np.ones(len(cost))
    model.row_lower_ = np.array([low for low, _, _ in rows], np.float64)
    model.row_upper_ = np.full(len(rows), highspy.kHighsInf)
    model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    model.a_matrix_.start_ = np.cumsum([0, *(len(index) for _, index, _ in rows)]).astype(np.int32)
    model.a_matrix_.index_ = np.concatenate([index for _, index, _ in rows]).astype(np.int32)
    model.a_matrix_.value_ = np.concatenate([value for _, _, value in rows])
    solver = highspy.Highs()
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("threads", 1)
    if time_limit_s is not None:
        solver.setOptionValue("time_limit", max(0.01, time_limit_s))
    solver.passModel(model)
    solver.run()
    return _dual_value(model, cost, np.array(solver.getSolution().row_dual)) if solver.getSolution().dual_valid else 0


def _dual_value(model: Any, cost: Any, dual: Any) -> int:
    """The value of a dual solution made feasible: multipliers not below 0, reduced costs below 0 charged to the bound 1
    of their columns."""
    import numpy as np

    dual = np.maximum(dual, 0.0)
    starts, index, value = model.a_matrix_.start_, model.a_matrix_.index_, model.a_matrix_.value_
    lengths = np.diff(np.array(starts, np.int64))
    reduced = cost.copy()
    np.subtract.at(reduced, np.array(index), np.repeat(dual, lengths) * np.array(value))
    total = float(np.dot(dual, np.array(model.row_lower_)) + np.minimum(reduced, 0.0).sum())
    return max(0, int(np.ceil(total * (1 - 1e-9) - 1e-3)))
