"""What is raised where there is no plan: why, and the document that says so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..ir.diagnostics import Infeasible
from ..ir.read.fleet import FleetFile
from ..ir.read.graph import GraphFile
from .infeasible import infeasible_diagnostics
from .placement.result import PlacementResult
from .plan import unsolved_document
from .pose import Posed
from .robust.faults import nothing_holds


def no_plan(
    posed: Posed,
    result: PlacementResult,
    files: tuple[GraphFile, FleetFile],
    version: str,
    time_limit_s: float | None,
    over: Mapping[str, Any],
) -> Infeasible:
    """Why there is no plan; `over` is what `over_ranges` found where there are ranges, else empty."""
    graph, fleet = files
    places = (graph.sources, fleet.sources)
    faults = infeasible_diagnostics(posed.setting, posed.problem, result, *places, time_limit_s)
    if over and result.status == "infeasible":
        faults.append(nothing_holds(over["nominal"], result.unit, graph.ranges, fleet.ranges, places))
    return Infeasible(faults, result.conflict, unsolved_document(result, posed.inputs, version))
