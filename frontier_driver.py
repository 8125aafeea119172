"""The frontier driver: plans of a graph on a fleet that trade two objectives against each other."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .driver import Json, Plan, Progress, Where, plan_document_of, plan_files, read_graph_and_fleet, with_catalogue
from .ir.diagnostics import Diagnostic, Infeasible
from .version import VERSION

if TYPE_CHECKING:
    from .planner.answers.frontier import Found
    from .planner.placement.result import PlacementResult
    from .planner.placement.search.throughput import Throughput
    from .planner.posing.pose import Posed


@dataclass(frozen=True)
class Pareto:
    """Plans none of which is better than another in both objectives."""

    found: Found
    base_dir: Path

    @property
    def plans(self) -> list[Plan]:
        """The best by the first objective first."""
        return [Plan(document, self.base_dir) for document in self.found.plans]

    @property
    def complete(self) -> bool:
        """No plan of the frontier is missing."""
        return self.found.complete

    def to_json(self) -> str:
        """The frontier with all of its plans."""
        document = self.found.document()
        for point, plan in zip(document["points"], self.found.plans, strict=True):
            point["plan"] = plan
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"

    def to_text(self) -> str:
        """A table and a picture for people."""
        from .backends.frontier_text import frontier_text

        return frontier_text(self.found.document())

    def write(self, folder: Where, force: bool = False) -> Path:
        """A folder for each plan (`01`, ...), as `Plan.write` fills it, and `frontier.json` and `frontier.txt`."""
        from .backends import EmitContext, OutputFile, emit_all
        from .backends.writer import write_folder

        index, context = self.found.document(), EmitContext(self.base_dir)
        files = [OutputFile("frontier.txt", self.to_text())]
        for number, (point, plan) in enumerate(zip(index["points"], self.plans, strict=True), 1):
            point["folder"] = f"{number:02d}"
            own = [OutputFile("plan.json", plan.to_json()), *emit_all(plan.document, context)]
            files += [OutputFile(f"{number:02d}/{file.path}", file.content) for file in own]
        text = json.dumps(index, indent=2, ensure_ascii=False) + "\n"
        return write_folder([OutputFile("frontier.json", text), *files], Path(folder), force)


def pareto(
    *graphs: Where,
    objectives: str = "cost,latency",
    fleet: Where | None = None,
    time_limit_s: float | None = None,
    solver: str = "highs",
    on_progress: Progress | None = None,
    sizes: Mapping[str, int] | None = None,
    catalogue: Where | None = None,
) -> Pareto:
    """The frontier of two objectives; the other arguments are those of `driver.plan`.

    Where time is up or the user interrupts it has the points found by then. InputError for what is wrong in the files
    or in `objectives`; Infeasible where no plan exists, or none was found in the time.
    """
    from .planner.answers.frontier import axes_of, find
    from .planner.placement.search.clock import Clock
    from .planner.posing.pose import pose

    axes = axes_of(objectives)
    with with_catalogue(catalogue):
        clock = Clock(time_limit_s)
        graph_file, fleet_file, base_dir = read_graph_and_fleet(graphs, fleet, sizes or {})
        posed = pose(graph_file, fleet_file, base_dir, axes[0], axes[1])

        if "throughput" in axes:
            from .planner.answers.most import refuse_unless_bounded

            refuse_unless_bounded(posed, graph_file.sources)

        def document(asked: Posed, result: PlacementResult, served: Throughput | None) -> Json:
            return plan_document_of(asked, result, graph_file.warnings, served)

        found = find(posed, axes, clock, solver, document, on_progress=on_progress)
        if found.infeasible:
            again = read_graph_and_fleet(graphs, fleet, sizes or {})
            plan_files(*again, axes[0], clock.left, solver, on_progress)  # which says why
        if not found.plans and clock.stopped:
            raise KeyboardInterrupt("no point of the frontier is known yet")
        if not found.plans:
            raise _nothing_found(posed)
    return Pareto(found, base_dir)


def _nothing_found(posed: Posed) -> Infeasible:
    from .planner.placement.result import PlacementResult
    from .planner.record.plan import unsolved_document

    message = "no point of the frontier was found in the time given, and none was excluded"
    fault = Diagnostic("time", message, help="give more with `--time-limit`")
    return Infeasible([fault], (), unsolved_document(PlacementResult("unknown"), posed.inputs, VERSION))
