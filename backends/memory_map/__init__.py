"""A scratchpad plan to look at: a memory map over time, a trace of compute and DMA, a table of what left and why."""

from __future__ import annotations

import json

from .. import OutputFile
from .levels_svg import levels_svg
from .levels_table import levels_spills_text
from .levels_trace import levels_trace_json
from .occupancy import Plan
from .spills import spills_text
from .svg import memory_svg
from .trace import trace_json

PLAN, MAP, TRACE, SPILLS = "plan.json", "memory.svg", "trace.json", "spills.txt"


def scratchpad_files(plan: Plan, name: str) -> list[OutputFile]:
    """The files of `plan`, the document of `dovetail scratchpad --json` of the graph `name`, with levels or not."""
    if "transfers" in plan:
        picture, trace, spills = levels_svg(plan, name), levels_trace_json(plan), levels_spills_text(plan)
    else:
        picture, trace, spills = memory_svg(plan, name), trace_json(plan), spills_text(plan)
    return [
        OutputFile(PLAN, json.dumps(plan, indent=2, ensure_ascii=False) + "\n"),
        OutputFile(MAP, picture),
        OutputFile(TRACE, trace),
        OutputFile(SPILLS, spills),
    ]
