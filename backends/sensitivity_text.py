"""What a plan rests on, as rows of words: each input that matters, wrong both ways, and the guesses by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..ir.wording import counted, dollars, time
from .summary import Table

Json = Mapping[str, Any]
MOST_ROWS = 25
"""Inputs that are shown; plan.json has all of them."""
MARKS = {"measured": "measured", "fitted": "fitted", "data_sheet": "given", "guess": "guess"}


def sensitivity_table(found: Json) -> Table:
    """The inputs that matter, what costs most to have wrong first."""
    percent = f"{100 * found['off']:g} %"
    columns = ("input", "known as", f"{percent} lower", "best then", f"{percent} higher", "best then ")
    rows = tuple(
        (row["input"], MARKS[row["quality"]], *_cells(row["lower"], found), *_cells(row["higher"], found))
        for row in found["rows"][:MOST_ROWS]
    )
    more = len(found["rows"]) - len(rows)
    unit = "seconds end to end on average" if found["unit"] == "s" else found["unit"]
    note = f"{unit}: of this plan as it is, and of the best plan; = : the same plan is best"
    if more > 0:
        note += f"; {more} more in plan.json"
    return Table("If an input is off", columns, rows, note=note)


def _cells(case: Json, found: Json) -> tuple[str, str]:
    same = "-" if case["same_plan"] is None else _value(case["same_plan"], found)
    if case["broken"]:
        same += f" breaks {', '.join(case['broken'])}"
    if case["best"] is None:
        return same, "no plan"
    return same, _best(case, found) if case["changed"] else "="


def _best(case: Json, found: Json) -> str:
    taken: dict[str, int] = {}
    for pool in case["choice"]:
        taken[pool["device"]] = taken.get(pool["device"], 0) + pool["devices"]
    words = (f"{count} x {device}" if count else device for device, count in sorted(taken.items()))
    return f"{_value(case['best'], found)}: {', '.join(words)}"


def _value(value: float, found: Json) -> str:
    return time(value) if found["unit"] == "s" else dollars(value)


def guesses(found: Json) -> list[str]:
    """Guessed inputs of what the plan uses, those that move it first."""
    ranked = sorted(found["guesses"], key=lambda guess: not guess["matters"])
    words = {True: "", False: " (moves nothing)", None: " (not reached)"}
    return [f"{guess['input']}: {guess['source']}{words[guess['matters']]}" for guess in ranked]


def studied(found: Json) -> str:
    """How far the study came, and how many inputs change nothing."""
    idle = found["studied"] - len(found["rows"])
    off = f"when {'it is' if idle == 1 else 'they are'} {100 * found['off']:g} % off"
    told = f"{idle} of {counted(found['studied'], 'input')} change{'s' if idle == 1 else ''} nothing {off}"
    left = found["inputs"] - found["studied"]
    return told + (f"; {left} {'was' if left == 1 else 'were'} not reached in the time" if left else "") + "."
