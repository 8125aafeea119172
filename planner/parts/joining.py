"""Plans of parts as one plan of the whole graph, judged by what bounds the parts together."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from ..candidates.least_prices import Candidates
from ..candidates.setting import Setting
from ..placement.problem import PlacementProblem
from ..placement.search.clock import Clock, TimeUp
from ..placement.search.engine import Plan
from ..placement.search.rounds import Known, Search
from ..placement.times.judge import Judge
from .alone.part import joined
from .alone.part_search import PartSearch

JUDGING_S = 5.0
"""Time for judging the plan of all parts where none is left [s]."""


@dataclass(frozen=True)
class Joined:
    """A plan of all parts."""

    search: Search
    sets: Sequence[Candidates]
    """the pools that were looked at, in sets that may overlap"""

    @property
    def value(self) -> float:
        """What it costs [USD/h]."""
        return self.search.value


@dataclass(frozen=True)
class Joining:
    """What parts are put together to."""

    setting: Setting
    whole: PlacementProblem
    """the frame: without pools"""
    solver: str

    def problem(self, sets: Sequence[Candidates]) -> PlacementProblem:
        """Of all pieces, with the pools of several sets; one that several of them have takes the pieces of all."""
        return joined(self.setting, self.whole, sets)

    def judged(self, sets: Sequence[Candidates], plan: Plan, least: float, clock: Clock) -> Joined | None:
        """A plan with pools of these sets; None where it breaks what bounds all parts together.

        `least` is what no plan costs less than [USD/h].
        """
        problem = self.problem(taken(sets, plan))
        clock = Clock(JUDGING_S) if clock.over else clock  # what was found is not to be lost
        with suppress(TimeUp):
            # Of one plan latencies need no rows: they are judged exactly.
            rows = replace(problem, bounds=tuple(b for b in problem.bounds if b.node is not None))
            search = Search(rows, self.solver, clock, known=Known(bound=least))
            if search.has_one(Judge(problem, problem.options, None, clock)):
                return Joined(search, sets)
        return None


def plan_of(parts: Sequence[PartSearch]) -> Plan:
    """The plans of all parts."""
    return {piece: pool for each in parts for piece, pool in each.plan.items()}


def taken(sets: Sequence[Candidates], plan: Plan) -> list[Candidates]:
    """Of each set the pools of a plan, with what is in them."""
    own = ([(g, tuple(o for o in options if plan[o.piece] == g.id)) for g, options in each] for each in sets)
    return [[(g, options) for g, options in each if options] for each in own]
