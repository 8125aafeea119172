"""Names of a plan's constraints and of its parts, as people read them."""

from __future__ import annotations

import re

LATENCY_KINDS = {
    "ttft": "time to first token",
    "tbt": "time between tokens",
    "first_output": "first output",
    "end_to_end": "end to end",
    "quality": "the quality of answers",
}
"""What each bound of `slo` is on."""

COST_PARTS = {
    "capex": "paying off devices",
    "interest": "interest on devices",
    "rent": "rent of devices",
    "energy": "energy",
    "calls": "calls and tokens",
    "transfer": "moving data",
}
"""The parts of a cost, in the order of plan.json."""

QUALITIES = {
    "measured": "from measurements",
    "fitted": "from a model fitted to measurements",
    "data_sheet": "from data sheets or your own files",
    "guess": "from guesses",
}
"""How well the numbers behind a cost are known, best first."""

_CONSTRAINT = re.compile(r"(?P<kind>[a-z_.]+)(\[(?P<of>[^\]]*)\])?")


def constraint(name: str) -> str:
    """The constraint `name` of `binding` or `conflict` in words, its name behind: `... (slo.tbt[think])`."""
    found = _CONSTRAINT.fullmatch(name)
    words = _constraint_words(found["kind"], found["of"]) if found else None
    return f"{words} ({name})" if words else name


def _constraint_words(kind: str, of: str | None) -> str | None:
    group, _, key = kind.rpartition(".")
    if group == "slo" and key in LATENCY_KINDS:
        return f"the bound on {LATENCY_KINDS[key]}" + (f" of {of}" if of else "")
    known = {
        "count": f"how many {of} there are",
        "place": f"where {of} may run",
        "memory": f"the memory of {of}",
        "rate": "the rate of requests",
        "racks": f"the power limit of the rack {of}",
        "replicas": "the replicas that may fail",
        "zone": "the zones that may be lost",
        "kv_transfer": f"where the KV cache of {of} may move",
        "transfer": f"where the data of {of} may move",
        "usd_per_hour": "the limit on USD per hour",
        "power_w": "the limit on power",
        "capacity": f"what the pools on {of} can carry",
    }
    return known.get(key)
