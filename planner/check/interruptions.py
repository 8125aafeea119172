"""What interruptions take, derived for the validator alone: down time, visits that begin anew, time they lose.

A replica of k devices, each taken back `i` times an hour, is up for 3600 / (k i) seconds on average and then down for
D; a try of s seconds fails with f = 1 - exp(-k i s / 3600), and tries fail N times in a row before one does not.
Source: `docs/math/interruptions.md`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ...costmodel.cold_start import ENGINE_START_S, LOADER_BYTES_PER_S
from ...ir.distribution import Distribution
from ...ir.units import HOUR_S
from .subject import Pool, Subject

ASSUMED_RECOVERY_S = 120.0
"""where the fleet does not say how soon another device is there"""


@dataclass(frozen=True)
class Outage:
    """How the replicas of one pool come and go."""

    up_s: float = math.inf
    """mean time between two interruptions"""
    down_s: float = 0.0

    @property
    def up_share(self) -> float:
        return 1.0 if math.isinf(self.up_s) else self.up_s / (self.up_s + self.down_s)

    def failures(self, seconds: float) -> float:
        """Tries that fail on average before one does not."""
        return math.exp(seconds / self.up_s) - 1

    def lost(self, seconds: float, again_s: float) -> Distribution:
        """[s] that failed tries take."""
        failing = 1 - math.exp(-seconds / self.up_s)
        return Distribution.repeats(failing, again_s) if failing else Distribution.point(0.0)

    def wait(self, replicas: int, slots: int, kept: float) -> Distribution:
        """[s] until enough replicas are up again, of `kept` slots busy or down on average.

        They are too few a share u of the time, and visits of u / (1 - rho) of it find a queue from then.
        """
        if not kept or math.isinf(self.up_s):
            return Distribution.point(0.0)
        needed, up = kept * self.up_share, self.up_share
        chances = [math.comb(replicas, k) * up**k * (1 - up) ** (replicas - k) for k in range(replicas + 1)]
        too_few = sum(chance for k, chance in enumerate(chances) if k * slots <= needed * (1 + 1e-9))
        return Distribution.wait(min(1.0, too_few / (1 - kept / (replicas * slots))), self.down_s)


def outage_of(subject: Subject, pool: Pool, weight_bytes_per_device: float) -> Outage:
    """The outages of a pool whose devices hold so many bytes of weights."""
    spec, device = subject.specs[pool.device], subject.devices.get(pool.device)
    per_hour = spec.price.interruptions_per_hour
    if per_hour is None:
        per_hour = device.interruptions_per_hour if spec.price.is_spot and device is not None else 0.0
    if not per_hour:
        return Outage()
    is_host = device is not None and device.kind == "cpu"
    weights = 0.0 if is_host else weight_bytes_per_device * pool.devices_per_replica
    start_s = weights / LOADER_BYTES_PER_S + ENGINE_START_S if weights else 0.0
    recovery_s = ASSUMED_RECOVERY_S if spec.recovery_s is None else spec.recovery_s
    down_s = recovery_s + (start_s if spec.cold_start_s is None else spec.cold_start_s)
    return Outage(HOUR_S / (per_hour * pool.devices_per_replica), down_s)
