"""What plans cost at least that have a pool in use: before pools are sized and written down, all of them at once.

Equations (61) and (62) of `docs/math/placement.md`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Row = NDArray[np.float64]
OTHER_ROLE = {"prefill": "decode", "decode": "prefill"}
"""What a node needs beside a pool of a role; nothing where the role is the whole node."""
ROUNDING = 1e-9
"""Loads are added up in another order here than where pools are sized."""


def counts(most: Iterable[int | None]) -> Row:
    """Numbers of replicas, infinite for None: any number."""
    return np.array([np.inf if each is None else each for each in most])


@dataclass(frozen=True, eq=False)
class InRole:
    """Ways to serve some tenants in one role; figures are of each way (row) and each tenant (column)."""

    load: Row
    """replicas that its visits keep busy; 0 where the user rules it out"""
    beside_usd: Row
    """calls, and energy above idle [USD/h]"""
    possible: NDArray[np.bool_]
    """whether it may be there by itself: not ruled out, and no bound broken even if nothing waits"""
    seconds: Row
    """mean time of a visit, if nothing waits [s]"""


@dataclass(frozen=True, eq=False)
class Survey:
    """Ways to serve the same tenants on whatever device, before anything is sized."""

    replicas: Sequence[tuple[str, int]]
    """of each way: the kind of device, and how many of them a replica takes"""
    replica_usd: Row
    """of one replica of each way [USD/h]"""
    roles: Mapping[str, InRole]
    groups: Sequence[tuple[Sequence[int], float]]
    """the sets of tenants that pools are made for, each with the share of their load that these are sized for"""
    most: Row
    """replicas that the fleet has of each way; infinite where any number"""
    elsewhere_usd: Mapping[str, Row]
    """By role: least cost of each tenant in pools that are no ways of these [USD/h]; infinite where there are none"""

    def priced(self, usd_per_s: Row) -> Survey:
        """(66) The same where each second of a tenant's visits costs so much more [USD/h for a second]."""
        roles = {
            role: replace(it, beside_usd=it.beside_usd + np.where(it.possible, it.seconds, 0.0) * usd_per_s)
            for role, it in self.roles.items()
        }
        return replace(self, roles=roles)

    @property
    def likely_s(self) -> Row:
        """Mean time of a visit of each tenant where it costs least, if nothing waits [s]; 0 where that is elsewhere."""
        best: dict[str, tuple[Row, Row]] = {}
        for role, usd in self.shared_usd.items():
            way = usd.argmin(axis=0) if len(usd) else np.zeros(len(self.least_usd), int)
            own = np.arange(len(way))
            least = usd[way, own] if len(usd) else np.full(len(way), np.inf)
            elsewhere = self.elsewhere_usd.get(role, np.full(len(way), np.inf)) < least
            seconds = self.roles[role].seconds[way, own] if len(usd) else np.zeros(len(way))
            best[role] = np.minimum(least, self.role_usd[role]), np.where(elsewhere, 0.0, seconds)
        found, cost = np.zeros(len(self.least_usd)), np.full(len(self.least_usd), np.inf)
        for role, (usd, seconds) in best.items():
            other = OTHER_ROLE.get(role)
            both = (usd, seconds) if other is None else (usd + best[other][0], seconds + best[other][1])
            found, cost = np.where(both[0] < cost, both[1], found), np.minimum(cost, both[0])
        return found

    @cached_property
    def shared_usd(self) -> dict[str, Row]:
        """(61) By role: least cost of each tenant in each way, if others fill up its replicas."""
        return {
            role: np.where(it.possible, it.load * self.replica_usd[:, None] + it.beside_usd, np.inf)
            for role, it in self.roles.items()
        }

    @cached_property
    def role_usd(self) -> dict[str, Row]:
        """By role: the least cost of each tenant, wherever it is."""
        own = {role: usd.min(axis=0, initial=np.inf) for role, usd in self.shared_usd.items()}
        return {role: np.minimum(usd, self.elsewhere_usd.get(role, np.inf)) for role, usd in own.items()}

    @cached_property
    def least_usd(self) -> Row:
        """(61) What each tenant costs at least, wherever it is."""
        both = (usd + self.role_usd.get(OTHER_ROLE.get(role, ""), 0.0) for role, usd in self.role_usd.items())
        return np.min(list(both), axis=0)

    @cached_property
    def beside_usd(self) -> dict[tuple[str, int], Row]:
        """By role and place in `groups`: what a plan pays at least beside the replicas of a pool of each way [USD/h].

        A tenant whom the pool was made for is in it, or elsewhere unless it is the only one.
        """
        found: dict[tuple[str, int], Row] = {}
        for role, it in self.roles.items():
            inside = np.where(it.possible, it.beside_usd, np.inf)
            inside = inside + (self.role_usd[OTHER_ROLE[role]] if role in OTHER_ROLE else 0.0)
            for place, (tenants, _) in enumerate(self.groups):
                own = list(tenants)
                usd = inside[:, own] if len(own) == 1 else np.minimum(inside[:, own], self.least_usd[own])
                found[role, place] = usd.sum(axis=1) + float(np.delete(self.least_usd, own).sum())
        return found

    @cached_property
    def in_use(self) -> dict[tuple[str, int], Row]:
        """By role and place in `groups`: what a plan costs at least that has a pool of each way so in use [USD/h]."""
        return {
            (role, place): self._with_in_use(role, place) for role in self.roles for place in range(len(self.groups))
        }

    def least_with(self, device: str) -> float:
        """What a plan costs at least that has a pool of some way on a device in use [USD/h]; infinite without any."""
        own = self._on(device)
        return min((float(usd[own].min(initial=np.inf)) for usd in self.in_use.values()), default=np.inf)

    def within(self, most_usd: float, on: Mapping[str, float]) -> dict[tuple[str, int], NDArray[np.bool_]]:
        """By role and place in `groups`: whether a plan that has a pool of each way so may cost no more than this.

        Plans with something on the devices `on` may cost so much.
        """
        most = np.full(len(self.replicas), most_usd)
        for device, usd in on.items():
            most[self._on(device)] = usd
        return {key: usd <= most for key, usd in self.in_use.items()}

    def _on(self, device: str) -> NDArray[np.bool_]:
        return np.array([name == device for name, _ in self.replicas], bool)

    @cached_property
    def parted_usd(self) -> float:
        """What all tenants with prefill and decode apart cost over their least, each at the least of both [USD/h]."""
        if not {"prefill", "decode"} <= set(self.role_usd):
            return 0.0
        apart = self.role_usd["prefill"] + self.role_usd["decode"]
        return float(np.where(np.isfinite(apart), apart - self.least_usd, 0.0).sum())

    @cached_property
    def costs(self) -> Row:
        """What plans with some way in use cost at least, the cheapest first [USD/h]; none where no plan exists."""
        if not np.all(np.isfinite(self.least_usd)):
            return np.array([])
        found = np.sort(np.concatenate([np.ravel(usd) for usd in self.in_use.values()]))
        return found[np.isfinite(found)]

    @cached_property
    def bound(self) -> float:
        """No plan costs less [USD/h]; infinite where some tenant has no place at all."""
        alone = float(self.least_usd.sum())
        # Where all may be elsewhere none of these need be in use.
        parts = ({"prefill", "decode"} & set(self.roles)) or set(self.roles)
        ways_only = any(not np.all(np.isfinite(self.elsewhere_usd.get(part, np.inf))) for part in parts)
        return max(alone, float(self.costs[0]) if len(self.costs) else np.inf) if ways_only else alone

    def affordable(self, way: int, role: str, place: int, most_usd: float) -> int | None:
        """Replicas that the fleet has and `most_usd` pays for beside what else a plan needs; None: any number."""
        usd, most = self.replica_usd[way], self.most[way]
        if usd > 0:
            left = (most_usd - self.beside_usd[role, place][way]) / usd * (1 + ROUNDING)
            most = min(most, max(1, np.floor(left)))
        return None if np.isinf(most) else int(most)

    def _with_in_use(self, role: str, place: int) -> Row:
        """(62) Of each way, with a pool of one role for one set of tenants."""
        it, (tenants, share) = self.roles[role], self.groups[place]
        own = list(tenants)
        replicas = np.floor(it.load[:, own].sum(axis=1) * share * (1 - ROUNDING)) + 1
        beside = self.beside_usd[role, place]
        found = self.replica_usd * replicas + beside
        if len(own) == 1:
            found = np.where(replicas <= self.most, found, np.inf)
        elif len(own) > 2 or np.any(replicas > self.most):
            for_some = self._for_some(role, own, beside)
            found = np.minimum(for_some, found) if len(own) > 2 else np.where(replicas <= self.most, found, for_some)
        return np.where(it.possible[:, own].any(axis=1), found, np.inf)

    def _for_some(self, role: str, own: list[int], beside: Row) -> Row:
        """Of a pool with one of the tenants in it, or more of them."""
        joined = self.shared_usd[role][:, own] - self.least_usd[own]
        if role in OTHER_ROLE:
            joined = joined + self.role_usd[OTHER_ROLE[role]][own]
        return np.maximum(self.replica_usd + beside, float(self.least_usd.sum()) + joined.min(axis=1))
