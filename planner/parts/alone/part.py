"""A part of a graph: pieces that share pools with no others, and the pools that plans of so much money need."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from types import MappingProxyType
from typing import Protocol, Self

import numpy as np

from ...candidates.apis import api_candidates
from ...candidates.host_ways import host_ways
from ...candidates.idle import Candidate
from ...candidates.least_prices import Candidates, LeastPrices, of_nodes
from ...candidates.llm.runs import runs
from ...candidates.llm.ways import ways_of
from ...candidates.setting import Setting
from ...candidates.survey import ROUNDING, Survey
from ...placement.model.objective import price
from ...placement.problem import Bound, DeviceType, Option, PlacementProblem, Pool, Scenario
from ...placement.search.clock import NO_LIMIT, Clock
from ...posing.to_problem import with_candidates

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

    @property
    def written(self) -> Candidates:
        """Pools that the survey knows by their costs alone."""
        ...

    def priced(self, usd_per_s: Mapping[str, float]) -> Self:
        """The same where a second of a visit costs so much more, by node [USD/h]."""
        ...

    def bounded(self, bounds: Sequence[Bound]) -> Self:
        """The same where these bound single nodes, and no others do."""
        ...

    def fastest(self) -> Iterator[Option]:
        """Options of each piece that none is faster than, if nothing waits."""
        ...

    def candidates(self, most_usd: float, budget_usd: float, on: Mapping[str, float]) -> Iterator[Candidate]:
        """Every pool that a plan of the nodes may need that costs no more than `most_usd` [USD/h].

        `budget_usd`, which is no less, pays for their replicas: enough for some plan. Pools on the devices `on` are
        those that plans of so much may need.
        """
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
    prices: Mapping[str, float] = field(default_factory=dict)
    """Node -> what a second of the mean time of its visits costs [USD/h]"""
    headroom_usd: float = math.inf
    """what replicas may cost at most beyond the cheapest ways [USD/h]; where it is finite, steps prove nothing"""

    def priced(self, usd_per_s: Mapping[str, float], headroom_usd: float = math.inf) -> Part:
        """(66) The part where a second of a visit costs so much, by node [USD/h]."""
        ways = self.ways and self.ways.priced(usd_per_s)
        return replace(self, ways=ways, prices=usd_per_s, headroom_usd=headroom_usd)

    @property
    def bound(self) -> float:
        """No plan of the part costs less [USD/h]; infinite where it has none."""
        return 0.0 if self.ways is None else self.ways.survey.bound

    @property
    def without_place(self) -> tuple[str, ...]:
        """Nodes that nothing may serve, even if it served nothing else."""
        if self.ways is None:
            return ()
        nowhere = np.flatnonzero(np.isinf(self.ways.survey.least_usd))
        return tuple(self.ways.nodes[i] for i in nowhere)

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

    def next_usd(self, most_usd: float, times: int = 2) -> float | None:
        """Enough for so many times the ways that `most_usd` is enough for; None where there are no more."""
        known = self.ways_within(most_usd)
        return None if known == len(self.costs) else float(self.costs[min(times * known, len(self.costs) - 1)])

    def candidates(
        self, most_usd: float, budget_usd: float = 0.0, on: Mapping[str, float] = MappingProxyType({})
    ) -> tuple[Candidate, ...]:
        """Every pool that a plan of the part may need that costs no more than `most_usd` [USD/h].

        Their replicas may cost more, up to `budget_usd`. Pools on the devices `on` are those that plans of so much may
        need.
        """
        if self.ways is None:
            return tuple(self.written)
        return tuple(self.ways.candidates(most_usd, max(most_usd, budget_usd, *on.values()), on))

    def least_with(self, device: str) -> float:
        """No plan of the part that has something on a device costs less [USD/h]; infinite where there is none."""
        return max(self.bound, self._in_use_on(device))

    def rise_beside(self, device: str) -> float:
        """(74) No plan of the part with pools in use both on a device and not there costs so much less than (62) and
        this [USD/h]."""
        if self.ways is None:
            return 0.0
        survey = self.ways.survey
        return max(0.0, self._in_use_on(device) - float(survey.least_usd.sum()) - survey.parted_usd)

    def _in_use_on(self, device: str) -> float:
        written = self.written if self.ways is None else self.ways.written
        if any(pool.device == device for pool, _ in written):
            return 0.0
        return math.inf if self.ways is None else self.ways.survey.least_with(device)

    def fastest(self) -> Iterator[Option]:
        """Options of each piece that none is faster than."""
        if self.ways is None:
            return chain.from_iterable(options for _, options in self.written)
        return self.ways.fastest()

    def problem(self, candidates: Candidates) -> PlacementProblem:
        """Of the part by itself, with these pools."""
        return with_candidates(self.bare, self.setting, candidates)


def parts_of(setting: Setting, whole: PlacementProblem, clock: Clock = NO_LIMIT) -> list[Part]:
    """The parts of a problem with the frame `whole`: the calls of each model, small work on hosts, and the rest.

    The rest are calls of models that hosted APIs alone serve, each by itself. TimeUp where the clock is over before.
    """
    prices = LeastPrices({d.name: d for d in whole.devices}, setting)
    written = tuple(api_candidates(setting))
    found: list[Ways] = []
    for run in runs(setting):
        clock.check()
        found.append(ways_of(setting, run, prices, whole.bounds, written))
    hosts = host_ways(setting, prices)
    found += [hosts] if hosts.nodes else []
    parts = [Part(setting, restricted(whole, ways.nodes), ways) for ways in found]
    known = {node for ways in found for node in ways.nodes}
    rest = (node for node in dict.fromkeys(q.node for q in whole.pieces) if node not in known)
    return parts + [Part(setting, restricted(whole, (n,)), None, of_nodes(written, (n,))) for n in rest]


def joined(setting: Setting, whole: PlacementProblem, sets: Iterable[Candidates]) -> PlacementProblem:
    """The problem of all parts with these pools of each; a pool that several of them have takes the pieces of all."""
    pools: dict[str, Pool] = {}
    options: dict[str, dict[str, Option]] = {}
    for pool, own in chain.from_iterable(sets):
        pools[pool.id] = pool
        options.setdefault(pool.id, {}).update((o.piece, o) for o in own)
    merged = [(pool, tuple(options[pool.id].values())) for pool in pools.values()]
    return with_candidates(whole, setting, merged)


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
    return sum(max(0, d.min_count - d.owned) * price(d) + d.min_count * d.idle_usd_per_hour for d in devices)
