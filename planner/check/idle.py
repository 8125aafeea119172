"""Pools that go down when they are idle, derived for the validator alone: what is paid, and what visits wait.

For each visit that finds a pool down, e^x - 1 find it up and empty (x: visits expected in the keep-alive time), and
more come while it starts. The busy time is that of a birth-death chain, by its stationary weights: from j visits to
j - 1 it takes the sum of those from j on, over that of j and the rate of leaving j. Source: `docs/math/idle.md`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import count

from ...costmodel.cold_start import ENGINE_START_S, LOADER_BYTES_PER_S
from ...ir.diagnostics import Diagnostics
from ...ir.distribution import Distribution
from .close import far
from .interruptions import ASSUMED_RECOVERY_S
from .subject import Pool, Subject

NEVER = 600.0
"""So many visits expected while a pool is kept up, and it does not go down."""
ALMOST_NOTHING = 1e-13
AT_ONCE = Distribution.point(0.0)


@dataclass(frozen=True)
class Idle:
    """How one pool comes and goes."""

    start_s: float = 0.0
    cold: float = 0.0
    """share of visits that wait for it"""
    wait: Distribution = AT_ONCE
    """[s] until it is up"""
    up_share: float = 1.0
    """of the time, that it is paid for"""


NEVER_DOWN = Idle()


def idle_of(
    subject: Subject, pool: Pool, weight_bytes: float, served: tuple[int, float, float], requests_per_s: float
) -> Idle:
    """`served` are its slots, visits a second and how long each keeps a slot [s]; its own requests come less often."""
    if pool.keep_alive_s is None:
        return NEVER_DOWN
    spec, device = subject.specs[pool.device], subject.devices.get(pool.device)
    start_s = spec.cold_start_s
    if start_s is None:
        start_s = ASSUMED_RECOVERY_S if spec.recovery_s is None else spec.recovery_s
        if weight_bytes and not (device is not None and device.kind == "cpu"):
            start_s += weight_bytes * pool.devices_per_replica / LOADER_BYTES_PER_S + ENGINE_START_S
    empty_per_cold = math.exp(min(NEVER, requests_per_s * pool.keep_alive_s)) - 1
    during = requests_per_s * start_s
    found = empty_per_cold + 1 + during
    knots = [(0.0, 0.0), (empty_per_cold / found, 0.0), ((empty_per_cold + during) / found, start_s), (1.0, start_s)]
    rising = [knot for k, knot in enumerate(knots) if k == 0 or knot[0] > knots[k - 1][0]]
    wait = Distribution("quantiles", tuple(figure for knot in rising for figure in knot))
    return Idle(start_s, (1 + during) / found, wait, _up_share(served, pool.keep_alive_s, start_s))


def _up_share(served: tuple[int, float, float], keep_alive_s: float, start_s: float) -> float:
    slots, visits_per_s, slot_s = served
    one = _falls_s(1, slots, visits_per_s, slot_s)
    gathered, busy, term = visits_per_s * start_s, one, math.exp(-visits_per_s * start_s)
    rest = 1 - term
    for k in count(1):
        if rest < ALMOST_NOTHING:
            break
        busy += rest * _falls_s(k + 1, slots, visits_per_s, slot_s)
        term *= gathered / k
        rest -= term
    again = math.exp(min(NEVER, visits_per_s * keep_alive_s)) - 1
    up_s = start_s + busy + again * (one + 1 / visits_per_s)
    return up_s / (up_s + 1 / visits_per_s)


def _falls_s(j: int, slots: int, visits_per_s: float, slot_s: float) -> float:
    """[s] from j visits in the pool to j - 1."""
    weight = total = 1.0
    for i in range(j + 1, slots + 1):
        weight *= visits_per_s * slot_s / i
        total += weight
    full = visits_per_s * slot_s / slots
    total += weight * full / (1 - full)
    return total * slot_s / min(j, slots)


def check_scale(subject: Subject, id: str, idle: Idle, faults: Diagnostics) -> None:
    """Report `check.scale` where a pool goes down that may not, or misstates what that does."""
    stated = next(pool.get("scale") for pool in subject.plan["pools"] if pool["id"] == id)
    if stated is None:
        return
    scale = subject.specs[subject.pools[id].device].scale
    if scale.min_replicas or stated["min_replicas"] or not any(stated["keep_alive_s"] == s for s in scale.keep_alive_s):
        message = f"pool `{id}` goes down after {stated['keep_alive_s']:g} s, which the fleet does not allow"
        faults.error("check.scale", message)
    for name, derived in (("start_s", idle.start_s), ("cold", idle.cold), ("billed", idle.up_share)):
        if far(stated[name], derived):
            faults.error("check.scale", f"pool `{id}` states scale.{name} {stated[name]:.6g}; derived {derived:.6g}")
