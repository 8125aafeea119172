"""Budgets that a small problem is solved under, one after the other, until one has a plan: most options are too dear.

What no plan under a budget takes, (21), is left out before the model is written. A plan that keeps the budget is then
the best of all, and where none does the budget is a bound.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from ..problem import PlacementProblem
from .cutoff import Rises
from .presolve import without_hopeless

FEW_OPTIONS = 100
"""Options that the first budget leaves at least; it leaves no others than those that are as dear as these."""
TIMES = 4
"""So many times as many are left by the next."""


def budgets(p: PlacementProblem) -> Iterator[float]:
    """Costs [USD/h, or USD/request] under which few options stay, then more; none where few are left anyhow."""
    hopeful = without_hopeless(p) if p.objective == "cost" else None
    if hopeful is not None and {o.piece for o in hopeful.options} == {q.id for q in p.pieces}:
        rises = Rises(hopeful)
        excess = sorted(map(rises.of, hopeful.options))
        few = FEW_OPTIONS
        while few * TIMES <= len(excess) and excess[few] < math.inf:
            yield rises.least.whole + excess[few]
            few *= TIMES
