"""A Chrome trace of a plan over more than one level: what computes, what each border's DMA moves, what lies where.

The JSON array format of the Trace Event Format, as in `trace.py`. A process for the operators and what the levels hold,
and one for each border, with a lane for each transfer that it carries at a time; a transfer that crosses two borders
stands in both.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from .levels import NEAREST, Plan, lanes, limited_levels, load_of

Json = dict[str, Any]
COMPUTE = 1


def levels_trace_json(plan: Plan) -> str:
    """The text of the trace; equal plans give equal bytes. Ends with a newline."""
    lines = ",\n".join(json.dumps(event) for event in _events(plan))
    return f"[\n{lines}\n]\n"


def _events(plan: Plan) -> Iterator[Json]:
    yield _name("process_name", COMPUTE, 1, "operators")
    yield _name("thread_name", COMPUTE, 1, "compute")
    for step, run in enumerate(plan["operators"]):
        yield _complete(run["operator"], "operator", COMPUTE, 1, run, {"step": step})
    for level in limited_levels(plan):
        load = load_of(plan, level)
        for moment, held in zip(load.times, load.bytes, strict=True):
            what = {"name": f"in {level}", "ph": "C", "ts": _us(moment), "pid": COMPUTE}
            yield {**what, "args": {"bytes": held}}
    ranks = {NEAREST: 0} | {border["level"]: i for i, border in enumerate(plan["borders"], 1)}
    for process, border in enumerate(plan["borders"], COMPUTE + 1):
        crossing = [x for x in plan["transfers"] if _crosses(x, ranks, ranks[border["level"]])]
        yield _name("process_name", process, 1, f"DMA to and from {border['level']}")
        for lane in sorted(set(lanes(crossing))):
            yield _name("thread_name", process, lane + 1, f"channel {lane + 1}")
        for x, lane in zip(crossing, lanes(crossing), strict=True):
            given = {"tensor": x["tensor"], "bytes": x["bytes"], "from": x["source"], "to": ", ".join(x["targets"])}
            yield _complete(f"{x['kind']} {x['tensor']}", x["kind"], process, lane + 1, x, given)


def _crosses(transfer: Mapping[str, Any], ranks: Mapping[str, int], border: int) -> bool:
    ends = [ranks[name] for name in (transfer["source"], *transfer["targets"])]
    return min(ends) < border <= max(ends)


def _complete(name: str, category: str, process: int, thread: int, span: Mapping[str, Any], given: Json) -> Json:
    start, end = _ns(span["start_s"]), _ns(span["end_s"])
    where = {"ts": start / 1000, "dur": (end - start) / 1000, "pid": process, "tid": thread}
    return {"name": name, "cat": category, "ph": "X", **where, "args": given}


def _name(what: str, process: int, thread: int, name: str) -> Json:
    return {"name": what, "ph": "M", "pid": process, "tid": thread, "args": {"name": name}}


def _ns(seconds: float) -> int:
    """Whole nanoseconds, so that what follows each other meets and never overlaps."""
    return round(seconds * 1e9)


def _us(seconds: float) -> float:
    """Microseconds, the format's unit."""
    return _ns(seconds) / 1000
