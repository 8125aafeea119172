"""What becomes of the replicas that ran before a plan, for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..ir.wording import counted, data, dollars, number, time
from .summary import Table

Json = Mapping[str, Any]


def migration_sentence(plan: Json) -> str:
    """What moves and what that costs, in one or two sentences; nothing for a plan that replaces none."""
    found = plan.get("migration")
    if found is None:
        return ""
    lost = sum((plan["inputs"]["previous"].get("lost") or {}).values())
    gone = f"{counted(lost, 'replica')} lost; of the others, " if lost else "Of the plan before, "
    parts = [f"{counted(found['kept'], 'replica')} kept"]
    if found["started"]:
        loaded = f" ({data(found['bytes'])} to load, ready after {time(found['seconds'])})" if found["bytes"] else ""
        parts.append(f"{found['started']} brought up{loaded}")
    if found["stopped"]:
        parts.append(f"{found['stopped']} brought down")
    text = f"{gone}{', '.join(parts)}."
    if found["usd"]:
        text += f" That costs {dollars(found['usd'])} USD once, {dollars(found['usd_per_hour'])} USD/h over "
        text += f"{time(found['over_s'])}."
    if found["requests_late"]:
        text += f" Old and new do not fit side by side: {number(found['requests_late'])} requests are late, at most."
    return text


def migration_table(plan: Json) -> Table:
    """What changes, by kind of replica; no rows where nothing does."""
    rows = [
        (
            row["model"] or "small work",
            f"{row['device']}{_cut(row)}",
            "" if row["role"] == "run" else str(ROLES.get(row["role"], row["role"])),
            *(str(row[name]) if row[name] else "" for name in ("kept", "started", "stopped")),
            data(row["bytes"]) if row["bytes"] else "",
            time(row["seconds"]) if row["seconds"] else "",
        )
        for row in (plan.get("migration") or {}).get("replicas", ())
        if row["started"] or row["stopped"]
    ]
    columns = ("model", "on", "for", "kept", "brought up", "brought down", "to load", "ready after")
    return Table("What changes", columns, tuple(rows), frozenset(columns[3:]))


ROLES = {"both": "prefill and decode"}


def _cut(row: Json) -> str:
    degrees = ", ".join(f"{name} {n}" for name, n in row["parallel"].items() if n > 1)
    return f" ({degrees})" if degrees else ""
