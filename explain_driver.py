"""The explain driver: why a plan in a file is as it is, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .check_driver import read_plan
from .driver import Json, Progress, Where
from .ir.diagnostics import Diagnostic, InputError


@dataclass(frozen=True)
class Explained:
    """`explanation` of a plan, or `conflict` and `ways_out` where there is none."""

    document: Json

    def to_text(self) -> str:
        """The explanation for people."""
        from .backends.explanation_text import conflict_lines, explanation_lines

        lines = conflict_lines(self.document) if "ways_out" in self.document else explanation_lines(self.document)
        return "".join(f"{line}\n" for line in lines)


def explain(
    file: Where, time_limit_s: float | None = None, solver: str = "highs", on_progress: Progress | None = None
) -> Explained:
    """What binds the plan in `file` (plan.json, or its folder), the next-best plan, why devices are not used.

    Of a document without a plan: the conflict, and what was checked to end it, the cheapest first. InputError where
    the file cannot be read, or is no plan that can be explained.
    """
    document = read_plan(Path(file))
    from .planner.answers.explanation import Explanation, explain_conflict
    from .planner.check import check_plan

    faults = check_plan(document)
    if faults:
        message = f"`{file}` is no sound plan: {faults[0].message}"
        raise InputError([Diagnostic("plan", message, help="`dovetail check` lists its faults; plan again")])
    if document["status"] in ("infeasible", "unknown"):
        return Explained(explain_conflict(document, time_limit_s))
    return Explained(Explanation(document, time_limit_s, solver).run(on_progress))
