"""Which nodes a request waits for: the longest way through the graph, by mean times."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from ..placement.problem import Step
from ..placement.times.sections import Cut, Section


@dataclass(frozen=True)
class Critical:
    """The longest way of each scenario."""

    seconds: float
    """its length, on average over requests [s]"""
    visits: Mapping[str, float]
    """Node -> visits on it, on average over requests"""


def critical(ways: Cut, seconds: Mapping[str, float]) -> Critical:
    """The longest ways where visits of a node take so long; what streams starts with what it streams from."""
    lengths: list[float] = []
    visits: Counter[str] = Counter()
    for section, share in zip(ways.sections, ways.shares, strict=True):
        length, nodes = _longest(section, seconds)
        lengths.append(length)
        for node in nodes:
            visits[node] += share  # type: ignore[assignment]
    mean = sum(probability * sum(lengths[i] for i in way) for probability, way in ways.ways)
    return Critical(mean, visits)


def _longest(section: Section, seconds: Mapping[str, float]) -> tuple[float, list[str]]:
    """Length of the longest way through a section, and the nodes of its visits."""
    start: dict[str, float] = {}
    end: dict[str, float] = {section.before: 0.0}
    waits_for: dict[str, str] = {}
    nodes = {step.id: _node(step) for step in section.steps}
    for step in section.steps:
        begins = {before: start.get(before, 0.0) if streams else end[before] for before, streams in step.after}
        start[step.id] = max(begins.values(), default=0.0)
        end[step.id] = max([start[step.id] + seconds[nodes[step.id]], *(end[before] for before, _ in step.after)])
        waits_for[step.id] = max(begins, key=begins.__getitem__, default=section.before)
    last = max(section.sinks, key=end.__getitem__)
    length, found = end[last], list[str]()
    while last in waits_for:
        found.append(nodes[last])
        last = waits_for[last]
    return length, found


def _node(step: Step) -> str:
    return step.pieces[0].rpartition(".")[0]
