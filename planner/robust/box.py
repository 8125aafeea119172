"""The box that ranges span: its points, and the placement problem that each of them poses.

A point gives each range a share: 1 is its worst end, 0 its best, 0.5 its middle.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

from ...costmodel.embedded import read_catalogue
from ...ir.ranges import Range, document_at
from ...ir.read.fleet import FleetFile, parse_fleet
from ...ir.read.graph import GraphFile
from ..placement.problem import PlacementProblem
from ..posing.pose import Posed
from ..sensitivity.question import Question

Point = tuple[float, ...]
MOST_CROSSED = 4
"""Ranges of which every combination of ends is a corner; of more, some are."""
SAMPLED = 8
"""Corners drawn where there are more than that."""
SEED = 20041
RATE = ("workload", "rate")
PER_REQUEST = ("energy_j_per_request", "gco2_per_request")
"""Limits that a lower rate breaks sooner: fewer requests share the idle power."""


@dataclass(frozen=True)
class Box:
    """The ranges of a graph and of its fleet, and the problems inside."""

    graph: tuple[Range, ...]
    fleet: tuple[Range, ...]
    question: Question
    """what is asked at the worst end of every range"""
    fleet_document: dict[str, object] = field(repr=False)

    @property
    def ranges(self) -> tuple[Range, ...]:
        """Those of the graph first."""
        return (*self.graph, *self.fleet)

    @property
    def worst(self) -> Point:
        return (1.0,) * len(self.ranges)

    @property
    def nominal(self) -> Point:
        return (0.5,) * len(self.ranges)

    @cached_property
    def corners(self) -> tuple[Point, ...]:
        """(53) Ends of the ranges on which more than costs depends, prices at their worst; the worst corner first."""
        free = [number for number, each in enumerate(self.ranges) if self._is_free(each)]
        return tuple(self._with(dict(zip(free, ends, strict=True))) for ends in _ends(len(free)))

    @property
    def is_crossed(self) -> bool:
        """Whether every combination of ends is among the corners."""
        return sum(self._is_free(each) for each in self.ranges) <= MOST_CROSSED

    def _is_free(self, each: Range) -> bool:
        """Whether the worst end is not known to be the worst for all that a plan has to keep."""
        if each.is_price:
            return False
        limits = self.question.fleet.limits
        return each.path != RATE or any(name in limits for name in PER_REQUEST)

    def _with(self, ends: dict[int, float]) -> Point:
        return tuple(ends.get(number, 1.0) for number in range(len(self.ranges)))

    def problem(self, point: Point) -> PlacementProblem:
        """The problem at a point; InputError where it poses none."""
        shares = list(zip(self.ranges, point, strict=True))
        graph, fleet = shares[: len(self.graph)], shares[len(self.graph) :]
        spec = parse_fleet(document_at(self.fleet_document, fleet)).spec if fleet else self.question.fleet
        return replace(self.question, graph=document_at(self.question.graph, graph), fleet=spec).problem()

    def values(self, point: Point) -> dict[str, float]:
        """Range -> its value at a point."""
        return {each.name: each.at(share) for each, share in zip(self.ranges, point, strict=True)}


def _ends(count: int) -> Iterator[tuple[float, ...]]:
    """Ends of so many ranges: all combinations, or each alone, all, and some that are drawn."""
    if count <= MOST_CROSSED:
        yield from itertools.product((1.0, 0.0), repeat=count)
        return
    drawn = random.Random(SEED)
    found = [(1.0,) * count, (0.0,) * count]
    found += [tuple(0.0 if number == one else 1.0 for number in range(count)) for one in range(count)]
    found += [tuple(float(drawn.randint(0, 1)) for _ in range(count)) for _ in range(SAMPLED)]
    yield from dict.fromkeys(found)


def box_of(posed: Posed, graph: GraphFile, fleet: FleetFile) -> Box:
    """The box of files that were read, around the problem that they pose at their worst ends."""
    inputs, setting = posed.inputs, posed.setting
    catalogue = read_catalogue(inputs.catalogue)
    question = Question(
        inputs.graph, setting.fleet, setting.devices, catalogue, posed.problem.objective, kept=posed.kept
    )
    return Box(graph.ranges, fleet.ranges, question, inputs.fleet)
