"""The table of what left the scratchpad, and why: who needed the room, and what lay there instead."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from ...ir.wording import memory, named
from .occupancy import Buffer, Departure, Plan, departures, load_bytes, residents, shown

SHOWN_RESIDENTS = 3
COLUMNS = ("leaves after", "tensor", "bytes", "way out", "wanted at", "no room at", "lacking", "what lies there")
NUMERIC = ("bytes", "lacking", "leaves at", "back at")


@dataclass(frozen=True)
class Reason:
    """Why a tensor was not kept between two uses."""

    departure: Departure
    tightest: int | None
    """the fullest step while it is away, the first of equals; None where it is back at once"""
    lacking_bytes: int
    """by which the scratchpad would overflow there had it stayed; not above 0 where the bytes alone would fit"""
    others: tuple[Buffer, ...]
    """all that is resident at that step, the largest first"""
    free_offset: int | None
    """an address from which enough bytes stay free all the while it is away"""


def reasons(plan: Plan, found: Sequence[Departure] | None = None) -> list[Reason]:
    """A reason for each departure, or for each of `found`, by the step at which the tensor leaves."""
    loads, found = load_bytes(plan), departures(plan) if found is None else found
    tightest = [_tightest(loads, departure) for departure in found]
    others = residents(plan, {step for step in tightest if step is not None})
    nearby = _Nearby(plan, found)
    given = []
    for departure, step in zip(found, tightest, strict=True):
        if step is None:
            given.append(Reason(departure, None, 0, (), None))
        else:
            lacking = loads[step] + departure.bytes - plan["size_bytes"]
            offset = None if lacking > 0 else _free_offset(nearby.of(departure), plan["size_bytes"], departure.bytes)
            given.append(Reason(departure, step, lacking, tuple(others[step]), offset))
    return given


def _tightest(loads: Sequence[int], departure: Departure) -> int | None:
    first = departure.left + 1
    between = loads[first : departure.back]
    return first + between.index(max(between)) if between else None


class _Nearby:
    """The buffers that lie in the scratchpad at some step while a tensor is away."""

    def __init__(self, plan: Plan, found: Sequence[Departure]) -> None:
        self.at = residents(plan, {departure.left + 1 for departure in found})
        self.starting: dict[int, list[Buffer]] = defaultdict(list)
        for buffer in plan["buffers"]:
            self.starting[buffer["start"]].append(buffer)

    def of(self, away: Departure) -> list[Buffer]:
        later = (buffer for step in range(away.left + 2, away.back) for buffer in self.starting.get(step, ()))
        return [*self.at[away.left + 1], *later]


def _free_offset(there: Sequence[Buffer], size_bytes: int, wanted_bytes: int) -> int | None:
    """The lowest address from which so many bytes are free of all buffers `there`."""
    end = 0
    for buffer in sorted(there, key=lambda b: b["offset"]):
        if buffer["offset"] - end >= wanted_bytes:
            return end
        end = max(end, buffer["offset"] + buffer["bytes"])
    return end if size_bytes - end >= wanted_bytes else None


def spills_text(plan: Plan) -> str:
    """One row for each tensor that leaves and comes back. Ends with a newline."""
    found = reasons(plan)
    lines = [
        "Each tensor that leaves the scratchpad and is wanted again. `no room at` is the fullest step while it is",
        "away, `lacking` the bytes by which it would overflow there had the tensor stayed. What is `written` goes out",
        "once; of the rest there is a copy outside, or will be.",
        "",
    ]
    rows = [_row(plan, reason) for reason in found]
    lines = [*lines, *table(COLUMNS, rows)] if rows else ["Nothing leaves the scratchpad before its last use."]
    return "\n".join([*lines, *_others(plan, found)]) + "\n"


def spill_lines(plan: Plan, most: int) -> list[str]:
    """The table of the `most` departures that move most bytes, less what lies there; empty where nothing leaves."""
    found = sorted(departures(plan), key=lambda d: (-d.moved_bytes, d.left, d.tensor))
    rows = reasons(plan, sorted(found[:most], key=lambda d: (d.left, d.tensor)))
    more = [f"and {len(found) - most:,} more"] if len(found) > most else []
    return [*table(COLUMNS[:-1], [_row(plan, reason)[:-1] for reason in rows]), *more] if rows else []


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows under their columns, each as wide as its longest cell."""
    cells = [columns, *rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
    sides = [">" if name in NUMERIC else "<" for name in columns]
    return ["  ".join(f"{c:{s}{w}}" for c, s, w in zip(row, sides, widths, strict=True)).rstrip() for row in cells]


def _row(plan: Plan, reason: Reason) -> tuple[str, ...]:
    away = reason.departure
    room, lacking = _why(plan, reason)
    return (
        _step(plan, away.left),
        shown(away.tensor),
        f"{away.bytes:,}",
        "written" if away.is_written else "copy outside",
        _step(plan, away.back),
        room,
        lacking,
        _listed(reason.others),
    )


def _why(plan: Plan, reason: Reason) -> tuple[str, str]:
    """Where there was no room, and the bytes that were lacking, in words."""
    if reason.tightest is None:
        return "nowhere: it is back at once, at another address", ""
    if reason.free_offset is not None:
        return f"nowhere: enough is free from address {reason.free_offset:,}", ""
    if reason.lacking_bytes <= 0:
        return "nowhere by bytes: no range of addresses stays free", ""
    return _step(plan, reason.tightest), f"{reason.lacking_bytes:,}"


def _step(plan: Plan, step: int) -> str:
    """A step and its operator: `12 conv_3`."""
    return f"{step} {shown(plan['order'][step])}"


def _listed(others: Sequence[Buffer]) -> str:
    return named([f"{shown(b['tensor'])} {b['bytes']:,}" for b in others], SHOWN_RESIDENTS)


def _others(plan: Plan, found: Sequence[Reason]) -> list[str]:
    """Moves of tensors that operators in tiles stream from and to the outside: no buffer ends or is filled again."""
    written = {reason.departure.tensor for reason in found if reason.departure.is_written}
    back = {(reason.departure.tensor, reason.departure.back) for reason in found}
    lines = []
    for move in plan["moves"]:
        if move["kind"] == "spill" and move["tensor"] not in written:
            what = "is written, for tiles to read"
        elif move["kind"] == "reload" and (move["tensor"], move["step"]) not in back:
            what = "is loaded, after tiles wrote it"
        else:
            continue
        where = _step(plan, move["step"])
        lines.append(f"at {where}: {shown(move['tensor'])} {what}: {memory(move['bytes'])}")
    return ["", "For operators in tiles:", *lines] if lines else []
