"""No plan: the constraints that exclude each other, each with the line that it was written on."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from ...costmodel.work import Work
from ...ir.diagnostics import Diagnostic, Label
from ...ir.source import Path, SourceMap, Span
from ...ir.wording import number, time
from ..candidates.setting import Setting
from ..placement.problem import PlacementProblem
from ..placement.result import PlacementResult
from ..posing.goal_faults import PER_REQUEST
from .relaxations import LONGER, Anew, way_out
from .unplaceable import unplaceable_diagnostic

SLO = re.compile(r"slo\.(?P<kind>\w+)(\[(?P<node>[^\]]+)\])?$")
OF_DEVICE = re.compile(r"(?P<what>count|memory)\[(?P<device>[^\]]+)\]$")
OF_NODE = re.compile(r"(?P<what>place|with|apart|parallel)\[(?P<node>[^\]]+)\]$")
KV_TRANSFER = re.compile(r"kv_transfer\[(?P<node>[^\]]+)\]$")
TRANSFER = re.compile(r"transfer\[(?P<source>.+)->(?P<target>[^\]]+)\]$")
NOWHERE = re.compile(r"place\[(?P<node>[^\]]+)\]$")
RACK = re.compile(r"racks\[(?P<rack>[^\]]+)\]$")
LOOSEN = "loosen one of them: none is to spare in this conflict"
TOO_MANY = (
    "fewer of them may exclude each other: there was no time to find out which, and loosening one may not be enough"
)
MOST_NEEDED = 3
"""Counts of which it is said how many devices are needed."""
LIMIT = re.compile(r"limits\.(?P<what>\w+)$")


def infeasible_diagnostics(
    setting: Setting,
    works: Mapping[str, Work],
    problem: PlacementProblem,
    anew: Anew,
    result: PlacementResult,
    graph: SourceMap,
    fleet: SourceMap,
    time_limit_s: float | None = None,
) -> list[Diagnostic]:
    """Why there is no plan: an error for each node that runs nowhere, or else one for the conflict.

    `works` has the work of networks by node.
    `time_limit_s` is the user's limit for all of planning; what solving left of it may go into trials of a way out.
    """
    nowhere = [match["node"] for name in result.conflict if (match := NOWHERE.match(name))]
    if nowhere and len(nowhere) == len(result.conflict):
        return [unplaceable_diagnostic(setting, works, node, graph, fleet) for node in nowhere]
    left_s = math.inf if time_limit_s is None else max(0.0, time_limit_s - result.stats.seconds)
    return [conflict_diagnostic(problem, anew, result, graph, fleet, left_s)]


def conflict_diagnostic(
    problem: PlacementProblem,
    anew: Anew,
    result: PlacementResult,
    graph: SourceMap,
    fleet: SourceMap,
    left_s: float = math.inf,
) -> Diagnostic:
    """The one error of an infeasible problem; every constraint of the conflict is underlined where it stands.

    A way out is sought for `left_s` at most.
    """
    names = [f"`{name}`" for name in result.conflict]
    if not names:
        message = "no plan exists: no device of the fleet can hold every piece"
    elif len(names) == 1:
        message = f"no plan exists: {names[0]} excludes every placement"
    else:
        message = f"no plan meets {', '.join(names[:-1])} and {names[-1]} together"
    labels = []
    for name in result.conflict:
        span = span_of(name, graph, fleet)
        if span is not None and all(span != label.span for label in labels):
            labels.append(Label(span, f"`{name}`", primary=not labels))
    help = _needed(result.needed) if result.needed else way_out(problem, result, anew, left_s)
    if help is None and len(names) > 1:
        help = f"{LOOSEN if result.conflict_complete else TOO_MANY}; {LONGER}"
    return Diagnostic("infeasible", message, tuple(labels), help)


def _needed(needed: Mapping[str, float]) -> str:
    """What a relaxation shows to be needed, in words: of many counts the smallest."""
    counts = sorted((name for name in needed if OF_DEVICE.match(name)), key=needed.__getitem__)
    said = [f"{needed[name]:,.0f} of {_device(name)} (`{name}`)" for name in counts[:MOST_NEEDED]]
    if "rate" in needed:
        said.append(f"a `rate` of no more than {number(needed['rate'])} req/s")
    if said:
        return f"no less than one of these can end it: {', '.join(said[:-1])}{' or ' if said[1:] else ''}{said[-1]}"
    name, seconds = next(iter(needed.items()))
    least = time(math.floor(seconds * 1000) / 1000 if seconds >= 1 else seconds)
    return f"`{name}` is {least} at least where each piece is at its fastest and nothing waits"


def _device(name: str) -> str:
    match = OF_DEVICE.match(name)
    return match["device"] if match else name


def span_of(name: str, graph: SourceMap, fleet: SourceMap) -> Span | None:
    """Where the constraint that plans call `name` is written; None for one that stands nowhere."""
    if match := SLO.match(name):
        kind, node = match["kind"], match["node"]
        own: Path = ("nodes", node or "", "slo", kind)
        of_graph: Path = ("nodes", (node or "").partition("/")[0], "slo", kind)
        return graph.value(next((path for path in (own, of_graph) if path in graph.values), ("slo", kind)))
    if match := OF_DEVICE.match(name):
        path: Path = ("devices", match["device"], match["what"])
        return fleet.value(path) if path in fleet.values else fleet.key(path[:2])
    if match := OF_NODE.match(name):
        inner = (match["what"],) if match["what"] in ("place", "parallel") else ("place", match["what"])
        return graph.value(("nodes", match["node"], *inner))
    if name == "rate":
        return graph.value(("workload", "rate"))
    if match := KV_TRANSFER.match(name):
        return graph.key(("nodes", match["node"]))
    if match := TRANSFER.match(name):
        return graph.key(("nodes", match["target"]))
    if match := RACK.match(name):
        return fleet.value(("racks", match["rack"]))
    if name.startswith("survive."):
        return fleet.value(("survive", name.removeprefix("survive.")))
    if match := LIMIT.match(name):
        return fleet.value(("limits", PER_REQUEST.get(match["what"], match["what"].removesuffix("_w"))))
    return None
