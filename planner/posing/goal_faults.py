"""Objectives and limits that the inputs give no meaning: errors at the lines that ask for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...ir.diagnostics import Diagnostic, Label
from ...ir.source import SourceMap, Span
from ..candidates.setting import Setting

PER_REQUEST = {"energy_j_per_request": "energy_per_request", "gco2_per_request": "carbon_per_request"}
"""Limits by request, as fleet.yaml calls them."""


def goal_faults(
    goals: Sequence[str], in_graph: bool, setting: Setting, graph: SourceMap, fleet: SourceMap
) -> list[Diagnostic]:
    """An error for each thing that an objective, or a limit, needs and is not there."""
    span = graph.value(("objective",)) if in_graph else None
    asked = [fault for goal in goals for fault in _objective(goal, span, setting)]
    return [*asked, *_limits(goals, setting, fleet)]


def _objective(goal: str, span: Span | None, setting: Setting) -> Iterator[Diagnostic]:
    labels = () if span is None else (Label(span),)
    if goal in ("energy", "carbon") and setting.rate_per_s is None:
        message = f"objective `{goal}` needs a rate: without one no devices are counted, and none draws power"
        yield Diagnostic("objective", message, labels, "add `workload: {rate: 2 req/s}`")
    if goal == "carbon" and not setting.fleet.is_carbon_known:
        message = "objective `carbon` needs the carbon of the site's electricity"
        yield Diagnostic("objective", message, labels, "add `site: {carbon: 400 gCO2/kWh}` to the fleet")
    if goal == "throughput" and any(d.kind != "api" and not d.scale.min_replicas for d in setting.fleet.devices):
        message = "objective `throughput` cannot stand beside `scale`: at a lower rate more visits find a pool down"
        yield Diagnostic("objective", message, labels, "leave `scale` out of the fleet")
    if goal == "tokens_per_usd" and not any(True for _ in setting.llm_nodes):
        message = "objective `tokens_per_usd` needs a node of kind llm: this graph puts out no tokens"
        yield Diagnostic("objective", message, labels, "take `cost`")


def _limits(goals: Sequence[str], setting: Setting, fleet: SourceMap) -> Iterator[Diagnostic]:
    for name, key in PER_REQUEST.items():
        if name not in setting.fleet.limits:
            continue
        labels = (Label(fleet.value(("limits", key))),)
        if "throughput" in goals:
            message = f"`limits.{key}` cannot stand beside objective `throughput`: more requests share idle power"
            yield Diagnostic("objective", message, labels, "bound `power`, or leave the limit out")
        if name == "gco2_per_request" and not setting.fleet.is_carbon_known:
            message = f"`limits.{key}` needs the carbon of the site's electricity"
            yield Diagnostic("limits", message, labels, "add `site: {carbon: 400 gCO2/kWh}`")
