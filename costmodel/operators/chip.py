"""What the latency of an operator needs of a device's data sheet: rates, multiprocessors, L2 cache, clock, links."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..hardware import Device

_TYPICAL_FLOPS_PER_MULTIPROCESSOR = 4e12
"""at 16 bits: between an A100's 2.9 and an H100's 7.5"""
_TYPICAL_CACHE_BYTES_PER_FLOP = 80e-9
"""bytes for each FLOP/s: between an H100's 50 and an A100's 130"""
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
    """0 where it is not known"""
    link_bytes_per_s: float
    """to the other devices of the chassis, one direction; 0 without a link"""
    calibrated: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """coefficients by kernel that were fitted to the user's own measurements"""

    @property
    def matrix_flops_per_s(self) -> float:
        """Peak of 16-bit products, or of the dtype nearest to it; 1 FLOP/s where none is known."""
        known = ("bf16", "fp16", "fp32", *self.flops_per_s)
        return next((self.flops_per_s[dtype] for dtype in known if self.flops_per_s.get(dtype)), 1.0)


def chip_of(device: Device) -> Chip:
    """The chip of `device`; what its data sheet lacks is taken as typical for its FLOP/s (a guess).

    Only a GPU's multiprocessors are taken as they are. Those of an NPU are much larger (a TPU has one or two): it is
    modelled as a GPU of the same rates.
    """
    flops = next((device.flops_per_s[d] for d in ("bf16", "fp16", "fp32") if device.flops_per_s.get(d)), 1e12)
    cores = device.multiprocessors if device.kind == "gpu" else None
    return Chip(
        id=device.id,
        flops_per_s=device.flops_per_s,
        bandwidth_bytes_per_s=device.bandwidth_bytes_per_s,
        multiprocessors=float(cores or max(1.0, flops / _TYPICAL_FLOPS_PER_MULTIPROCESSOR)),
        cache_bytes=device.cache_bytes or flops * _TYPICAL_CACHE_BYTES_PER_FLOP,
        clock_hz=device.clock_hz or _TYPICAL_CLOCK_HZ,
        tdp_w=device.tdp_w,
        link_bytes_per_s=device.link_bandwidth_bytes_per_s,
        calibrated=device.calibration.kernels,
    )
