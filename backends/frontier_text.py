"""The frontier of two objectives for people: a table of its plans, and a picture of their values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..ir.wording import number, time
from .summary import Table
from .text import table_text

Json = Mapping[str, Any]
WIDTH, HEIGHT = 60, 14
"""The picture in characters, its axes left out."""
WORDS = {
    "cost": "cost",
    "latency": "mean end to end",
    "energy": "energy",
    "carbon": "carbon",
    "throughput": "requests per second",
    "tokens_per_usd": "tokens per USD",
}


def frontier_text(found: Json) -> str:
    """A sentence, the table and the picture; ends with a newline."""
    points, units = found["points"], found["units"]
    first, second = (WORDS[name] for name in found["objectives"])
    plans = "plan" if len(points) == 1 else "plans"
    whole = "all there are" if found["complete"] else "more may lie between"
    head = f"{found['name']}: {len(points)} {plans} on the frontier of {first} and {second}, {whole}\n"
    has_gaps = any(point["status"] != "optimal" for point in points)
    columns = ("plan", first, second, *(["gap"] if has_gaps else []), "devices")
    rows = tuple(
        (
            f"{index:02d}",
            *(_shown(value, unit) for value, unit in zip(point["values"], units, strict=True)),
            *([_gap(point["gap"])] if has_gaps else []),
            ", ".join(f"{count} x {name}" for name, count in point["devices"].items() if count) or "hosted",
        )
        for index, point in enumerate(points, 1)
    )
    table = table_text(Table("Plans, none better than another in both", columns, rows, frozenset(columns[1:-1])))
    return "\n".join([head, table, *([picture(found)] if len(points) > 1 else [])])


def _gap(share: float | None) -> str:
    """What a plan may be over the best of its kind, as a share of what it comes to."""
    return "unknown" if share is None else f"{100 * share:.2g} %"


def _shown(value: float, unit: str) -> str:
    return time(value) if unit == "s" else f"{number(value)} {unit}"


def picture(found: Json) -> str:
    """The first objective to the right, the second upwards; `*` is a plan."""
    points, units = found["points"], found["units"]
    ends = [(min(p["values"][i] for p in points), max(p["values"][i] for p in points)) for i in (0, 1)]
    rows = [[" "] * WIDTH for _ in range(HEIGHT)]
    for point in points:
        x, y = (
            round((value - low) / (high - low or 1.0) * (size - 1))
            for value, (low, high), size in zip(point["values"], ends, (WIDTH, HEIGHT), strict=True)
        )
        rows[HEIGHT - 1 - y][x] = "*"
    low, high = (_shown(end, units[1]) for end in ends[1])
    margin = max(len(low), len(high))
    marks = [high, *[""] * (HEIGHT - 2), low]
    lines = [f"  {mark:>{margin}} |{''.join(row).rstrip()}" for mark, row in zip(marks, rows, strict=True)]
    left, right = (_shown(end, units[0]) for end in ends[0])
    foot = f"  {'':>{margin}}  {left}{right:>{WIDTH - len(left)}}"
    return "\n".join([*lines, f"  {'':>{margin}} +{'-' * WIDTH}", foot]) + "\n"
