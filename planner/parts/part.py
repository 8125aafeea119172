"""A part of a graph: pieces that share pools with no others, and the pools that plans of so much money need."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np

from ..candidates.apis import api_candidates
from ..candidates.host_ways import host_ways
from ..candidates.least_prices import Candidates, LeastPrices, of_nodes
from ..candidates.llm.runs import runs
from ..candidates.llm.ways import ways_of
from ..candidates.setting import Setting
from ..candidates.survey import Survey
from ..placement.problem import DeviceType, Option, PlacementProblem, Pool, Scenario
from ..posing.to_problem import with_candidates

Candidate = tuple[Pool, tuple[Option, ...]]
ROUNDING = 1e-9
FIRST_WAYS = 24
"""So many ways to serve a part, the cheapest, are looked at first."""


class Ways(Protocol):
    """What a part's pools are made from."""

    @property
    def nodes(self) -> tuple[str, ...]:
        """That share them."""
        ...

    @property
    def survey(self) -> Survey:
        """What plans with each of them in use cost at least."""
        ...

    def candidates(self, most_usd: float) -> Iterator[Candidate]:
        """Every pool that a plan of the nodes may need that costs no more than this [USD/h]."""
        ...


@dataclass(frozen=True)
class Part:
    """The problem of some nodes by themselves: others take none of the fleet, and nothing bounds them together."""

    setting: Setting
    bare: PlacementProblem
    """without pools"""
    ways: Ways | None
    """None where all pools are `written`"""
    written: Candidates = ()

    @property
    def bound(self) -> float:
        """No plan of the part costs less [USD/h]; infinite where it has none."""
        return 0.0 if self.ways is None else self.ways.survey.bound

    @cached_property
    def costs(self) -> np.ndarray:
        """What plans that use one pool or another cost at least, the cheapest first [USD/h]."""
        return np.array([]) if self.ways is None else self.ways.survey.costs

    @property
    def first_usd(self) -> float:
        """Enough for the cheapest ways [USD/h]."""
        return float(self.costs[min(FIRST_WAYS, len(self.costs)) - 1]) if len(self.costs) else 0.0

    def ways_within(self, most_usd: float) -> int:
        """Ways to serve some nodes of the part that plans of so much money may need."""
        return int(np.searchsorted(self.costs, most_usd * (1 + ROUNDING), side="right"))

    def next_usd(self, most_usd: float) -> float | None:
        """Enough for twice as many ways as `most_usd` is; None where there are no more."""
        known = self.ways_within(most_usd)
        return None if known == len(self.costs) else float(self.costs[min(2 * known, len(self.costs) - 1)])

    def candidates(self, most_usd: float) -> tuple[Candidate, ...]:
        """Every pool that a plan of the part may need that costs no more than this [USD/h]."""
        return tuple(self.written if self.ways is None else self.ways.candidates(most_usd))

    def problem(self, candidates: Candidates) -> PlacementProblem:
        """Of the part by itself, with these pools."""
        return with_candidates(self.bare, self.setting, candidates)


def parts_of(setting: Setting, whole: PlacementProblem) -> list[Part]:
    """The parts of a problem with the frame `whole`: the calls of each model, small work on hosts, and the rest.

    The rest are calls of models that hosted APIs alone serve, each by itself.
    """
    prices = LeastPrices({d.name: d for d in whole.devices}, setting)
    written = tuple(api_candidates(setting))
    found: list[Ways] = [ways_of(setting, run, prices, whole.bounds, written) for run in runs(setting)]
    hosts = host_ways(setting, prices)
    found += [hosts] if hosts.nodes else []
    parts = [Part(setting, restricted(whole, ways.nodes), ways) for ways in found]
    known = {node for ways in found for node in ways.nodes}
    rest = (node for node in dict.fromkeys(q.node for q in whole.pieces) if node not in known)
    return parts + [Part(setting, restricted(whole, (n,)), None, of_nodes(written, (n,))) for n in rest]


def restricted(whole: PlacementProblem, nodes: Collection[str]) -> PlacementProblem:
    """(63) The frame of some nodes: without what bounds them together with others, and without what others pay."""
    nodes = set(nodes)
    pieces = tuple(q for q in whole.pieces if q.node in nodes)
    own, named = {q.id for q in pieces}, {q.whole for q in pieces}
    return replace(
        whole,
        pieces=pieces,
        devices=tuple(map(_shared, whole.devices)),
        scenarios=(_visits(whole.scenarios, own),),
        bounds=tuple(b for b in whole.bounds if b.node in named),
        quality_bounds=(),
        together=tuple(pair for pair in whole.together if own.issuperset(pair)),
        apart=tuple(pair for pair in whole.apart if own.issuperset(pair)),
        limits=(),
        racks=(),
        alike=tuple(each for each in whole.alike if own.issuperset(each)),
    )


def _shared(d: DeviceType) -> DeviceType:
    """A device that others may pay for: a chassis may have others beside, and so many as are paid for cost nothing."""
    if d.min_count:
        return replace(d, min_count=0, chassis=1, usd_per_hour=(), idle_usd_per_hour=0.0)
    return replace(d, chassis=1)


def _visits(scenarios: Collection[Scenario], own: set[str]) -> Scenario:
    """Every visit of some pieces, by itself: enough for bounds on single nodes."""
    steps = {step.id: replace(step, after=()) for s in scenarios for step in s.steps if own & set(step.pieces)}
    return Scenario(1.0, tuple(steps[id] for id in sorted(steps)), ())


def paid_anyway(devices: Collection[DeviceType]) -> float:
    """What devices cost that the fleet has to have [USD/h]."""
    return sum(
        max(0, d.min_count - d.owned) * sum(usd for _, usd in d.usd_per_hour) + d.min_count * d.idle_usd_per_hour
        for d in devices
    )
