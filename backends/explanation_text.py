"""Why a plan is as it is, for people: what binds, the next-best plan, devices that are not used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..ir.wording import dollars, number, time
from .wording import constraint

Json = Mapping[str, Any]
PARTS = {"binding": "what binds", "next_best": "the next-best plan", "unused": "devices that are not used"}


def explanation_lines(found: Json) -> list[str]:
    """One sentence each."""
    return [*_binding(found), *_next_best(found), *_unused(found), *_missing(found)]


def _amount(found: Json, value: float) -> str:
    unit = found["unit"]
    if unit == "s":
        return time(value)
    return f"{dollars(value)} {unit}" if unit.startswith("USD") else f"{number(value)} {unit}"


def _binding(found: Json) -> Iterator[str]:
    for row in found.get("binding", ()):
        whole = f"without it the best plan saves {_amount(found, row['without'])}" if row["without"] else ""
        words = constraint(row["name"])
        if row["saves"]:
            yield f"{words}: {row['step']} saves {_amount(found, row['saves'])}" + (f"; {whole}" if whole else "")
        else:
            yield f"{words}: {row['step']} saves nothing" + (f"; {whole}" if whole else "")


def _next_best(found: Json) -> Iterator[str]:
    for row in found.get("next_best", ()):
        pools = "; ".join(_pool(pool) for pool in row["pools"])
        yield f"the next-best plan that differs in a choice is {_worse(found, row['extra'])}: {pools}"
    if "next_best" in found and not found["next_best"] and "next_best" not in found["missing"]:
        yield "no other plan keeps the bounds: every choice is forced"


def _worse(found: Json, extra: float) -> str:
    return f"worse by {_amount(found, extra)}" if extra else "as good"


def _pool(pool: Json) -> str:
    ways = [f"{name} {pool[name]}" for name in ("tp", "batch") if pool[name] > 1]
    split = f" ({', '.join(ways)})" if ways else ""
    devices = f"{pool['devices']} x {pool['device']}" if pool["devices"] else pool["device"]
    model = f" by {pool['model']}" if "model" in pool else ""
    return f"{', '.join(pool['pieces'])}{model} on {devices}{split}"


def _unused(found: Json) -> Iterator[str]:
    for row in found.get("unused", ()):
        name = row["device"]
        if row["extra"] is not None:
            what = ", ".join(row["pieces"])
            yield f"{name} is not used: the best plan with it ({what}) is {_worse(found, row['extra'])}"
        elif row["against"]:
            against = " and ".join(constraint(each) for each in row["against"])
            yield f"{name} is not used: no plan with it keeps {against}"
        else:
            yield f"{name} is not used: no piece can run there"


def _missing(found: Json) -> Iterator[str]:
    for part in found["missing"]:
        yield f"not found in the time, or not all of it: {PARTS[part]}"


def conflict_lines(found: Json) -> list[str]:
    """Why there is no plan, and what would give one, one sentence each."""
    if not found["conflict"]:
        return ["no plan was found in the time given, and none is ruled out"]
    lines = [f"these cannot all hold: {', '.join(constraint(name) for name in found['conflict'])}"]
    for way in found["ways_out"]:
        lines.append(f"there is a plan with {way['with']}, at {number(way['value'])} {found['unit']}")
    return lines if found["ways_out"] else [*lines, "no single bound or limit of them was found to give a plan"]
