"""The table of what left the scratchpad of a plan over more than one level: where it went, and who needed the room."""

from __future__ import annotations

from ..wording import time
from .levels import NEAREST, Absence, Plan, absences, limited_levels, load_of, operator_at
from .occupancy import shown
from .spills import table

COLUMNS = ("leaves at", "after", "tensor", "bytes", "goes to", "back at", "from", "no room at", "lacking")


def levels_spills_text(plan: Plan) -> str:
    """One row for each tensor that leaves the scratchpad and comes back. Ends with a newline."""
    found = absences(plan)
    if not found:
        return "Nothing leaves the scratchpad before its last use.\n"
    lines = [
        "Each tensor that leaves the scratchpad and is wanted again. `no room at` is the operator that runs at the",
        "fullest moment while it is away, `lacking` the bytes by which it would overflow then had the tensor stayed.",
        "",
    ]
    return "\n".join([*lines, *table(COLUMNS, [_row(plan, absence) for absence in found])]) + "\n"


def _row(plan: Plan, away: Absence) -> tuple[str, ...]:
    moment, held = load_of(plan, NEAREST).most(away.left_s, away.back_s)
    lacking = held + away.bytes - limited_levels(plan)[NEAREST]
    return (
        time(away.left_s),
        shown(operator_at(plan, away.left_s * (1 - 1e-9))),
        shown(away.tensor),
        f"{away.bytes:,}",
        shown(" and ".join(away.went)) if away.went else "has a copy",
        time(away.back_s),
        shown(away.came_from),
        shown(operator_at(plan, moment)) if lacking > 0 else "nowhere by bytes",
        f"{lacking:,}" if lacking > 0 else "",
    )
