"""What cannot be planned over ranges, and ranges over which nothing holds: errors at the ranges."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...ir.diagnostics import Diagnostic, Label
from ...ir.ranges import Range
from ...ir.source import SourceMap

GOALS = ("cost", "latency")
"""Objectives that are worst where every range is."""


def range_faults(
    goals: Sequence[str],
    graph: Sequence[Range],
    fleet: Sequence[Range],
    places: tuple[SourceMap, SourceMap],
    replanned: bool = False,
) -> Iterator[Diagnostic]:
    """Errors for objectives that have no worst end of the ranges of a graph and a fleet, or that no search takes.

    `replanned`: the plan takes the place of one that runs.
    """
    labels = _labels(graph, fleet, places)
    if not labels:
        return
    if len(goals) > 1:
        message = "a frontier over ranges is not supported yet"
        yield Diagnostic("unsupported", message, labels, "bound one of the objectives, or give one value")
    elif replanned:
        message = "ranges in place of a plan that runs are not supported yet"
        yield Diagnostic("unsupported", message, labels, "give one value, or plan anew")
    elif "throughput" in goals:
        message = "objective `throughput` over a range is not supported yet"
        yield Diagnostic("unsupported", message, labels, "give one value")
    elif goals[0] not in GOALS and any(not each.is_price for each in graph):
        message = f"objective `{goals[0]}` over a range is not supported yet: neither end is the worst for all plans"
        yield Diagnostic("unsupported", message, labels, f"take {' or '.join(GOALS)}, or give one value")


def nothing_holds(
    value: float | None, unit: str, graph: Sequence[Range], fleet: Sequence[Range], places: tuple[SourceMap, SourceMap]
) -> Diagnostic:
    """That no plan holds over the ranges; `value` is what the best one for their middle comes to."""
    message = "no plan holds over the whole of the ranges"
    help = None if value is None else f"for the middle there is a plan, at {value:.4g} {unit}: narrow the ranges"
    return Diagnostic("range", message, _labels(graph, fleet, places), help)


def _labels(graph: Sequence[Range], fleet: Sequence[Range], places: tuple[SourceMap, SourceMap]) -> tuple[Label, ...]:
    found = [places[0].value(each.path) for each in graph] + [places[1].value(each.path) for each in fleet]
    return tuple(Label(span) for span in found)
