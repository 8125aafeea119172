"""Sections of a way through the graph: everything after one starts when its last step has ended.

Times of different sections are independent, so that a way takes the sum of its sections; and ways that differ in one
section share the laws of all others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..problem import Scenario, Step


@dataclass(frozen=True)
class Section:
    """Steps between two moments when nothing else of the request is under way."""

    before: str
    """the step with whose end it begins; empty at the start of the request"""
    piece: str
    """the last piece of that step, where transfers come from"""
    steps: tuple[Step, ...]
    sinks: tuple[str, ...]
    """the steps with the last of which it ends"""
    until: str = "end_to_end"
    """or `first_output`, if what ends it is the first output of a sink"""


def sections(s: Scenario) -> list[Section]:
    """The sections of a scenario, in order.

    One ends with a step that all later ones wait for, alone of all before it, and that none of them streams from.
    """
    uses = Counter(before for step in s.steps for before, _ in step.after)
    streamed = {before for step in s.steps for before, streams in step.after if streams}
    last_start = max((i for i, step in enumerate(s.steps) if not step.after), default=0)
    found: list[Section] = []
    waited_for: dict[str, int] = {}
    last, begin, end = None, 0, len(s.steps) - 1
    for i, step in enumerate(s.steps):
        for before, _ in step.after:
            waited_for[before] -= 1
            if not waited_for[before]:
                del waited_for[before]
        if uses[step.id] or step.id in s.sinks:
            waited_for[step.id] = uses[step.id] + (step.id in s.sinks)
        alone = list(waited_for) == [step.id] and step.id not in s.sinks and step.id not in streamed
        if i == end or (alone and i >= last_start):
            before, piece = (last.id, last.pieces[-1]) if last else ("", "")
            found.append(Section(before, piece, s.steps[begin : i + 1], s.sinks if i == end else (step.id,)))
            last, begin = step, i + 1
    return found


@dataclass(frozen=True)
class Cut:
    """Ways through the graph, cut into sections."""

    sections: tuple[Section, ...]
    """all that differ"""
    shares: tuple[float, ...]
    """of the requests, that pass each of them"""
    ways: tuple[tuple[float, tuple[int, ...]], ...]
    """Probability and sections of each way, those first that most ways have: they share the sums of these."""


def cut(scenarios: Sequence[Scenario], kind: str) -> Cut:
    """The sections of all ways up to the end, or the first output, as `kind` says."""
    places: dict[Section, int] = {}
    ways: list[list[int]] = []
    for s in scenarios:
        *before, last = sections(s)
        ways.append([places.setdefault(each, len(places)) for each in (*before, replace(last, until=kind))])
    common, shares = Counter(i for way in ways for i in way), [0.0] * len(places)
    for s, way in zip(scenarios, ways, strict=True):
        way.sort(key=lambda i: (-common[i], i))
        for i in way:
            shares[i] += s.probability
    found = ((s.probability, tuple(way)) for s, way in zip(scenarios, ways, strict=True))
    return Cut(tuple(places), tuple(shares), tuple(found))
