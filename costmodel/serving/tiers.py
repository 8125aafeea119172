"""Weights and caches that lie partly beyond a device's own memory, streamed while it computes.

Equations are numbered as in `docs/math/tiers.md`. Source of the overlap: Sheng et al., "FlexGen" (arXiv 2303.06865),
section 4.3: a layer takes the longest of its transfers and its arithmetic.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...ir.fleet import DeviceSpec
from ..hardware import Device
from ..models.elementwise import most
from .memory import kv_bytes_per_device, weight_bytes_per_device
from .replica import Replica

if TYPE_CHECKING:
    from ..models.elementwise import Values

LAYERS_AHEAD = 2
"""of which what is streamed has room in the device's memory: the one that computes, and the next that arrives"""


@dataclass(frozen=True)
class Tier:
    """Memory beyond the device's own, as one device has it."""

    name: str
    bytes: float
    bandwidth_bytes_per_s: float


@dataclass(frozen=True)
class Spill:
    """What of a replica lies in a tier."""

    tier: Tier
    weights: float = 0.0
    """share of the weights"""
    cache: float = 0.0
    """share of every cache"""

    def held(self, replica: Replica, size: Values, share: float) -> Values:
        """[bytes] of the device's memory for `size` bytes of which `share` are streamed. Equation (1)."""
        ahead = min(share, LAYERS_AHEAD / replica.llm.layers)
        return (1 - share + ahead) * size

    def weights_held(self, replica: Replica) -> float:
        """[bytes] of weights in the memory of one device."""
        return float(self.held(replica, _weights(replica), self.weights))

    def weights_in_tier(self, replica: Replica) -> float:
        """[bytes] of weights in the tier of one device. Equation (2)."""
        return self.weights * _weights(replica)

    def prefill_s(self, replica: Replica, seconds: Values, prompt: Values) -> Values:
        """[s] of a prefill that takes `seconds` with all in memory: weights arrive, the cache goes. Equation (3)."""
        cache = kv_bytes_per_device(replica.llm, replica.parallel, 1.0, prompt, replica.kv_precision)
        return self._beside(seconds, self.weights_in_tier(replica) + self.cache * cache)

    def step_s(self, replica: Replica, seconds: Values, batch: Values, context: Values) -> Values:
        """[s] of a decode step that takes `seconds` with all in memory; its caches stream in. Equation (4)."""
        cache = kv_bytes_per_device(replica.llm, replica.parallel, batch, context, replica.kv_precision)
        return self._beside(seconds, self.weights_in_tier(replica) + self.cache * cache)

    def _beside(self, seconds: Values, streamed_bytes: Values) -> Values:
        return most(seconds, streamed_bytes / self.tier.bandwidth_bytes_per_s)


def _weights(replica: Replica) -> float:
    return weight_bytes_per_device(replica.llm, replica.parallel, replica.precision)


def tiers_of(spec: DeviceSpec, device: Device) -> tuple[Tier, ...]:
    """The tiers that the fleet gives a device; to the host's memory at the catalogue's rate where none is written."""
    found = []
    for tier in spec.tiers:
        bandwidth = tier.bandwidth_bytes_per_s or (device.host_bandwidth_bytes_per_s if tier.name == "dram" else None)
        if bandwidth:
            found.append(Tier(tier.name, tier.bytes, bandwidth))
    return tuple(found)
