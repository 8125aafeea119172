"""What is raised where there is no plan: why, and the document that says so."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...ir.diagnostics import Diagnostic, Infeasible
from ...ir.read.fleet import FleetFile
from ...ir.read.graph import GraphFile
from ..placement.result import PlacementResult
from ..posing.pose import Posed
from ..record.plan import unsolved_document
from ..robust.faults import nothing_holds
from .infeasible import infeasible_diagnostics
from .leave_out import left_out, with_advice

NOT_IN_TIME = "no plan was found in the time given, and none was excluded"


def no_plan(
    posed: Posed,
    result: PlacementResult,
    files: tuple[GraphFile, FleetFile],
    version: str,
    time_limit_s: float | None,
    over: Mapping[str, Any],
    base_dir: Path,
) -> Infeasible:
    """Why there is no plan; `over` is what `over_ranges` found where there are ranges, else empty.

    Paths in the graph are relative to `base_dir`.
    """
    graph, fleet = files
    places = (graph.sources, fleet.sources)
    if result.status == "unknown":
        faults = [Diagnostic("time", NOT_IN_TIME, help="give more with `--time-limit`")]
    else:
        faults = infeasible_diagnostics(
            posed.setting, posed.works, posed.problem, posed.anew, result, *places, time_limit_s
        )
    if over and result.status == "infeasible":
        faults.append(nothing_holds(over["nominal"], result.unit, graph.ranges, fleet.ranges, places))
    document = unsolved_document(result, posed.inputs, version)
    if result.status == "infeasible" and "graphs" in graph.document:
        left_s = math.inf if time_limit_s is None else max(0.0, time_limit_s - result.stats.seconds)
        less = left_out(graph.document, fleet, base_dir, posed.goal, left_s)
        if less is not None:
            document["leave_out"] = list(less.graphs)
            faults = with_advice(faults, less, result.unit)
    return Infeasible(faults, result.conflict, document)
