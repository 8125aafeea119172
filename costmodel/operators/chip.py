"""What the latency of an operator needs of a device's data sheet: rates, multiprocessors, L2 cache, clock, links."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..hardware import Device

_TYPICAL_FLOPS_PER_MULTIPROCESSOR = 4e12
_TYPICAL_CACHE_BYTES_PER_FLOP = 80e-9
_TYPICAL_CLOCK_HZ = 1.8e9


@dataclass(frozen=True)
class Chip:
    """The figures of one device that kernels feel; rates are dense peaks."""

    id: str
    flops_per_s: Mapping[str, float]
    """by dtype"""
    bandwidth_bytes_per_s: float
    multiprocessors: float
    """SMs, compute units or cores that take tiles of a kernel"""
    cache_bytes: float
    """of the L2 (last) cache"""
    clock_hz: float
    tdp_w: float
    link_bytes_per_s: float
    """to the other devices of the chassis, one direction; 0 without a link"""
    known: bool
    """multiprocessors, cache and clock are from a data sheet, not typical ones"""

    @property
    def matrix_flops_per_s(self) -> float:
        """Peak of 16-bit products, or of the dtype nearest to it."""
        return next(self.flops_per_s[d] for d in ("bf16", "fp16", "fp32", *self.flops_per_s) if self.flops_per_s.get(d))


def chip_of(device: Device) -> Chip:
    """The chip of `device`; without all of multiprocessors, cache and clock, those typical for its FLOP/s (a guess)."""
    multiprocessors, cache, clock_hz = device.multiprocessors, device.cache_bytes, device.clock_hz
    known = bool(multiprocessors and cache and clock_hz)
    if not (multiprocessors and cache and clock_hz):
        flops = next((device.flops_per_s[d] for d in ("bf16", "fp16", "fp32") if device.flops_per_s.get(d)), 1e12)
        multiprocessors = max(1.0, flops / _TYPICAL_FLOPS_PER_MULTIPROCESSOR)
        cache, clock_hz = flops * _TYPICAL_CACHE_BYTES_PER_FLOP, _TYPICAL_CLOCK_HZ
    return Chip(
        id=device.id,
        flops_per_s=device.flops_per_s,
        bandwidth_bytes_per_s=device.bandwidth_bytes_per_s,
        multiprocessors=float(multiprocessors),
        cache_bytes=cache,
        clock_hz=clock_hz,
        tdp_w=device.tdp_w,
        link_bytes_per_s=device.link_bandwidth_bytes_per_s,
        known=known,
    )
