"""Too small a fleet for all graphs: which to leave out, those of the lowest priorities first, so that the rest fit."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...ir.diagnostics import Diagnostic, InputError
from ...ir.read.fleet import FleetFile
from ...ir.read.graph import parse_graph
from ..placement.search.clock import Clock
from ..placement.search.solve import objective_within
from ..posing.pose import pose
from .relaxations import TRIALS_S


@dataclass(frozen=True)
class LeftOut:
    """What has a plan when some graphs are left out."""

    graphs: tuple[str, ...]
    value: float
    """Objective of the best plan of the rest."""

    def advice(self, unit: str) -> str:
        """In words."""
        names = " and ".join(f"`{name}`" for name in self.graphs)
        return f"without {names} the other graphs have a plan at {self.value:.4g} {unit}"


def left_out(
    document: Mapping[str, Any],
    fleet: FleetFile,
    base_dir: Path,
    objective: str | None = None,
    left_s: float = math.inf,
) -> LeftOut | None:
    """(49) The graphs to leave out of a joined document; None where it is none, no graph has a plan, or time ends.

    A graph is kept where those kept before it have a plan with it, from the highest priority down and, within one, in
    the order given. So no graph is left out for one of lower priority, whatever that would save.
    """
    graphs: Mapping[str, Any] = document.get("graphs") or {}
    order = sorted(graphs, key=lambda name: -graphs[name].get("priority", 0))
    clock, kept, value = Clock(min(TRIALS_S, left_s)), list[str](), None
    for name in order:
        if clock.over:
            return None
        found = _least([*kept, name], graphs, fleet, base_dir, objective, clock)
        if found is not None:
            kept, value = [*kept, name], found
    if value is None or len(kept) == len(graphs):
        return None
    return LeftOut(tuple(name for name in graphs if name not in kept), value)


def _least(
    names: Sequence[str],
    graphs: Mapping[str, Any],
    fleet: FleetFile,
    base_dir: Path,
    objective: str | None,
    clock: Clock,
) -> float | None:
    """Objective of the best plan of some of the graphs, in their own order; None where there is none."""
    some = {"version": 1, "name": "some", "graphs": {name: graph for name, graph in graphs.items() if name in names}}
    try:
        posed = pose(parse_graph(some, base=base_dir), fleet, base_dir, objective)
    except InputError:
        return None
    ways = posed.split_choices
    found = (objective_within(posed.at_splits(way).problem, clock.left) for way in ways)
    return min((value for value in found if value is not None), default=None)


def with_advice(faults: Sequence[Diagnostic], found: LeftOut | None, unit: str) -> list[Diagnostic]:
    """The errors of an infeasible problem, the last with the graphs to leave out in its help."""
    if found is None:
        return list(faults)
    said = found.advice(unit)
    help = f"{faults[-1].help}; {said}" if faults[-1].help else said
    return [*faults[:-1], replace(faults[-1], help=help)]
