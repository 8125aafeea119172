"""Every kind of host for tools, lookups and other small work, what plans with it cost at least, and the cheap ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...costmodel.energy import energy_above_idle_j
from ...ir.units import HOUR_S
from ..placement.problem import Bound, Option, Pool, VisitTime
from .classes import TenantSet, tenant_sets
from .hosts import Guest, host_pools, hosts_of, small_guests, small_nodes
from .least_prices import Candidates, LeastPrices
from .setting import Setting, excluded_by
from .survey import InRole, Row, Survey, counts

ROLE = "run"


@dataclass(frozen=True)
class HostWays:
    """The kinds of host that small work may be on."""

    setting: Setting
    nodes: tuple[str, ...]
    guests: tuple[tuple[str, dict[str, Guest]], ...]
    """by the device's name"""
    groups: tuple[TenantSet[str], ...]
    """of nodes that pools are made for"""
    survey: Survey

    def priced(self, usd_per_s: Mapping[str, float]) -> HostWays:
        """The same where a second of a visit costs so much more, by node [USD/h]."""
        return replace(self, survey=self.survey.priced(np.array([usd_per_s.get(node, 0.0) for node in self.nodes])))

    def bounded(self, bounds: Sequence[Bound]) -> HostWays:
        """The same: latencies of small work are not bounded by themselves."""
        return self

    def fastest(self) -> Iterator[Option]:
        """Of each node and kind of host its times, if nothing waits."""
        for name, guests in self.guests:
            for node, guest in guests.items():
                visits = (VisitTime(guest.latency, guest.latency),) * len(self.setting.visits[node])
                excluded = excluded_by(self.setting.nodes[node], name)
                yield Option(f"{node}.{ROLE}", "", visits, 0.0, excluded_by=excluded)

    @property
    def written(self) -> Candidates:
        """Nothing beside hosts serves small work."""
        return ()

    def candidates(
        self, most_usd: float, budget_usd: float, on: Mapping[str, float]
    ) -> Iterator[tuple[Pool, tuple[Option, ...]]]:
        """Every pool that a plan of these nodes may need that costs no more than `most_usd` [USD/h].

        `budget_usd`, which is no less, pays for their replicas: enough for some plan. Pools on the devices `on` are
        those that plans of so much may need.
        """
        admitted = self.survey.within(most_usd, on)
        for w, (name, guests) in enumerate(self.guests):
            cores = self.setting.devices[name].cores or 1
            for place, group in enumerate(self.groups):
                if admitted[ROLE, place][w]:
                    most = self.survey.affordable(w, ROLE, place, budget_usd)
                    yield from host_pools(self.setting, name, cores, guests, group, most)


def host_ways(setting: Setting, prices: LeastPrices) -> HostWays:
    """All kinds of host for the small work of a graph."""
    hosts = list(hosts_of(setting))
    nodes, rate = small_nodes(setting), setting.rate_per_s or 0.0
    guests = tuple((name, small_guests(setting, name, device)) for name, device in hosts)
    visits = np.array([setting.visits_per_request[node] for node in nodes]) * rate

    def table(figure: str) -> Row:
        rows = [[getattr(own[node], figure) for node in nodes] for _, own in guests]
        return np.array(rows).reshape(len(guests), len(nodes))

    joule_usd = np.array([prices.joule_usd(n) * energy_above_idle_j(d, 1.0) for n, d in hosts])
    beside = HOUR_S * visits * (table("usd_per_call") + table("worked_s") * joule_usd[:, None])
    welcome = [[not excluded_by(setting.nodes[node], name) for node in nodes] for name, _ in hosts]
    possible = np.array(welcome, bool).reshape(len(guests), len(nodes))
    load = np.where(possible, table("kept_s") * visits, 0.0)
    usd = np.array([prices.device_usd(name) for name, _ in hosts])
    groups = tuple(tenant_sets(nodes, str, setting.class_of, setting.priorities))
    columns = {node: i for i, node in enumerate(nodes)}
    places = [([columns[node] for node in group.tenants], group.share) for group in groups]
    most = counts(setting.most_replicas(name) for name, _ in hosts)
    seconds = np.array([[own[node].latency.mean for node in nodes] for _, own in guests]).reshape(possible.shape)
    in_role = {ROLE: InRole(load, beside, possible, seconds)}
    survey = Survey([(name, 1) for name, _ in hosts], usd, in_role, places, most, {})
    return HostWays(setting, nodes, guests, groups, survey)
