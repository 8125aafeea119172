"""Pools that go down when nothing was in them for a while: what is paid for, and what visits wait that find them down.

Equations are numbered as in `docs/math/idle.md`.
"""

from __future__ import annotations

import math

from ..ir.distribution import Distribution
from ..ir.fleet import DeviceSpec
from .cold_start import cold_start_s
from .hardware import Device
from .interruptions import RECOVERY_S

MOST_EXPECTED = 600.0
"""Visits expected in the keep-alive time beyond which a pool is never down: e^-600 is 0 beside 1."""


def start_wait(arrivals_per_s: float, keep_alive_s: float, start_s: float) -> Distribution:
    """Law of the wait for a pool to start [s]. Equation (2).

    S with 1 / (e^(lambda tau) + lambda S), uniform between 0 and S with lambda S times that, and 0 else.
    """
    weight = math.exp(min(MOST_EXPECTED, arrivals_per_s * keep_alive_s)) + arrivals_per_s * start_s
    down, starting = 1 / weight, arrivals_per_s * start_s / weight
    knots = [(0.0, 0.0)]
    for probability, seconds in ((1 - down - starting, 0.0), (1 - down, start_s), (1.0, start_s)):
        if probability > knots[-1][0]:
            knots.append((probability, seconds))
    return Distribution("quantiles", tuple(figure for knot in knots for figure in knot))


def billed(servers: int, offered: float, service_s: float, keep_alive_s: float, start_s: float) -> float:
    """Share of the time that a pool is up or starts, and is paid for: 1 - 1 / (lambda E[cycle]). Equation (4).

    `offered` are slots that are busy on average, under `servers`.
    """
    arrivals = offered / service_s
    emptying = _emptying_s(servers, offered, service_s, arrivals * start_s)
    start_with = term = math.exp(-arrivals * start_s)
    first, still = emptying[0], 1 - start_with
    for k, seconds in enumerate(emptying[1:], 1):
        first += still * seconds
        term *= arrivals * start_s / k
        still = max(0.0, still - term)
    again = math.expm1(min(MOST_EXPECTED, arrivals * keep_alive_s))
    in_cycle = 1 + arrivals * (start_s + first) + again * (1 + arrivals * emptying[0])
    return 1 - 1 / in_cycle


def _emptying_s(servers: int, offered: float, service_s: float, waiting: float) -> list[float]:
    """h_1, h_2, ...: mean time from j visits in the pool to j - 1 [s]. Equation (3).

    As many as matter where on average `waiting` more than one have gathered.
    """
    most = math.ceil(waiting + 8 * math.sqrt(waiting) + 8) + 1
    mu, arrivals = 1 / service_s, offered / service_s
    found, seconds = [0.0] * max(most, servers), 1 / (servers * mu - arrivals)
    for j in range(max(most, servers), 0, -1):
        if j < servers:
            seconds = (1 + arrivals * seconds) / (j * mu)
        found[j - 1] = seconds
    return found[:most]


def start_s(spec: DeviceSpec, device: Device | None, weight_bytes: float, devices: int) -> float:
    """[s] until a replica that was given back is there again: the fleet's `cold_start`. Equation (1).

    Without one the time that another device takes to be there, and to load `weight_bytes` on each of `devices`.
    """
    if spec.cold_start_s is not None:
        return spec.cold_start_s
    has_engine = weight_bytes and (device is None or device.kind != "cpu")
    recovery_s = RECOVERY_S if spec.recovery_s is None else spec.recovery_s
    return recovery_s + (cold_start_s(weight_bytes * devices) if has_engine else 0.0)
