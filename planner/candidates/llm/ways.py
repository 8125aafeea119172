"""Every server of one model on whatever device, what plans with it cost at least, and the cheap ones written down."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, groupby

import numpy as np

from ....costmodel.energy import energy_above_idle_j
from ....ir.split import without_class
from ....ir.units import HOUR_S
from ...placement.problem import Bound, Option, Pool, VisitTime
from ..classes import TenantSet, tenant_sets
from ..least_prices import Candidates, LeastPrices, of_nodes
from ..setting import Setting, excluded_by
from ..survey import ROUNDING, InRole, Row, Survey, counts
from .calls import Call, decode_time, first_of, node_of
from .needless import Draft
from .pools import beyond_one_memory, drafts_of, pools_of, roles_of
from .runs import Run
from .servers import Server, Timing

ROLES = ("both", "decode", "prefill")


@dataclass(frozen=True)
class Ways:
    """The servers of one model that its calls may have."""

    setting: Setting
    run: Run
    servers: tuple[tuple[str, Server], ...]
    """with the device's name, all of a device in a row"""
    groups: tuple[TenantSet[Call], ...]
    """of calls that pools are made for"""
    survey: Survey
    prices: LeastPrices
    written: Candidates
    """pools that are no servers of these, which the survey knows by their costs alone"""

    @property
    def nodes(self) -> tuple[str, ...]:
        """That make the calls."""
        return tuple(call.node for call in self.run.calls)

    def priced(self, usd_per_s: Mapping[str, float]) -> Ways:
        """The same where a second of a visit costs so much more, by node [USD/h]."""
        return replace(self, survey=self.survey.priced(np.array([usd_per_s.get(node, 0.0) for node in self.nodes])))

    def candidates(
        self, most_usd: float, budget_usd: float, on: Mapping[str, float]
    ) -> Iterator[tuple[Pool, tuple[Option, ...]]]:
        """Every pool that a plan of these calls may need that costs no more than `most_usd` [USD/h].

        `budget_usd`, which is no less, pays for their replicas: enough for some plan. Pools on the devices `on` are
        those that plans of so much may need.
        """
        admitted = self.survey.within(most_usd, on)
        some = np.flatnonzero(np.any(list(admitted.values()), axis=0))
        for _, own in groupby(some.tolist(), key=lambda w: self.servers[w][0]):
            found = (self._drafts(w, admitted, budget_usd) for w in own)
            yield from pools_of(self.setting, chain.from_iterable(found))
        yield from self.written

    def bounded(self, bounds: Sequence[Bound]) -> Ways:
        """The same where these bound single nodes, and no others do."""
        roles = _in_roles(self.setting, self.run.calls, self.servers, self.prices, bounds)
        return replace(self, survey=replace(self.survey, roles=roles))

    def fastest(self) -> Iterator[Option]:
        """Of each call what no server is faster than, and apart from it what no server is that the user rules out.

        Nothing waits. Pools that are no servers of these are there as they are written.
        """
        for call in self.run.calls:
            timed: dict[str, list[Timing]] = defaultdict(list)
            for name, own in groupby(self.servers, key=lambda pair: pair[0]):
                timed[excluded_by(call.prefill, name)] += [server.timings[call.node] for _, server in own]
            for excluded, timings in timed.items():
                prefill = [min(own) for own in zip(*(t.prefill for t in timings), strict=True)]
                step = [min(own) for own in zip(*(t.step for t in timings), strict=True)]
                read = tuple(VisitTime(total, total) for total in map(call.spread, prefill))
                written = ((decode_time(call.output, gap), gap) for gap in step)
                tokens = tuple(VisitTime(first_of(total, gap), total) for total, gap in written)
                yield Option(f"{call.node}.prefill", "", read, 0.0, excluded_by=excluded)
                yield Option(f"{call.node}.decode", "", tokens, 0.0, excluded_by=excluded)
        yield from chain.from_iterable(options for _, options in self.written)

    def _drafts(self, w: int, admitted: Mapping[tuple[str, int], np.ndarray], budget_usd: float) -> Iterator[Draft]:
        """The pools of one server in each role, for the sets of calls that are `admitted`."""
        name, server = self.servers[w]
        for role in roles_of(server):
            places = [place for place in range(len(self.groups)) if admitted[role, place][w]]
            groups = [(self.groups[place], self.survey.affordable(w, role, place, budget_usd)) for place in places]
            yield from drafts_of(self.setting, name, server, role, groups)


