"""A Chrome trace of a scratchpad plan: what computes, what the DMA engine moves, how many bytes are resident.

The JSON array format of the Trace Event Format, with complete events (`X`), counters (`C`) and names (`M`); it opens in
chrome://tracing and in Perfetto. Nothing overlaps, because a plan says nothing of prefetching: a step reloads, then its
operator runs (and moves its tiles), then what leaves after it is written. First loads of inputs and writes of outputs
are compulsory and are not in a plan, nor in its trace.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .occupancy import Plan, load_bytes

Json = dict[str, Any]
STEP_NS = 1_000_000
"""of a step without times: a millisecond, so that step 12 begins at 12 ms"""
QUARTER_NS = STEP_NS // 4
"""for what is reloaded, and as much for what is written; the operator has the half between"""
PROCESS, COMPUTE, DMA = 1, 1, 2


@dataclass(frozen=True)
class Timing:
    """How long things take."""

    operator_s: Mapping[str, float]
    """[s] each operator, by name"""
    bytes_per_s: float
    """between the scratchpad and what is outside"""

    def moving_ns(self, size_bytes: int) -> int:
        """To move that many bytes, in whole nanoseconds."""
        return round(size_bytes / self.bytes_per_s * 1e9)


def trace_json(plan: Plan, timing: Timing | None = None) -> str:
    """
    The text of the trace; equal plans give equal bytes. Ends with a newline.

    Without `timing` every step takes 1 ms and its moves share a quarter of it by their bytes. Raises ValueError for an
    operator without a time, for times below 0 and for no bytes per second.
    """
    if timing is not None:
        _require(plan, timing)
    lines = ",\n".join(json.dumps(event) for event in _events(plan, timing))
    return f"[\n{lines}\n]\n"


def _require(plan: Plan, timing: Timing) -> None:
    for name in plan["order"]:
        if not 0 <= timing.operator_s.get(name, math.nan) < math.inf:
            raise ValueError(f"operator `{name}` has no time of 0 s or more")
    if not 0 < timing.bytes_per_s < math.inf:
        raise ValueError("bytes per second must be above 0")


def _events(plan: Plan, timing: Timing | None) -> Iterator[Json]:
    yield _name("process_name", COMPUTE, "scratchpad")
    yield _name("thread_name", COMPUTE, "compute")
    yield _name("thread_name", DMA, "DMA")
    moves = defaultdict[tuple[int, str], list[Json]](list)
    for move in plan["moves"]:
        moves[move["step"], move["kind"]].append(move)
    tiled = {tile["operator"]: sum(tile["moved"].values()) for tile in plan.get("tiles", ())}
    loads, now_ns = load_bytes(plan), 0
    for step, operator in enumerate(plan["order"]):
        yield {"name": "resident", "ph": "C", "ts": _us(now_ns), "pid": PROCESS, "args": {"bytes": loads[step]}}
        now_ns = yield from _moved(moves[step, "reload"], now_ns, timing)
        runs_ns = 2 * QUARTER_NS if timing is None else round(timing.operator_s[operator] * 1e9)
        yield _complete(operator, "operator", COMPUTE, now_ns, runs_ns, {"step": step, "resident_bytes": loads[step]})
        if tiled.get(operator):
            given = {"step": step, "bytes": tiled[operator]}
            streams_ns = runs_ns if timing is None else timing.moving_ns(tiled[operator])
            yield _complete(f"tiles of {operator}", "stream", DMA, now_ns, streams_ns, given)
            runs_ns = max(runs_ns, streams_ns)
        now_ns = yield from _moved(moves[step, "spill"], now_ns + runs_ns, timing)
    yield {"name": "resident", "ph": "C", "ts": _us(now_ns), "pid": PROCESS, "args": {"bytes": 0}}


def _moved(moves: Sequence[Json], start_ns: int, timing: Timing | None) -> Generator[Json, None, int]:
    """The moves of one kind at one step, one after the other; returns the time at which they are over."""
    total = sum(move["bytes"] for move in moves)
    done = 0
    for move in moves:
        begin_ns = start_ns + _after(done, total, timing)
        done += move["bytes"]
        took_ns = start_ns + _after(done, total, timing) - begin_ns
        given = {"step": move["step"], "tensor": move["tensor"], "bytes": move["bytes"]}
        yield _complete(f"{move['kind']} {move['tensor']}", move["kind"], DMA, begin_ns, took_ns, given)
    return start_ns + (QUARTER_NS if timing is None else timing.moving_ns(total))


def _after(done_bytes: int, total_bytes: int, timing: Timing | None) -> int:
    """[ns] until so many of a step's bytes are moved; in whole numbers, so that neighbours meet and never overlap."""
    if timing is not None:
        return timing.moving_ns(done_bytes)
    return QUARTER_NS * done_bytes // total_bytes if total_bytes else 0


def _complete(name: str, category: str, thread: int, start_ns: int, took_ns: int, given: Json) -> Json:
    where = {"ts": _us(start_ns), "dur": _us(took_ns), "pid": PROCESS, "tid": thread}
    return {"name": name, "cat": category, "ph": "X", **where, "args": given}


def _name(what: str, thread: int, name: str) -> Json:
    return {"name": what, "ph": "M", "pid": PROCESS, "tid": thread, "args": {"name": name}}


def _us(time_ns: int) -> float:
    """Microseconds, the format's unit."""
    return time_ns / 1000
