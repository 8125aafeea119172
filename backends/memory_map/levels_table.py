"""The table of what left the scratchpad of a plan over more than one level: where it went, and who needed the room."""

from __future__ import annotations

from ...ir.wording import time
from .levels import NEAREST, Absence, Load, Plan, Running, absences, limited_levels, load_of
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
    load, running = load_of(plan, NEAREST), Running(plan)
    rows = [_row(absence, load, limited_levels(plan)[NEAREST], running) for absence in found]
    return "\n".join([*lines, *table(COLUMNS, rows)]) + "\n"


def _row(away: Absence, load: Load, size_bytes: int, running: Running) -> tuple[str, ...]:
    moment, held = load.most(away.left_s, away.back_s)
    lacking = held + away.bytes - size_bytes
    return (
        time(away.left_s),
        shown(running.at(away.left_s * (1 - 1e-9))),
        shown(away.tensor),
        f"{away.bytes:,}",
        shown(" and ".join(away.went)) if away.went else "has a copy",
        time(away.back_s),
        shown(away.came_from),
        shown(running.at(moment)) if lacking > 0 else "nowhere by bytes",
        f"{lacking:,}" if lacking > 0 else "",
    )
