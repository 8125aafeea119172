"""A plan over more than one level in plain words, for the terminal."""

from __future__ import annotations

from collections import Counter
from typing import Any

from ..ir.wording import memory, time

Json = dict[str, Any]
CLOSE = 1e-6
"""relative difference below which a makespan counts as its bound"""


def hierarchy_text(plan: Json, name: str) -> str:
    """`plan`, the document of `dovetail scratchpad --level .. --json`, of the graph `name`, in words: what crosses each
    border, the makespan, how far both are proved, what the transfers are. Ends with a newline."""
    lines = [f"{name}: {plan['status']} for {plan['objective']}, {len(plan['order']):,} operators", ""]
    width = max(len("to and from"), *(len(border["level"]) for border in plan["borders"]))
    lines.append(f"  {'to and from':<{width}}    compulsory      beyond it  lower bound  gap")
    for border in plan["borders"]:
        figures = (border[f"{what}_bytes"] for what in ("compulsory", "noncompulsory", "lower_bound"))
        shown = "  ".join(f"{memory(figure):>12}" for figure in figures)
        gap = _gap(border["noncompulsory_bytes"], border["lower_bound_bytes"])
        lines.append(f"  {border['level']:<{width}}  {shown}  {gap}")
    computing_s = sum(run["end_s"] - run["start_s"] for run in plan["operators"])
    kinds = Counter(transfer["kind"] for transfer in plan["transfers"])
    makespan_s, fastest_s = plan["makespan_s"], plan["makespan_bound_s"]
    lines += [
        "",
        f"  makespan  {time(makespan_s)}, of which operators run {time(computing_s)}",
        f"  bound     {time(fastest_s)} over all orders and plans, gap {_gap(makespan_s, fastest_s)}; "
        f"{time(plan['schedule_bound_s'])} with these transfers and addresses",
        "  transfers " + (", ".join(f"{count:,} {kind}" for kind, count in sorted(kinds.items())) or "none"),
        "",
        f"planned in {plan['seconds']:.2f} s",
    ]
    return "\n".join(lines) + "\n"


def _gap(value: float, bound: float) -> str:
    """How far a value may be above the least there is, in per cent of it."""
    if value <= bound * (1 + CLOSE):
        return "none: proved"
    return f"{100 * (value - bound) / value:.1f} %"
