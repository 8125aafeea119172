"""A scratchpad plan to look at: a memory map over time, a trace of compute and DMA, a table of what left and why."""

from __future__ import annotations

import json

from .. import OutputFile
from .occupancy import Plan
from .spills import spills_text
from .svg import memory_svg
from .trace import trace_json

PLAN, MAP, TRACE, SPILLS = "plan.json", "memory.svg", "trace.json", "spills.txt"


def scratchpad_files(plan: Plan, name: str) -> list[OutputFile]:
    """The files of `plan`, the document of `dovetail scratchpad --json`, of the graph `name`."""
    return [
        OutputFile(PLAN, json.dumps(plan, indent=2, ensure_ascii=False) + "\n"),
        OutputFile(MAP, memory_svg(plan, name)),
        OutputFile(TRACE, trace_json(plan)),
        OutputFile(SPILLS, spills_text(plan)),
    ]
