"""No plan: the constraints that exclude each other, each with the line that it was written on."""

from __future__ import annotations

import re

from ..ir.diagnostics import Diagnostic, Label
from ..ir.source import Path, SourceMap, Span
from .placement.result import PlacementResult

SLO = re.compile(r"slo\.(?P<kind>\w+)(\[(?P<node>[^\]]+)\])?$")
OF_DEVICE = re.compile(r"(?P<what>count|memory)\[(?P<device>[^\]]+)\]$")
OF_NODE = re.compile(r"(?P<what>place|with|apart|parallel)\[(?P<node>[^\]]+)\]$")
LIMIT = re.compile(r"limits\.(?P<what>\w+)$")


def conflict_diagnostic(result: PlacementResult, graph: SourceMap, fleet: SourceMap) -> Diagnostic:
    """The one error of an infeasible problem; every constraint of the conflict is underlined where it stands."""
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
    help = "loosen one of them: none is to spare in this conflict" if len(names) > 1 else None
    return Diagnostic("infeasible", message, tuple(labels), help)


def span_of(name: str, graph: SourceMap, fleet: SourceMap) -> Span | None:
    """Where the constraint that plans call `name` is written; None for one that stands nowhere."""
    if match := SLO.match(name):
        kind, node = match["kind"], match["node"]
        own: Path = ("nodes", node or "", "slo", kind)
        return graph.value(own if own in graph.values else ("slo", kind))
    if match := OF_DEVICE.match(name):
        path: Path = ("devices", match["device"], match["what"])
        return fleet.value(path) if path in fleet.values else fleet.key(path[:2])
    if match := OF_NODE.match(name):
        inner = (match["what"],) if match["what"] in ("place", "parallel") else ("place", match["what"])
        return graph.value(("nodes", match["node"], *inner))
    if match := LIMIT.match(name):
        return fleet.value(("limits", match["what"].removesuffix("_w")))
    return None
