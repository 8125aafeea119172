"""Which of equally good plans is taken: the best answers first, then the second objective."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from ..search.clock import TimeUp
from ..search.engine import run
from .objective import second_objective
from .quality import mean_quality, quality, quality_weights
from .variables import Expr

if TYPE_CHECKING:
    from ..search.rounds import Search

EQUAL = 1e-9
"""Relative difference up to which two plans count as equally good."""


def break_ties(search: Search) -> None:
    """Among equally good plans take that of the best answers, then the best by the second objective, in the time."""
    with suppress(TimeUp):
        if search.best is not None:
            _break_ties(search)


def _break_ties(search: Search) -> None:
    assert search.m.objective is not None
    slack = EQUAL * max(1.0, abs(search.value / search.unit))
    search.m.addConstraint(search.m.objective <= search.value / search.unit + slack, "equally_good")
    weights = quality_weights(search.p)
    if weights:
        answers = quality(search.v, weights)
        if not _best_of_equals(search, -answers):
            return
        least = mean_quality(search.p, search.plan) or 0.0
        search.m.addConstraint(answers >= least * (1 - EQUAL), "equal_answers")
    _best_of_equals(search, second_objective(search.p, search.v, search.books.p.options))


def _best_of_equals(search: Search, objective: Expr) -> bool:
    """Take the plan with the least `objective` among those that are as good; whether one was found in the time."""
    search.m.setObjective(objective)
    while not search.clock.over and not search.interrupted:
        out = run(search.m, search.v, search.solver, search.clock.left)
        if out.interrupted:
            search.stop()
        if out.status != "optimal" or not out.plans:
            return False
        if search.admit(out.plans[0]):
            value = search.objective(out.plans[0])
            if value <= search.value + EQUAL * 10 * max(abs(search.value), search.unit):
                search.best, search.value = out.plans[0], value
            return True
    return False
