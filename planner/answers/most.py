"""A graph and a fleet at the largest rate that the fleet serves."""

from __future__ import annotations

from ...ir.diagnostics import Diagnostic, InputError, Label
from ...ir.source import SourceMap
from ..placement.search.clock import Clock
from ..placement.search.rounds import Progress
from ..placement.search.throughput import FIRST_RATE, LEAST_RATE, Throughput, is_bounded, most_requests
from ..posing.pose import Posed

SHARE = 0.8
"""Part of the time limit that goes into the rate; the rest is for the plan."""


def at_most_requests(
    posed: Posed,
    graph: SourceMap,
    time_limit_s: float | None,
    solver: str,
    on_progress: Progress | None = None,
) -> tuple[Posed, Throughput | None]:
    """The question at the largest rate that has a plan, and the proof; the graph's own rate is the least that counts.

    Where no rate has a plan, or none was found in the time: the question at the least rate, and None. InputError where
    nothing bounds the rate.
    """
    least = posed.setting.rate_per_s
    refuse_unless_bounded(posed, graph)
    clock = Clock(None if time_limit_s is None else SHARE * time_limit_s)
    served = most_requests(posed.problem_at, least, clock, solver, on_progress)
    if served.rate is None:
        return posed.at_rate(least or LEAST_RATE) or posed, None
    return posed.at_rate(served.rate) or posed, served


def refuse_unless_bounded(posed: Posed, graph: SourceMap) -> None:
    """InputError where neither counts nor limits bound the rate."""
    sized = posed.at_rate(posed.setting.rate_per_s or FIRST_RATE) or posed
    if not is_bounded(sized.problem) and posed.at_rate(FAR_RATE) is not None:
        message = "objective `throughput`: nothing bounds the rate, since every node may run on devices without a count"
        help = "give `count` to devices, or `limits: {usd_per_hour: 100}`"
        raise InputError([Diagnostic("objective", message, (Label(graph.value(("objective",))),), help)])


FAR_RATE = 1e9
"""No tool with a bound on its calls in flight serves this [req/s]."""
