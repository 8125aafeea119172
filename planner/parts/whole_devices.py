"""What a part costs at least: its nodes may be parted among pools, but every role has whole devices of each kind.

Equation (65) of `docs/math/placement.md`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from typing import Any

import numpy as np
import pulp

from ..candidates.survey import OTHER_ROLE, ROUNDING, InRole, Row, Survey
from ..placement.model.variables import Expr
from ..placement.search.clock import Clock
from ..placement.search.engine import Plan, run

ENOUGH = 1e-4
"""Relative gap at which it ends: what is proved until then holds."""
TIME_S = 2.0
"""Time that it may take [s]."""


def least_usd(survey: Survey, most_devices: Mapping[str, int], solver: str, clock: Clock) -> float:
    """(65) No plan costs less [USD/h]; minus infinity where time is up before anything is proved."""
    relaxed = WholeDevices(survey, most_devices)
    out = run(relaxed.m, relaxed, solver, clock.at_most(TIME_S).left, gap=ENOUGH)
    if out.interrupted:
        raise KeyboardInterrupt
    if out.status == "infeasible":
        return np.inf
    return -np.inf if out.bound is None else out.bound * (1 - ROUNDING)


class WholeDevices:
    """min sum over r, d of price[d] N[r,d] + sum of beside[r,d,k] x[r,d,k], subject to (65)."""

    def __init__(self, survey: Survey, most_devices: Mapping[str, int]) -> None:
        self.survey = survey
        self.m = pulp.LpProblem("whole_devices", pulp.LpMinimize)
        self._names = count(1)
        self._costs: list[tuple[pulp.LpVariable, float]] = []
        self._served: dict[tuple[str, int], list[pulp.LpVariable]] = defaultdict(list)
        self._devices: dict[str, list[pulp.LpVariable]] = defaultdict(list)
        self.kinds = list(_kinds(survey))
        for role, it in survey.roles.items():
            for device, ways in self._by_device().items():
                self._on(role, it, device, ways)
            for k, nodes in enumerate(self.kinds):
                usd = survey.elsewhere_usd.get(role)
                if usd is not None and np.isfinite(usd[nodes[0]]):
                    self._serve(role, k, float(usd[nodes[0]]))
        for device, numbers in self._devices.items():
            self._row(Expr([(n, 1) for n in numbers]) <= most_devices[device])
        for k, nodes in enumerate(self.kinds):
            for roles in _ways_out(survey):
                self._row(Expr([(x, 1) for role in roles for x in self._served[role, k]]) == len(nodes))
        self.m.setObjective(Expr(self._costs))

    def plan(self, value: Callable[[Any], float]) -> Plan:
        """None: nodes that are parted are nowhere."""
        return {}

    def _by_device(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = defaultdict(list)
        for way, (device, _) in enumerate(self.survey.replicas):
            found[device].append(way)
        return found

    def _on(self, role: str, it: InRole, device: str, ways: list[int]) -> None:
        """sum over k of load[k] x[k] <= N, x[k] <= |k| N, for one role on one kind of device.

        The load is in devices, the least of all ways, as is what is paid beside.
        """
        taken = np.array([self.survey.replicas[way][1] for way in ways])
        usable = it.possible[ways]
        load = np.where(usable, it.load[ways] * taken[:, None], np.inf).min(axis=0)
        beside = np.where(usable, it.beside_usd[ways], np.inf).min(axis=0)
        if not np.isfinite(load).any():
            return
        number = self._variable("Integer")
        self._devices[device].append(number)
        self._costs.append((number, float((self.survey.replica_usd[ways] / taken).min())))
        loads: list[tuple[pulp.LpVariable, float]] = []
        for k, nodes in enumerate(self.kinds):
            if np.isfinite(load[nodes[0]]):
                x = self._serve(role, k, float(beside[nodes[0]]))
                loads.append((x, float(load[nodes[0]]) * (1 - ROUNDING)))
                self._row(x - number * len(nodes) <= 0)
        self._row(Expr(loads) - number <= 0)

    def _serve(self, role: str, k: int, usd: float) -> pulp.LpVariable:
        """How many nodes of a kind are served so, at so much for each."""
        x = self._variable("Continuous")
        self._served[role, k].append(x)
        self._costs.append((x, usd))
        return x

    def _variable(self, category: str) -> pulp.LpVariable:
        return self.m.add_variable(f"v{next(self._names)}", 0, None, category)

    def _row(self, row: pulp.LpConstraint) -> None:
        self.m.addConstraint(row, f"row{next(self._names)}")


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
