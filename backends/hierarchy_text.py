"""A plan over more than one level in plain words, for the terminal."""

from __future__ import annotations

from collections import Counter
from typing import Any

from .wording import memory, time

Json = dict[str, Any]


def hierarchy_text(plan: Json, name: str) -> str:
    """`plan`, the document of `dovetail scratchpad --level .. --json`, of the graph `name`, in words: what crosses each
    border and how far that is proved, the makespan with its bounds, what the transfers are. Ends with a newline."""
    lines = [f"{name}: {plan['status']} for {plan['objective']}, {len(plan['order']):,} operators", ""]
    width = max(len("to and from"), *(len(border["level"]) for border in plan["borders"]))
    lines.append(f"  {'to and from':<{width}}    compulsory      beyond it  lower bound")
    for border in plan["borders"]:
        figures = (border[f"{what}_bytes"] for what in ("compulsory", "noncompulsory", "lower_bound"))
        lines.append(f"  {border['level']:<{width}}  " + "  ".join(f"{memory(figure):>12}" for figure in figures))
    computing_s = sum(run["end_s"] - run["start_s"] for run in plan["operators"])
    kinds = Counter(transfer["kind"] for transfer in plan["transfers"])
    lines += [
        "",
        f"  makespan  {time(plan['makespan_s'])}, of which operators run {time(computing_s)}",
        f"  bound     {time(plan['makespan_bound_s'])} over all orders and plans, "
        f"{time(plan['schedule_bound_s'])} with these transfers and addresses",
        "  transfers " + (", ".join(f"{count:,} {kind}" for kind, count in sorted(kinds.items())) or "none"),
        "",
        f"planned in {plan['seconds']:.2f} s",
    ]
    return "\n".join(lines) + "\n"