def ways_of(setting: Setting, run: Run, prices: LeastPrices, bounds: Sequence[Bound], written: Candidates) -> Ways:
    """All ways to serve the calls of a run; of what is `written` already it takes what is for its calls."""
    found = [(n, server) for n, device in run.devices(setting) for server in run.servers(setting, n, device)]
    beyond = [c for n, device in run.devices(setting) for c in beyond_one_memory(setting, n, device, run)]
    columns = {call.node: i for i, call in enumerate(run.calls)}
    own = (*beyond, *of_nodes(written, columns))
    groups = tuple(tenant_sets(run.calls, node_of, setting.class_of, setting.priorities))
    survey = Survey(
        [(name, s.parallel.devices) for name, s in found],
        np.array([prices.device_usd(name) * s.parallel.devices for name, s in found]),
        _in_roles(setting, run.calls, found, prices, bounds),
        [([columns[call.node] for call in group.tenants], group.share) for group in groups],
        counts(setting.most_replicas(name, s.parallel.devices) for name, s in found),
        prices.elsewhere(own, columns, setting.rate_per_s or 0.0),
    )
    return Ways(setting, run, tuple(found), groups, survey, prices, own)


def _in_roles(
    setting: Setting,
    calls: Sequence[Call],
    found: Sequence[tuple[str, Server]],
    prices: LeastPrices,
    bounds: Sequence[Bound],
) -> dict[str, InRole]:
    """What each call takes of each server, without interruptions or waits."""
    timed = {(call.visits, call.adapter): _Seconds.of(call, found) for call in calls}
    slots = np.array([s.batch for _, s in found]) / (setting.rate_per_s or 0.0)
    joule_usd = [prices.joule_usd(n) * energy_above_idle_j(s.device, 1.0, s.parallel.devices) for n, s in found]
    welcome = np.array([[not excluded_by(call.prefill, name) for call in calls] for name, _ in found], bool)
    welcome = welcome.reshape(len(found), len(calls))
    roles: dict[str, InRole] = {}
    for role in ROLES:
        worked = np.stack([timed[call.visits, call.adapter].worked(call, role) for call in calls], axis=1)
        load = np.where(welcome, worked / slots[:, None], 0.0)
        possible = welcome & np.stack([timed[c.visits, c.adapter].in_time(c, role, bounds) for c in calls], axis=1)
        if role == "prefill":
            possible &= np.array([s.is_least for _, s in found], bool)[:, None]
        seconds = worked / [sum(call.mass) for call in calls]
        roles[role] = InRole(load, load * HOUR_S * np.array(joule_usd)[:, None], possible, seconds)
    return roles


@dataclass(frozen=True)
class _Seconds:
    """Of the visits of a call (columns) in each server (row), as `Timing` has them."""

    prefill: Row
    step: Row
    gap: Row

    @classmethod
    def of(cls, call: Call, found: Sequence[tuple[str, Server]]) -> _Seconds:
        timed = [server.timings[call.node] for _, server in found]
        rows = (np.array([getattr(t, part) for t in timed]) for part in ("prefill", "step", "gap"))
        # A model that fits no devices of the fleet has no rows, and columns all the same.
        return cls(*(row.reshape(len(timed), len(call.visits)) for row in rows))

    def between(self, role: str) -> Row:
        """Tokens: others' prefills ride along where both phases are in one server."""
        return self.gap if role == "both" else self.step

    def worked(self, call: Call, role: str) -> Row:
        """[s] of a slot that a request takes of each server."""
        mass, gaps = np.array(call.mass), np.array([visit.output - 1 for visit in call.visits])
        found = np.zeros(len(self.gap))
        if role != "decode":
            found = found + self.prefill @ mass
        if role != "prefill":
            found = found + (self.between(role) * gaps) @ mass
        return found

    def in_time(self, call: Call, role: str, bounds: Sequence[Bound]) -> np.ndarray:
        """Whether each server keeps the bounds on the call if it has it to itself and nothing waits."""
        kept = np.ones(len(self.gap), bool)
        for b in bounds:
            most = b.limit_s * (1 + ROUNDING)
            if b.kind == "ttft" and b.node == call.node and role != "decode":
                late = 1.0 if b.percentile is None else call.prompt.quantile(b.percentile) / call.prompt.mean
                kept &= self.prefill[:, 0] * late <= most
            if b.kind == "tbt" and b.node == without_class(call.node) and role != "prefill":
                kept &= self.between(role).max(axis=1) <= most
        return kept
