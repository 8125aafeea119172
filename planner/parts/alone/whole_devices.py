"""What parts cost at least: their nodes may be parted among pools, but every role has whole devices of each kind.

Equation (65) of `docs/math/placement.md`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any

import numpy as np
import pulp

from ...candidates.survey import OTHER_ROLE, ROUNDING, Row, Survey
from ...placement.model.variables import Expr
from ...placement.problem import UNLIMITED
from ...placement.search.clock import Clock
from ...placement.search.engine import Plan, run

ENOUGH = 1e-4
"""Relative gap at which it ends: what is proved until then holds."""
TIME_S = 2.0
"""Time that it may take [s]."""


def least_usd(survey: Survey, most_devices: Mapping[str, int], solver: str, clock: Clock) -> float:
    """(65) No plan costs less [USD/h]; minus infinity where time is up before anything is proved."""
    relaxed = WholeDevices([survey], most_devices)
    if clock.over:
        return -np.inf
    out = run(relaxed.m, relaxed, solver, clock.at_most(TIME_S).left, gap=ENOUGH)
    if out.interrupted:
        clock.stop()
    if out.status == "infeasible":
        return np.inf
    return -np.inf if out.bound is None else out.bound * (1 - ROUNDING)


class WholeDevices:
    """min sum over r, d of price[d] N[r,d] + sum of beside[r,d,k] x[r,d,k], subject to (65), of one part or several.

    Several share the devices of each kind.
    """

    def __init__(self, surveys: Sequence[Survey], most_devices: Mapping[str, float]) -> None:
        self.m = pulp.LpProblem("whole_devices", pulp.LpMinimize)
        self._names = count(1)
        self._costs: list[tuple[pulp.LpVariable, float]] = []
        self._devices: dict[str, list[pulp.LpVariable]] = defaultdict(list)
        for survey in surveys:
            self._serve_all(survey)
        self._within: dict[str, pulp.LpConstraint] = {}
        for device in self._devices:
            self._within[device] = self.taken(device) <= 0
            self._row(self._within[device])
        self.allow(most_devices)
        self.m.setObjective(Expr(self._costs))

    def allow(self, most_devices: Mapping[str, float]) -> None:
        """At most so many devices of each kind."""
        for device, row in self._within.items():
            row.changeRHS(min(most_devices[device], UNLIMITED))

    def taken(self, device: str) -> Expr:
        """Devices of a kind."""
        return Expr([(n, 1) for n in self._devices[device]])

    def plan(self, value: Callable[[Any], float]) -> Plan:
        """None: nodes that are parted are nowhere."""
        return {}

    def _serve_all(self, survey: Survey) -> None:
        """All nodes of a part, each in one role, or where prefill and decode are apart in both of them."""
        kinds, devices = list(_kinds(survey)), _by_device(survey)
        served: dict[tuple[str, int], list[pulp.LpVariable]] = defaultdict(list)
        for role in survey.roles:
            for device, ways in devices.items():
                for k, x in self._on(survey, role, kinds, device, ways):
                    served[role, k].append(x)
            usd = survey.elsewhere_usd.get(role)
            for k, nodes in enumerate(kinds):
                if usd is not None and np.isfinite(usd[nodes[0]]):
                    served[role, k].append(self._served(float(usd[nodes[0]])))
        for k, nodes in enumerate(kinds):
            for roles in _ways_out(survey):
                self._row(Expr([(x, 1) for role in roles for x in served[role, k]]) == len(nodes))

    def _on(
        self, survey: Survey, role: str, kinds: Sequence[Sequence[int]], device: str, ways: list[int]
    ) -> Iterator[tuple[int, pulp.LpVariable]]:
        """sum over k of load[k] x[k] <= N, x[k] <= |k| N, for one role on one kind of device: k and x[k].

        The load is in devices, the least of all ways, as is what is paid beside.
        """
        it, taken = survey.roles[role], np.array([survey.replicas[way][1] for way in ways])
        usable = it.possible[ways]
        load = np.where(usable, it.load[ways] * taken[:, None], np.inf).min(axis=0)
        beside = np.where(usable, it.beside_usd[ways], np.inf).min(axis=0)
        if not np.isfinite(load).any():
            return
        number = self._variable("Integer")
        self._devices[device].append(number)
        self._costs.append((number, float((survey.replica_usd[ways] / taken).min())))
        loads: list[tuple[pulp.LpVariable, float]] = []
        for k, nodes in enumerate(kinds):
            if np.isfinite(load[nodes[0]]):
                x = self._served(float(beside[nodes[0]]))
                loads.append((x, float(load[nodes[0]]) * (1 - ROUNDING)))
                self._row(x - number * len(nodes) <= 0)
                yield k, x
        self._row(Expr(loads) - number <= 0)

    def _served(self, usd: float) -> pulp.LpVariable:
        """How many nodes of a kind are served in one way, at so much for each."""
        x = self._variable("Continuous")
        self._costs.append((x, usd))
        return x

    def _variable(self, category: str) -> pulp.LpVariable:
        return self.m.add_variable(f"v{next(self._names)}", 0, None, category)

    def _row(self, row: pulp.LpConstraint) -> None:
        self.m.addConstraint(row, f"row{next(self._names)}")


def _by_device(survey: Survey) -> dict[str, list[int]]:
    """The ways on each kind of device."""
    found: dict[str, list[int]] = defaultdict(list)
    for way, (device, _) in enumerate(survey.replicas):
        found[device].append(way)
    return found


def _kinds(survey: Survey) -> Iterator[list[int]]:
    """Tenants with the same figures everywhere."""
    figures: list[Row] = []
    for role, it in survey.roles.items():
        figures += [it.load, it.beside_usd, it.possible]
        figures += [survey.elsewhere_usd[role][None, :]] if role in survey.elsewhere_usd else []
    found: dict[bytes, list[int]] = defaultdict(list)
    for tenant, column in enumerate(np.vstack(figures).T):
        found[np.ascontiguousarray(column).tobytes()].append(tenant)
    yield from found.values()


def _ways_out(survey: Survey) -> Iterator[list[str]]:
    """Roles of which a node has one; where prefill and decode may be apart, for each of them."""
    apart = [role for role in survey.roles if role in OTHER_ROLE]
    whole = [role for role in survey.roles if role not in OTHER_ROLE]
    yield from ([*whole, role] for role in apart) if apart else [whole]
