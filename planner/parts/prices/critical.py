"""Which nodes a request waits for: the longest way through the graph, by mean times."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...placement.problem import Step
from ...placement.times.sections import Cut, Section


@dataclass(frozen=True)
class Critical:
    """The longest way of each scenario."""

    seconds: float
    """its length, on average over requests [s]"""
    visits: Mapping[str, float]
    """Node -> visits on it, on average over requests"""
    ended: Mapping[tuple[str, int], float]
    """Node and number of a visit -> share of requests that wait for its end on it: not for what streams"""


def critical(ways: Cut, seconds: Mapping[str, float]) -> Critical:
    """The longest ways where visits of a node take so long; what streams starts with what it streams from."""
    lengths: list[float] = []
    visits: defaultdict[str, float] = defaultdict(float)
    ended: defaultdict[tuple[str, int], float] = defaultdict(float)
    for section, share in zip(ways.sections, ways.shares, strict=True):
        length, steps = _longest(section, seconds)
        lengths.append(length)
        for step, is_ended in steps:
            visits[_node(step)] += share
            if is_ended:
                ended[_node(step), step.visit] += share
    mean = sum(probability * sum(lengths[i] for i in way) for probability, way in ways.ways)
    return Critical(mean, visits, ended)


def visits_waited_for(
    reached: Mapping[str, Sequence[float]], ways: Cut, seconds: Mapping[str, float]
) -> dict[str, float]:
    """(75) Node -> visits on the longest ways, on average over requests, where visits of a node take so long.

    `reached` has the shares of requests that make visit 1, 2, ... of each node. Times of the visits of a node differ:
    it is the least share of any of them that is on these ways, times all of them, so that in every plan the mean
    latency is no less than what these visits take.
    """
    ended = critical(ways, seconds).ended
    found: dict[str, float] = {}
    for node in seconds:
        shares = reached[node]
        on_way = min(ended.get((node, k), 0.0) / share for k, share in enumerate(shares, 1) if share > 0)
        found[node] = min(1.0, on_way) * sum(shares)
    return {node: visits for node, visits in found.items() if visits > 0}


def _longest(section: Section, seconds: Mapping[str, float]) -> tuple[float, list[tuple[Step, bool]]]:
    """Length of the longest way through a section, and its steps, each with whether what follows waits for its end."""
    start: dict[str, float] = {}
    end: dict[str, float] = {section.before: 0.0}
    waits_for: dict[str, str] = {}
    steps, streams_from = {step.id: step for step in section.steps}, dict[str, bool]()
    for step in section.steps:
        begins = {before: start.get(before, 0.0) if streams else end[before] for before, streams in step.after}
        start[step.id] = max(begins.values(), default=0.0)
        end[step.id] = max([start[step.id] + seconds[_node(step)], *(end[before] for before, _ in step.after)])
        waits_for[step.id] = max(begins, key=begins.__getitem__, default=section.before)
        streams_from[step.id] = any(streams for before, streams in step.after if before == waits_for[step.id])
    last = max(section.sinks, key=end.__getitem__)
    length, found, is_ended = end[last], list[tuple[Step, bool]](), True
    while last in waits_for:
        found.append((steps[last], is_ended))
        last, is_ended = waits_for[last], not streams_from[last]
    return length, found


def _node(step: Step) -> str:
    return step.pieces[0].rpartition(".")[0]
