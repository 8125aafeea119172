"""No plan: the constraints that exclude each other, each with the line that it was written on."""

from __future__ import annotations

import math
import re
from dataclasses import replace

from ..ir.diagnostics import Diagnostic, Label
from ..ir.source import Path, SourceMap, Span
from .candidates.setting import Setting
from .goal_faults import PER_REQUEST
from .placement.clock import Clock
from .placement.problem import PlacementProblem
from .placement.result import PlacementResult
from .placement.solve import objective_within
from .unplaceable import unplaceable_diagnostic

SLO = re.compile(r"slo\.(?P<kind>\w+)(\[(?P<node>[^\]]+)\])?$")
OF_DEVICE = re.compile(r"(?P<what>count|memory)\[(?P<device>[^\]]+)\]$")
OF_NODE = re.compile(r"(?P<what>place|with|apart|parallel)\[(?P<node>[^\]]+)\]$")
KV_TRANSFER = re.compile(r"kv_transfer\[(?P<node>[^\]]+)\]$")
TRANSFER = re.compile(r"transfer\[(?P<source>.+)->(?P<target>[^\]]+)\]$")
NOWHERE = re.compile(r"place\[(?P<node>[^\]]+)\]$")
RACK = re.compile(r"racks\[(?P<rack>[^\]]+)\]$")
LIMIT = re.compile(r"limits\.(?P<what>\w+)$")


UNITS = {"power_w": "W", "usd_per_hour": "USD/h", "energy_j_per_request": "J", "gco2_per_request": "gCO2"}
FACTORS = (1.25, 2.0, 4.0, 10.0, 100.0)
"""By how much a constraint is loosened to see whether a plan exists then."""
HALVINGS = 3
"""Times that the room between a factor without a plan and one with it is halved."""
TRIALS_S = 15.0
"""Time for all such trials together, where the user sets no shorter limit [s]."""


def infeasible_diagnostics(
    setting: Setting,
    problem: PlacementProblem,
    result: PlacementResult,
    graph: SourceMap,
    fleet: SourceMap,
    time_limit_s: float | None = None,
) -> list[Diagnostic]:
    """Why there is no plan: an error for each node that runs nowhere, or else one for the conflict.

    `time_limit_s` is the user's limit for all of planning; what solving left of it may go into trials of a way out.
    """
    nowhere = [match["node"] for name in result.conflict if (match := NOWHERE.match(name))]
    if nowhere and len(nowhere) == len(result.conflict):
        return [unplaceable_diagnostic(setting, node, graph, fleet) for node in nowhere]
    left_s = math.inf if time_limit_s is None else max(0.0, time_limit_s - result.stats.seconds)
    return [conflict_diagnostic(problem, result, graph, fleet, left_s)]


def way_out(problem: PlacementProblem, result: PlacementResult, left_s: float = math.inf) -> str | None:
    """The cheapest of `ways_out`, in words; or None."""
    found = min(ways_out(problem, result, left_s), key=lambda way: way[1], default=None)
    return None if found is None else f"there is a plan with {found[0]}, at {found[1]:.4g} {result.unit}"


def ways_out(problem: PlacementProblem, result: PlacementResult, left_s: float = math.inf) -> list[tuple[str, float]]:
    """What was checked to help: one constraint of the conflict, loosened so far that a plan exists, and its objective.

    Trials end after TRIALS_S, or after `left_s` where that is less.
    """
    clock, ways = Clock(min(TRIALS_S, left_s)), []
    for name in result.conflict:
        tight = 1.0
        for factor in FACTORS:
            loose, said = _loosened(problem, name, factor)
            if loose is None or clock.over:
                break
            found = objective_within(loose, clock.left)
            if found is not None:
                ways.append(_tightened(problem, name, (tight, factor), (said, found), clock))
                break
            tight = factor
    return ways


def _tightened(
    problem: PlacementProblem, name: str, between: tuple[float, float], best: tuple[str, float], clock: Clock
) -> tuple[str, float]:
    """The smallest room found with which a plan exists, after HALVINGS of the factors `between`."""
    low, high = between
    for _ in range(HALVINGS):
        middle = math.sqrt(low * high)
        loose, said = _loosened(problem, name, middle)
        found = None if loose is None or clock.over else objective_within(loose, clock.left)
        if found is None:
            low = middle
        else:
            high, best = middle, (said, found)
    return best


def _loosened(problem: PlacementProblem, name: str, factor: float) -> tuple[PlacementProblem | None, str]:
    """The problem with more room under one constraint, and that room in words; None for one that has no size."""
    for bound in problem.bounds:
        if bound.name == name:
            limit_s = float(f"{bound.limit_s * factor:.3g}")
            bounds = tuple(replace(b, limit_s=limit_s) if b is bound else b for b in problem.bounds)
            shown = f"{limit_s:g} s" if limit_s >= 1 else f"{limit_s * 1000:g} ms"
            return replace(problem, bounds=bounds), f"`{name}` at {shown}"
    for bound in problem.quality_bounds:
        if bound.name == name:
            least = float(f"{bound.least / factor:.3g}")
            lower = tuple(replace(b, least=least) if b is bound else b for b in problem.quality_bounds)
            return replace(problem, quality_bounds=lower), f"`{name}` at {least:g}"
    for limit in problem.limits:
        if f"limits.{limit[0]}" == name:
            more = float(f"{limit[1] * factor:.3g}")
            limits = tuple((key, more) if key == limit[0] else (key, value) for key, value in problem.limits)
            unit = UNITS[limit[0]]
            return replace(problem, limits=limits), f"`{name}` at {more:g} {unit}"
    return None, ""


def conflict_diagnostic(
    problem: PlacementProblem,
    result: PlacementResult,
    graph: SourceMap,
    fleet: SourceMap,
    left_s: float = math.inf,
) -> Diagnostic:
    """The one error of an infeasible problem; every constraint of the conflict is underlined where it stands.

    A way out is sought for `left_s` at most.
    """
    if result.status == "unknown":
        message = "no plan was found in the time given, and none was excluded"
        return Diagnostic("time", message, help="give more with `--time-limit`")
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
    help = way_out(problem, result, left_s)
    if help is None and len(names) > 1:
        help = "loosen one of them: none is to spare in this conflict"
    return Diagnostic("infeasible", message, tuple(labels), help)


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
