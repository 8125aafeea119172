"""Devices that are taken back: for how long a replica is up, and what visits lose.

Equations are numbered as in `docs/math/interruptions.md`.

Interruptions of one device are a Poisson process; a replica goes down with any of its devices, and comes up again
after another device was found and started.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..ir.distribution import Distribution
from ..ir.fleet import DeviceSpec
from ..ir.units import HOUR_S
from .cold_start import cold_start_s
from .hardware import Device

RECOVERY_S = 120.0
"""[s] until another device is there in place of one taken back (guess: the time that clouds say a machine of theirs
takes to boot; where none is free it is longer, and `recovery` should say so)"""


NOTHING = Distribution.point(0.0)


@dataclass(frozen=True)
class Interruptions:
    """How one replica is interrupted."""

    per_s: float
    """[1/s] while it is up"""
    down_s: float
    """[s] from an interruption until it answers again"""

    @property
    def availability(self) -> float:
        """Share of the time that the replica is up: A = 1 / (1 + r D). Equation (1)."""
        return 1 / (1 + self.per_s * self.down_s)

    def probability(self, seconds: float) -> float:
        """That a visit of so many seconds is interrupted: p = 1 - exp(-r s). Equation (2)."""
        return -math.expm1(-self.per_s * seconds)

    def repeated_s(self, seconds: float, again_s: float) -> float:
        """[s] that a visit keeps a replica busy on average: s + p / (1 - p) times what each repeat takes. Equation (3).

        `again_s` is the whole time of the work that one interruption undoes; all of it counts, for it may come last.
        """
        p = self.probability(seconds)
        return seconds + p / (1 - p) * again_s

    def lost(self, seconds: float, again_s: float) -> Distribution:
        """Law of the time that a visit loses [s]: N times `again_s`, P(N = k) = (1 - p) p^k. Equation (4)."""
        p = self.probability(seconds)
        return Distribution.repeats(p, again_s) if p else NOTHING

    def capacity_s(self, busy_s: float) -> float:
        """[s] of a replica's time, up or down, that `busy_s` of its work take: busy / A. Equation (5)."""
        return busy_s / self.availability


NEVER = Interruptions(0.0, 0.0)


def outage(replicas: int, slots: int, offered: float, availability: float, down_s: float) -> Distribution:
    """Law of the wait for replicas to come back [s]: with min(1, u / (1 - rho)) exponential with mean D. Equation (7).

    `offered` are slots that are kept busy on average, down time among it (equation 5), under `replicas` x `slots`;
    u = P(K slots <= A offered) for K of the replicas up, a binomial number with A each; rho is the utilisation.
    """
    if availability >= 1 or not offered:
        return NOTHING
    least = math.floor(availability * offered / slots + 1e-9)
    logs = (
        math.lgamma(replicas + 1)
        - math.lgamma(k + 1)
        - math.lgamma(replicas - k + 1)
        + k * math.log(availability)
        + (replicas - k) * math.log1p(-availability)
        for k in range(min(least, replicas) + 1)
    )
    too_few = math.fsum(math.exp(log) for log in logs)
    return Distribution.wait(min(1.0, too_few / (1 - offered / (replicas * slots))), down_s)


def interruptions_per_hour(spec: DeviceSpec, device: Device | None) -> float | None:
    """How often one device is taken back: as the fleet says, or for `rent: spot` the catalogue; None: not known."""
    price = spec.price
    if price.interruptions_per_hour is not None or not price.is_spot:
        return price.interruptions_per_hour or 0.0
    return device.interruptions_per_hour if device is not None else None


def interruptions_of(
    spec: DeviceSpec, device: Device | None, weight_bytes: float = 0.0, devices: int = 1
) -> Interruptions:
    """How a replica of so many devices is interrupted, each of which holds `weight_bytes` of a model. Equation (6).

    r = devices x rate of one; D = recovery + cold start, which is that of `cold_start.py` unless written. Hosts have
    no engine to start.
    """
    per_hour = interruptions_per_hour(spec, device)
    if not per_hour:
        return NEVER
    start_s = spec.cold_start_s
    if start_s is None:
        has_engine = weight_bytes and (device is None or device.kind != "cpu")
        start_s = cold_start_s(weight_bytes * devices) if has_engine else 0.0
    recovery_s = RECOVERY_S if spec.recovery_s is None else spec.recovery_s
    return Interruptions(per_hour * devices / HOUR_S, recovery_s + start_s)
